package shared

import (
	"tollgate/internal/quota"
)

// want is one limit of a call: what it needs of it and how a slice would look.
type want struct {
	rule  *quota.Rule
	key   quota.Key
	force quota.Force
	cap   int64 // capacity in Redis: of a bucket, less what leases may still spend
	most  int64 // of a slice; at most 1: each call asks
	hold  int64 // µs for which a slice may be spent; 0: until its window ends
	need  int64 // from Redis; 0: memory has enough
	ask   int64
	taken int64 // reserved from the purse
}

// parts of a limit that one slice is at most.
const parts = 20

// wants appends the rates that c meets to wants.
func (l *Limiter) wants(wants []want, set *quota.Set, c *quota.Call) []want {
	var forces []quota.Force
	if set.Adapts {
		forces = l.o.Local.Demand(make([]quota.Force, 0, 8), set, *c)
		c.Asked = true
	}
	n := 0
	picks := set.For(c.Who.Name)
	for i := range picks {
		key := picks[i].Key(c.Who)
		for _, r := range picks[i].Rules {
			if !r.Concurrent {
				w := want{rule: r, key: key, force: r.Planned()}
				if set.Adapts {
					w.force = forces[n]
				}
				w.slice(l.o.Mode, c.Cost)
				wants = append(wants, w)
			}
			n++
		}
	}
	return wants
}

// slice sizes what the gateway may take at once, so that spending it later than
// it was taken never lets more through than the limit does: windows count a
// slice in the window in which alone it is spent; a log counts it as if all was
// spent at its end; a bucket holds back as much as refills while it is spent.
func (w *want) slice(mode Mode, cost int64) {
	size, _, _ := w.rule.Shape()
	w.cap = w.rule.Capacity(w.force)
	most := w.cap / parts
	if mode != Leased || most <= cost || w.cap-most < cost {
		return
	}
	w.most = most
	switch w.rule.Algorithm {
	case quota.SlidingLog:
		w.hold = size / 50
	case quota.TokenBucket, quota.LeakyBucket:
		w.cap -= most
		w.hold = most * size / w.force.Calls
	}
}

// pause is for how long a refusal that ends in wait is repeated: of a leased
// limit for a hundredth of its window, so that what becomes free is fetched by
// the slice and not call by call, but never past the second that callers were told.
func (w *want) pause(wait int64) int64 {
	size, _, _ := w.rule.Shape()
	if w.most == 0 || w.rule.Algorithm == quota.FixedWindow {
		return wait
	}
	told := (wait + 999_999) / 1_000_000 * 1_000_000
	return max(wait, min(size/100, told))
}

// leased reports whether any limit is leased.
func leased(wants []want, c *quota.Call) bool {
	for i := range wants {
		if wants[i].most > c.Cost {
			return true
		}
	}
	return false
}

func (w *want) arguments(args []any, nodes int64) []any {
	size, grain, ticks := w.rule.Shape()
	share, hold := int64(1), int64(0)
	if w.most > 0 {
		share = 2 * nodes
	}
	if w.rule.Algorithm == quota.SlidingLog {
		hold = w.hold
	}
	a := w.rule.Algorithm
	if a == "" {
		a = quota.FixedWindow
	}
	return append(args, string(a), size, grain, ticks, w.force.Calls, w.cap, w.need, w.ask, share, hold)
}
