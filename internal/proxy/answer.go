package proxy

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"tollgate/internal/problem"
)

// lastOfBody is how long a client may go on sending once its answer is decided.
const lastOfBody = time.Second

// refuse answers a call that is not forwarded. It consumes nothing.
func (g *Gateway) refuse(c *call, why *refusal) {
	g.undo(c)
	if why.answer {
		c.endTrace(http.StatusNoContent)
		g.answerPreflight(c)
		return
	}
	g.peekLimits(c)
	org, key := c.caller()
	g.Refusals.Add(org, key, why.Code, c.arrived)
	g.metrics.refuse(why.Code)
	body := g.problemBody(c, why.Error)
	body.RetryAfter = why.after
	if why.status != nil {
		body.RetryAfter = why.status.RetryAfter(c.arrived)
		body.Policy, body.PlanURL = why.policy, g.planURL(c)
	}
	c.spans.fail(why.Code)
	c.endTrace(body.Status)
	if g.sampled.take(c.started) {
		g.Logger.Info("call refused", "request_id", c.id, "method", c.r.method, "code", why.Code, "status", body.Status)
	}
	g.answerProblem(c, body)
}

func (g *Gateway) problemBody(c *call, e *problem.Error) problem.CallBody {
	body := problem.CallBody{Body: e.Body(g.cfg.PortalURL, c.id.String())}
	body.Error = body.Title
	return body
}

// answerProblem answers in the upstream's place.
func (g *Gateway) answerProblem(c *call, body problem.CallBody) {
	if c.fast != nil {
		g.answerProblemFast(c, body)
		return
	}
	w := c.std.w
	g.bound(w, lastOfBody)
	w.Header().Set("X-Request-Id", c.id.String())
	c.setLimits(w.Header())
	c.eachCORSField(w.Header().Set)
	eachProblemField(body, w.Header().Set)
	problem.Write(w, body.Status, body)
}

// eachProblemField names the headers that go with a problem.
func eachProblemField(body problem.CallBody, set func(name, value string)) {
	if body.RetryAfter > 0 {
		set("Retry-After", strconv.FormatInt(body.RetryAfter, 10))
	}
	if body.Status == http.StatusUnauthorized {
		set("WWW-Authenticate", `Bearer realm="tollgate"`)
	}
}

// answerProblemFast writes the same answer as [problem.Write].
func (g *Gateway) answerProblemFast(c *call, body problem.CallBody) {
	text, _ := json.Marshal(body) // strings and numbers always marshal
	x := c.fast
	b := appendStatus(x.Out[:0], body.Status, http.StatusText(body.Status))
	b = append(appendID(append(b, "X-Request-Id: "...), c.id), "\r\n"...)
	b = c.appendLimits(b)
	b = c.appendCORS(b)
	eachProblemField(body, func(name, value string) { b = appendField(b, name, value) })
	b = append(b, "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"...)
	b = appendField(b, "Date", g.dates.at(c.started))
	b = appendNumber(b, "Content-Length: ", int64(len(text))+1)
	b = appendEnd(b, x.Keep)
	if c.r.method != http.MethodHead {
		b = append(append(b, text...), '\n')
	}
	x.Out = b
	if x.Flush() != nil {
		x.Keep = false
	}
}

func appendStatus(b []byte, status int, reason string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, reason...)
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendEnd ends a head.
func appendEnd(b []byte, keep bool) []byte {
	if !keep {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}
