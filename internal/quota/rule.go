package quota

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// The bounds of a limit.
const (
	MaxCalls  = 1_000_000_000        // of Calls and Burst
	MaxWindow = 366 * 24 * time.Hour // of Window
	MaxCost   = 1_000_000            // the weight of one call; more counts as this
	logSize   = 1000                 // moments that a sliding log keeps apart
)

// Rule is a Limit made ready for counting. It never changes.
type Rule struct {
	Limit
	Index int // in the set

	id    uint64 // names the counters: the same for limits that differ in amounts only
	kind  kind
	size  int64 // the window in µs
	grain int64 // µs per tick
	ticks int64 // of the window: a million to ten million
	slots []slot
}

type kind uint8

const (
	fixedWindow kind = iota
	slidingWindow
	slidingLog
	tokenBucket
	leakyBucket
)

var kinds = map[Algorithm]kind{
	"": fixedWindow, FixedWindow: fixedWindow, SlidingWindow: slidingWindow, SlidingLog: slidingLog, TokenBucket: tokenBucket, LeakyBucket: leakyBucket,
}

// Force is a limit's amounts as they are in force: moved by Adapt, or shared
// out among gateways.
type Force struct{ Calls, Burst int64 }

// Tally is what one rule has counted for one subject. The zero value has
// counted nothing. It is not safe for concurrent use.
type Tally struct {
	at      int64 // windows: the window's number since the epoch; buckets: the last tick; log: the newest moment
	used    int64 // windows, log: calls; buckets: the level, in which one call weighs the window's ticks
	before  int64 // sliding window: calls of the window before; fixed window: the least Remaining told
	base    int64 // fixed window: the plan's Calls when before was told
	log     *history
	moved   *Moved
	current *atomic.Int64 // calls under way
}

// NewRule makes l ready, or says what is wrong with it.
func NewRule(l Limit, index int) (Rule, error) {
	r := Rule{Limit: l, Index: index}
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(l.Calls < 1 || l.Calls > MaxCalls, "limit %d: calls must be between 1 and %d, not %d", index, MaxCalls, l.Calls)
	wrong(l.Burst < 0 || l.Burst > MaxCalls, "limit %d: burst must be between 0 and %d, not %d", index, MaxCalls, l.Burst)
	wrong(scopes[l.Scope] == 0, "limit %d: there is no scope %q", index, l.Scope)
	if !l.Concurrent {
		var known bool
		r.kind, known = kinds[l.Algorithm]
		wrong(!known, "limit %d: there is no algorithm %q", index, l.Algorithm)
		wrong(l.Window < time.Second || l.Window > MaxWindow || l.Window%time.Second != 0,
			"limit %d: the window must be whole seconds, between one and 366 days, not %s", index, l.Window)
	}
	var err error
	if r.slots, err = parseSlots(l.Adapt.Schedule); err != nil {
		errs = append(errs, fmt.Errorf("limit %d: %w", index, err))
	}
	if len(errs) > 0 {
		return Rule{}, errors.Join(errs...)
	}
	r.size = l.Window.Microseconds()
	for r.grain = 1; r.size/r.grain > 10_000_000; {
		r.grain *= 10
	}
	r.ticks = r.size / r.grain
	r.id = identity(l)
	return r, nil
}

// ID names the rule's counters. Rules that differ in amounts alone share it.
func (r *Rule) ID() uint64 { return r.id }

// Shape is what another implementation of the algorithms has to know: the
// window in µs, µs per tick, and ticks per window.
func (r *Rule) Shape() (size, grain, ticks int64) { return r.size, r.grain, r.ticks }

// Planned is the limit's amounts, unmoved.
func (r *Rule) Planned() Force { return Force{r.Calls, r.Burst} }

// Moved is f in per cent, at least one call.
func (f Force) Moved(percent int64) Force {
	if percent == 100 {
		return f
	}
	return Force{max(f.Calls*percent/100, 1), f.Burst * percent / 100}
}

// Share is one gateway's part of f among nodes, at least one call.
func (f Force) Share(nodes int64) Force {
	if nodes <= 1 {
		return f
	}
	s := Force{max(f.Calls/nodes, 1), f.Burst / nodes}
	if f.Burst > 0 {
		s.Burst = max(s.Burst, 1)
	}
	return s
}

// Capacity is the largest cost that can ever pass.
func (r *Rule) Capacity(f Force) int64 {
	switch {
	case r.kind == leakyBucket:
		return f.Burst + 1
	case r.kind == tokenBucket && f.Burst > 0:
		return f.Burst
	}
	return f.Calls
}

// Room rolls t forward to now, in µs since the epoch, and reports how many
// calls would pass. It is negative while a lowered limit is overdrawn.
func (r *Rule) Room(t *Tally, f Force, now int64) int64 {
	switch r.kind {
	case fixedWindow:
		if n := now / r.size; n > t.at { // a clock that jumped back opens no fresh window
			t.at, t.used, t.before = n, 0, math.MaxInt64
		}
		if t.base != r.Calls { // a new plan may tell more than the old one did
			t.base, t.before = r.Calls, math.MaxInt64
		}
		return f.Calls - t.used
	case slidingWindow:
		r.turn(t, now)
		return f.Calls - t.used - ceilDiv(t.before*(r.ticks-r.elapsed(t, now)), r.ticks)
	case slidingLog:
		t.used -= t.log.expire(now - r.size)
		return f.Calls - t.used
	default:
		r.leak(t, f, now)
		return (r.Capacity(f)*r.ticks - t.used) / r.ticks
	}
}

// Add counts cost after Room has rolled t to now. The caller has seen that
// there is room, or counts what was decided elsewhere.
func (r *Rule) Add(t *Tally, f Force, cost, now int64) {
	switch r.kind {
	case slidingLog:
		if t.log == nil {
			t.log = &history{}
		}
		t.at = max(r.moment(f, now), t.at)
		t.log.add(t.at, cost)
		t.used += cost
	case tokenBucket, leakyBucket:
		t.used += cost * r.ticks
	default:
		t.used += cost
	}
}

// Told is room as it is told to the caller: never negative, and within a fixed
// window never more than was told before, also when the limit in force rises.
func (r *Rule) Told(t *Tally, room int64) int64 {
	room = max(room, 0)
	if r.kind == fixedWindow {
		room = min(room, t.before)
		t.before = room
	}
	return room
}

// Wait is how many µs after now there will be room for cost, at most Capacity,
// if nothing else arrives. It is called after Room said that there is none.
func (r *Rule) Wait(t *Tally, f Force, cost, now int64) int64 {
	switch r.kind {
	case fixedWindow:
		return (t.at+1)*r.size - now
	case slidingWindow:
		start, decays, room := t.at*r.size, t.before, f.Calls-t.used-cost
		if room < 0 { // not before this window has become the one before
			start, decays, room = start+r.size, t.used, f.Calls-cost
		}
		return start + (r.ticks-room*r.ticks/decays)*r.grain - now
	case slidingLog:
		return t.log.freed(t.used+cost-f.Calls) + r.size - now
	default:
		over := t.used + (cost-r.Capacity(f))*r.ticks
		return (t.at+ceilDiv(over, f.Calls))*r.grain - now
	}
}

// Reset is the moment, in µs since the epoch, at which the limit is whole again
// if nothing else arrives; of a fixed window, its end.
func (r *Rule) Reset(t *Tally, f Force, now int64) int64 {
	switch {
	case r.kind == fixedWindow:
		return (t.at + 1) * r.size
	case r.kind == slidingWindow && t.used > 0:
		return (t.at + 2) * r.size
	case r.kind == slidingWindow && t.before > 0:
		return (t.at + 1) * r.size
	case r.kind == slidingLog && t.used > 0:
		return t.at + r.size
	case r.kind >= tokenBucket && t.used > 0:
		return (t.at + ceilDiv(t.used, f.Calls)) * r.grain
	}
	return now
}

// Idle reports whether t has nothing left to remember at now.
func (r *Rule) Idle(t *Tally, now int64) bool {
	if r.Concurrent {
		return t.current == nil || t.current.Load() == 0
	}
	if t.moved != nil && !t.moved.idle(r, now) {
		return false
	}
	if r.kind == fixedWindow {
		return t.at < now/r.size
	}
	return r.Room(t, r.Planned(), now) == r.Capacity(r.Planned())
}

func (r *Rule) turn(t *Tally, now int64) {
	n := now / r.size
	switch {
	case n == t.at+1:
		t.at, t.before, t.used = n, t.used, 0
	case n > t.at:
		t.at, t.before, t.used = n, 0, 0
	}
}

// elapsed is how many ticks of the window have passed.
func (r *Rule) elapsed(t *Tally, now int64) int64 {
	return max(now-t.at*r.size, 0) / r.grain
}

func (r *Rule) leak(t *Tally, f Force, now int64) {
	tick := now / r.grain
	if tick <= t.at {
		return
	}
	if passed := tick - t.at; t.used > 0 {
		if passed > t.used/f.Calls {
			t.used = 0
		} else {
			t.used -= passed * f.Calls
		}
	}
	t.at = tick
}

// moment is when a call at now is logged: of a large limit rounded up, so that
// the log keeps at most logSize moments and never forgets too early.
func (r *Rule) moment(f Force, now int64) int64 {
	if f.Calls <= logSize {
		return now
	}
	step := r.size / logSize
	return ceilDiv(now, step) * step
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
