// Package clock is business time: what subscriptions, periods, invoices and
// limits go by. In production it is real time. Demo mode and tests may move it
// forward, in the way of Stripe's test clocks; it never goes back.
package clock

import (
	"context"
	"sync/atomic"
	"time"
)

// Clock tells business time in UTC. The zero value is not ready: use New or Fixed.
type Clock struct {
	base   func() time.Time
	offset atomic.Int64 // nanoseconds ahead of base
}

// New is a clock that runs with real time.
func New() *Clock { return &Clock{base: time.Now} }

// Fixed is a clock for tests that stands at t until it is moved.
func Fixed(t time.Time) *Clock { return &Clock{base: func() time.Time { return t }} }

// Now is the present business time, in UTC.
func (c *Clock) Now() time.Time { return c.base().Add(time.Duration(c.offset.Load())).UTC() }

// Real is the present real time in UTC, for what business time must not move:
// sessions, log lines, durations.
func (c *Clock) Real() time.Time { return c.base().UTC() }

// Steady is the present real time with the reading of the machine's monotonic
// clock, for how long ago something was: a clock that is set does not change that.
func (c *Clock) Steady() time.Time { return c.base() }

// Offset is how far business time runs ahead of real time.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// MoveTo sets how far business time runs ahead; a smaller offset is ignored,
// because business time never goes back.
func (c *Clock) MoveTo(offset time.Duration) {
	for {
		old := c.offset.Load()
		if int64(offset) <= old || c.offset.CompareAndSwap(old, int64(offset)) {
			return
		}
	}
}

// Follow keeps c at the offset that load reports until ctx ends. A failed load
// leaves the clock as it is.
func (c *Clock) Follow(ctx context.Context, every time.Duration, load func(context.Context) (time.Duration, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if offset, err := load(ctx); err == nil {
			c.MoveTo(offset)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Zone is the time zone of an IANA name; an unknown one is UTC.
func Zone(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	return time.UTC
}
