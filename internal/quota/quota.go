// Package quota is the arithmetic of limits: pure, with time passed in. A rate
// limit is so many calls per fixed window; a quota is so many per billing
// period, spent from leased slices. A refused call consumes nothing.
package quota

import "time"

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

// Slice is how many calls a gateway takes at once when left of a quota's total
// are not yet granted: a twentieth but at most 10,000, or want if that is more,
// and less as the quota runs out, so that several gateways can share the end of it.
func Slice(total, left, want int64) int64 {
	return min(max(min(max(min(total/20, 10_000), want), left/4), 1), max(left, 0))
}
