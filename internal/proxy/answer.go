package proxy

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/problem"
)

// lastOfBody is how long a client may go on sending once its answer is decided.
const lastOfBody = time.Second

// refuse answers a call that is not forwarded. It consumes nothing.
func (g *Gateway) refuse(c *call, why *refusal) {
	if c.reserved {
		g.spool.Release()
	}
	if c.lease != 0 {
		g.wallet.Return(c.account(), c.lease)
	}
	g.peekLimits(c)
	var org, key uuid.UUID
	if c.key != nil {
		org, key = c.key.Org, c.key.ID
	}
	g.refusals.Add(org, key, why.Code, c.arrived)
	g.metrics.refuse(why.Code)
	body := g.problemBody(c, why.Error)
	if why.status != nil {
		body.RetryAfter = why.status.RetryAfter(c.arrived)
		body.Policy, body.PlanURL = why.policy, g.planURL(c)
	}
	if g.sampled.take(c.started) {
		g.logger.Info("call refused", "request_id", c.id, "method", c.r.method, "code", why.Code, "status", body.Status)
	}
	g.answerProblem(c, body)
}

// peekLimits finds out how the limits stand that no step has asked about.
func (g *Gateway) peekLimits(c *call) {
	if c.hold == nil {
		return
	}
	if c.rate.Limit == 0 {
		c.rate = g.limiter.Peek(c.caller(), c.hold.Plan.Rates, c.arrived)
	}
	if c.hold.Plan.Quota > 0 {
		c.quota = g.wallet.Peek(c.account(), c.hold.Plan.Quota)
	}
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
	g.setLimits(c, w.Header())
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
	b = appendField(b, "X-Request-Id", appendID(c.scratch[:0], c.id))
	b = g.appendLimits(b, c)
	eachProblemField(body, func(name, value string) { b = appendField(b, name, []byte(value)) })
	b = append(b, "Content-Type: application/problem+json\r\nCache-Control: no-store\r\nDate: "...)
	b = append(b, g.dates.at(c.started)...)
	b = append(b, "\r\n"...)
	b = appendField(b, "Content-Length", strconv.AppendInt(c.scratch[:0], int64(len(text))+1, 10))
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

func appendField(b []byte, name string, value []byte) []byte {
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
