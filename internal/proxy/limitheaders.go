package proxy

import (
	"net/http"
	"strconv"
	"time"

	"tollgate/internal/quota"
	"tollgate/internal/wire"
)

// limitHeaders are ours to set: an upstream's own would mislead. In lower case.
var limitHeaders = [...]string{
	"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-cost", "x-quota-limit", "x-quota-remaining", "x-quota-reset",
	"ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
}

func isLimitHeader(name string) bool {
	if c := name[0] | 0x20; c != 'x' && c != 'r' {
		return false
	}
	for _, known := range limitHeaders {
		if wire.Is(name, known) {
			return true
		}
	}
	return false
}

// setLimits puts the limits into h, where net/http serves.
func (g *Gateway) setLimits(c *call, h http.Header) {
	for _, name := range limitHeaders {
		h.Del(name)
	}
	g.eachLimitField(c, func(name string, value []byte) { h.Set(name, string(value)) })
}

// appendLimits writes the limits into a head, where wire serves.
func (g *Gateway) appendLimits(b []byte, c *call) []byte {
	g.eachLimitField(c, func(name string, value []byte) { b = appendField(b, name, value) })
	return b
}

// eachLimitField says how the limits stand: the widely used X- headers, with
// reset in seconds since the epoch, and the structured fields of the IETF draft
// (draft-ietf-httpapi-ratelimit-headers), with reset in seconds from now. What
// the call cost is said where it is not one. Values are good until the next one.
func (g *Gateway) eachLimitField(c *call, set func(name string, value []byte)) {
	b := c.scratch[:0]
	number := func(name string, n int64) { set(name, strconv.AppendInt(b, n, 10)) }
	rate, plan := &c.rate.Status, &c.quota
	if rate.Limit > 0 {
		number("X-RateLimit-Limit", rate.Limit)
		number("X-RateLimit-Remaining", rate.Remaining)
		number("X-RateLimit-Reset", rate.Reset.Unix())
	}
	if plan.Limit > 0 {
		number("X-Quota-Limit", plan.Limit)
		number("X-Quota-Remaining", plan.Remaining)
		number("X-Quota-Reset", plan.Reset.Unix())
	}
	if rate.Limit > 0 || plan.Limit > 0 {
		set("RateLimit-Policy", c.appendEach(b, appendPolicy))
		set("RateLimit", c.appendEach(b, appendState))
	}
	if c.op != nil && c.op.Weight > 1 && c.target.Member != nil {
		number("X-RateLimit-Cost", int64(c.op.Weight))
	}
}

// appendEach writes a list with one member for each kind of limit.
func (c *call) appendEach(b []byte, member func([]byte, *call, string, *quota.Status) []byte) []byte {
	if c.rate.Status.Limit > 0 {
		b = member(b, c, windowName(c.rate.Status.Window), &c.rate.Status)
	}
	if c.quota.Limit > 0 {
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = member(b, c, "period", &c.quota)
	}
	return b
}

func appendPolicy(b []byte, c *call, name string, st *quota.Status) []byte {
	b = append(append(append(b, '"'), name...), `";q=`...)
	b = strconv.AppendInt(b, st.Limit, 10)
	window := st.Window
	if st == &c.quota {
		window = c.period.End.Sub(c.period.Start)
	}
	if window == 0 {
		return b
	}
	return strconv.AppendInt(append(b, ";w="...), int64(window/time.Second), 10)
}

func appendState(b []byte, c *call, name string, st *quota.Status) []byte {
	b = append(append(append(b, '"'), name...), `";r=`...)
	b = append(strconv.AppendInt(b, st.Remaining, 10), ";t="...)
	return strconv.AppendInt(b, st.RetryAfter(c.arrived), 10)
}
