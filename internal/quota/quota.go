// Package quota is the arithmetic of limits: pure, with time passed in. A rate
// limit is so many calls per fixed window; a quota is so many per billing
// period, spent from leased slices. A refused call consumes nothing.
package quota

import "time"

// Rate is a rate limit.
type Rate struct {
	Calls  int64
	Window time.Duration // whole seconds; windows are aligned to the Unix epoch
}

// Counter is a rate limit's state for one caller.
type Counter struct {
	window int64 // number of the window since the epoch
	used   int64
}

// Status is where a limit stands.
type Status struct {
	Limit     int64
	Remaining int64 // never negative
	Reset     time.Time
	Window    time.Duration // 0: the billing period, or calls under way
	Algorithm Algorithm     // empty: calls under way, or a quota
	Scope     Scope
	Retry     int64 // of a refusal: the first whole second from now at which the same call would pass; 0: not known, or never
}

// RetryAfter is how many whole seconds a refused caller should wait, at least 1:
// Retry if it is known, else until Reset.
func (s Status) RetryAfter(now time.Time) int64 {
	if s.Retry > 0 {
		return s.Retry
	}
	return max(int64((s.Reset.Sub(now)+time.Second-1)/time.Second), 1)
}

// Peek reports r's state at now without consuming.
func (r Rate) Peek(c Counter, now time.Time) Status {
	size := int64(r.Window / time.Second)
	n := now.Unix() / size
	used := int64(0)
	if c.window >= n { // a clock that jumped back must not open a fresh window
		n, used = c.window, c.used
	}
	return Status{Limit: r.Calls, Remaining: max(r.Calls-used, 0), Reset: time.Unix((n+1)*size, 0).UTC(), Window: r.Window}
}

// Take consumes one call if there is one left.
func (r Rate) Take(c *Counter, now time.Time) (Status, bool) {
	s := r.Peek(*c, now)
	if s.Remaining == 0 {
		return s, false
	}
	if n := now.Unix() / int64(r.Window/time.Second); n > c.window {
		*c = Counter{window: n}
	}
	c.used++
	s.Remaining--
	return s, true
}

// Over reports whether c's window has passed, so that c may be forgotten.
func (r Rate) Over(c Counter, now time.Time) bool {
	return c.window < now.Unix()/int64(r.Window/time.Second)
}

// Slice is how many calls a gateway asks for at once when left of a quota's
// total are not yet granted: a twentieth, and less as the quota runs out, so
// that several gateways can share the end of it.
func Slice(total, left int64) int64 {
	return min(max(min(total/20, left/4), 1), 10_000, max(left, 0))
}
