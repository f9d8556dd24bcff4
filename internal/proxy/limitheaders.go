package proxy

import (
	"bytes"
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
func (c *call) setLimits(h http.Header) {
	for _, name := range limitHeaders {
		h.Del(name)
	}
	for line := range bytes.Lines(c.appendLimits(nil)) {
		name, value, _ := bytes.Cut(line, []byte(": "))
		h.Set(string(name), string(bytes.TrimSuffix(value, []byte("\r\n"))))
	}
}

// appendLimits says in a head how the limits stand: the widely used X- headers,
// with reset in seconds since the epoch, and the structured fields of the IETF
// draft (draft-ietf-httpapi-ratelimit-headers), with reset in seconds from now.
// What the call cost is said where it is not one.
func (c *call) appendLimits(b []byte) []byte {
	rate, plan := &c.rate.Status, &c.quota
	if rate.Limit > 0 {
		b = appendNumber(b, "X-RateLimit-Limit: ", rate.Limit)
		b = appendNumber(b, "X-RateLimit-Remaining: ", rate.Remaining)
		b = appendNumber(b, "X-RateLimit-Reset: ", rate.Reset.Unix())
	}
	if c.tellsQuota() {
		b = appendNumber(b, "X-Quota-Limit: ", plan.Limit)
		b = appendNumber(b, "X-Quota-Remaining: ", plan.Remaining)
		if !c.plan.Prepaid {
			b = appendNumber(b, "X-Quota-Reset: ", plan.Reset.Unix())
		}
	}
	if rate.Limit > 0 || c.tellsQuota() {
		b = append(c.appendEach(append(b, "RateLimit-Policy: "...), appendPolicy), "\r\n"...)
		b = append(c.appendEach(append(b, "RateLimit: "...), appendState), "\r\n"...)
	}
	if c.op != nil && c.op.Weight > 1 && c.target.Member != nil {
		b = appendNumber(b, "X-RateLimit-Cost: ", int64(c.op.Weight))
	}
	return b
}

// tellsQuota reports whether a quota is known of. A balance may be of nothing.
func (c *call) tellsQuota() bool {
	return c.quota.Limit > 0 || (c.plan.Prepaid && !c.test())
}

func appendNumber(b []byte, name string, n int64) []byte {
	return append(strconv.AppendInt(append(b, name...), n, 10), "\r\n"...)
}

// appendEach writes a list with one member for each kind of limit.
func (c *call) appendEach(b []byte, member func([]byte, *call, string, *quota.Status) []byte) []byte {
	rate, plan := c.rate.Status.Limit > 0, c.tellsQuota()
	if rate {
		b = member(b, c, windowName(c.rate.Status.Window), &c.rate.Status)
	}
	if rate && plan {
		b = append(b, ", "...)
	}
	if plan {
		name := "period"
		if c.plan.Prepaid {
			name = "balance"
		}
		b = member(b, c, name, &c.quota)
	}
	return b
}

func appendPolicy(b []byte, c *call, name string, st *quota.Status) []byte {
	b = append(append(append(b, '"'), name...), `";q=`...)
	b = strconv.AppendInt(b, st.Limit, 10)
	window := st.Window
	if st == &c.quota && !c.plan.Prepaid {
		window = c.period.End.Sub(c.period.Start)
	}
	if window == 0 {
		return b
	}
	return strconv.AppendInt(append(b, ";w="...), int64(window/time.Second), 10)
}

func appendState(b []byte, c *call, name string, st *quota.Status) []byte {
	b = append(append(append(b, '"'), name...), `";r=`...)
	b = strconv.AppendInt(b, st.Remaining, 10)
	if st == &c.quota && c.plan.Prepaid { // nothing resets it
		return b
	}
	return strconv.AppendInt(append(b, ";t="...), st.RetryAfter(c.arrived), 10)
}
