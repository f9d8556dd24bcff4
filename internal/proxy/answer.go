package proxy

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
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
		c.quota = g.wallet.Peek(c.account(), c.hold.Plan.Quota)
	}
	var org, key uuid.UUID
	if c.key != nil {
		org, key = c.key.Org, c.key.ID
	}
	g.refusals.Add(org, key, why.Code, c.arrived)
	g.metrics.refused.WithLabelValues(why.Code).Inc()
	g.bound(c.w, lastOfBody)
	g.writeLimits(c, c.w.Header())
	body := problem.CallBody{Body: why.Body(g.cfg.PortalURL, c.id.String())}
	body.Error = body.Title
	if why.status != nil {
		body.RetryAfter = why.status.RetryAfter(c.arrived)
		body.Policy, body.PlanURL = why.policy, g.planURL(c)
		c.w.Header().Set("Retry-After", strconv.FormatInt(body.RetryAfter, 10))
	}
	if body.Status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="tollgate"`)
	}
	problem.Write(c.w, body.Status, body)
	g.logger.Info("call refused", "request_id", c.id, "method", c.r.Method, "code", why.Code, "status", body.Status)
}

// limitHeaders are ours to set: an upstream's own would mislead.
var limitHeaders = []string{
	"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Quota-Limit", "X-Quota-Remaining", "X-Quota-Reset",
	"Ratelimit", "Ratelimit-Policy", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset",
}

// writeLimits says how the limits stand: the widely used X- headers, with reset
// in seconds since the epoch, and the structured fields of the IETF draft
// (draft-ietf-httpapi-ratelimit-headers), with reset in seconds from now.
func (g *Gateway) writeLimits(c *call, h http.Header) {
	for _, name := range limitHeaders {
		h.Del(name)
	}
	if c.hold == nil {
		return
	}
	var policies, states []string
	if st := c.rate; st.Limit > 0 {
		h.Set("X-RateLimit-Limit", strconv.FormatInt(st.Limit, 10))
		h.Set("X-RateLimit-Remaining", strconv.FormatInt(st.Remaining, 10))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(st.Reset.Unix(), 10))
		name := windowName(st.Window)
		policies = append(policies, fmt.Sprintf(`"%s";q=%d;w=%d`, name, st.Limit, st.Window/time.Second))
		states = append(states, fmt.Sprintf(`"%s";r=%d;t=%d`, name, st.Remaining, st.RetryAfter(c.arrived)))
	}
	if st := c.quota; st.Limit > 0 {
		h.Set("X-Quota-Limit", strconv.FormatInt(st.Limit, 10))
		h.Set("X-Quota-Remaining", strconv.FormatInt(st.Remaining, 10))
		h.Set("X-Quota-Reset", strconv.FormatInt(st.Reset.Unix(), 10))
		policies = append(policies, fmt.Sprintf(`"period";q=%d;w=%d`, st.Limit, c.period.End.Sub(c.period.Start)/time.Second))
		states = append(states, fmt.Sprintf(`"period";r=%d;t=%d`, st.Remaining, st.RetryAfter(c.arrived)))
	}
	if len(policies) > 0 {
		h.Set("RateLimit-Policy", strings.Join(policies, ", "))
		h.Set("RateLimit", strings.Join(states, ", "))
	}
}
