package quota

import (
	"math"
	"sync/atomic"
	"time"
)

// Call is what is decided on.
type Call struct {
	Who   *Subject
	Cost  int64 // at least 1; of rates. A call under way counts as one
	Now   int64 // µs since the epoch
	Nodes int64 // gateways that share the rates; 0 or 1: all of it is this one's
	Only  Only
	Rule  *Rule // of Refused
	Asked bool  // the demand of limits that adapt has been noted
}

// Only narrows a decision to a part of the limits.
type Only uint8

// The parts.
const (
	All      Only = iota
	Current       // calls under way
	Recorded      // rates, of a call that was let through elsewhere: counted without asking
	Refused       // none: Rule refused the call elsewhere, which may begin a surge
)

// Decision is the verdict on a call and where its limits stand after it.
type Decision struct {
	OK     bool
	Never  bool   // refused, and waiting does not help: the call weighs more than the limit ever holds
	Rule   *Rule  // the rate with the least remaining, or the limit that refused for longest; nil: no limit applies
	Status Status // of Rule, as it is in force

	held [4]*atomic.Int64
	more []*atomic.Int64
}

// Done gives back the call's place among the calls under way. It must be called
// once the call has ended, if the decision was OK; a second time does nothing.
func (d *Decision) Done() {
	for i, c := range d.held {
		if c != nil {
			c.Add(-1)
			d.held[i] = nil
		}
	}
	for _, c := range d.more {
		c.Add(-1)
	}
	d.more = nil
}

func (d *Decision) hold(c *atomic.Int64) {
	for i := range d.held {
		if d.held[i] == nil {
			d.held[i] = c
			return
		}
	}
	d.more = append(d.more, c)
}

// Hand moves what d holds to another decision on the same call.
func (d *Decision) Hand(to *Decision) {
	to.held, to.more = d.held, d.more
	d.held, d.more = [4]*atomic.Int64{}, nil
}

// Decide lets the call through all of the picks' rules, counted in the books of
// the same index, or counts it in none.
func Decide(picks []Pick, books []*Book, c Call) Decision {
	c.Cost = Weight(c.Cost)
	if c.Only == Refused {
		return rush(picks, books, &c)
	}
	v := verdict{Decision: Decision{OK: true}, least: math.MaxInt64}
	for i := range picks {
		b := books[i]
		b.open(picks[i].Rules)
		for j, r := range picks[i].Rules {
			v.judge(r, b.find(r, j), &c)
		}
	}
	if v.OK {
		v.take(picks, books, &c)
	}
	return v.Decision
}

// Weight is a cost within its bounds.
func Weight(cost int64) int64 { return min(max(cost, 1), MaxCost) }

func rush(picks []Pick, books []*Book, c *Call) Decision {
	for i := range picks {
		if t := books[i].find(c.Rule, 0); t != nil && t.moved != nil && picks[i].scope == scopes[c.Rule.Scope] {
			c.Rule.Rush(t.moved, c.Who.Health, c.Now)
		}
	}
	return Decision{}
}

type verdict struct {
	Decision
	least int64  // remaining, of the rates that let the call through
	wait  int64  // µs, of the rule that refuses for longest
	tally *Tally // of Rule, if it let the call through
	force Force
}

func (v *verdict) judge(r *Rule, t *Tally, c *Call) {
	f := t.force(r, c)
	switch {
	case r.Concurrent && c.Only == Recorded, !r.Concurrent && c.Only == Current:
		return
	case r.Concurrent:
		left := f.Calls - t.current.Load()
		if left < 1 {
			v.refuse(r, f, refusal{wait: 1, reset: c.Now + 1_000_000})
		} else if v.OK && v.Rule == nil { // shown only where there is no rate
			v.Rule, v.tally, v.force = r, t, f
			v.Status = r.Status(f, left-1, c.Now)
		}
		return
	}
	room := r.Room(t, f, c.Now)
	if room < c.Cost && c.Only == All && t.moved != nil && r.Rush(t.moved, c.Who.Health, c.Now) {
		f = t.inForce(r, c)
		room = r.Room(t, f, c.Now)
	}
	if room < c.Cost && c.Only != Recorded {
		no := refusal{remaining: r.Told(t, room), reset: r.Reset(t, f, c.Now)}
		if no.never = c.Cost > r.Capacity(f); !no.never {
			no.wait = r.Wait(t, f, c.Cost, c.Now)
		}
		v.refuse(r, f, no)
	} else if v.OK && (room-c.Cost < v.least || v.Rule == nil || v.Rule.Concurrent) {
		v.least, v.Rule, v.tally, v.force = room-c.Cost, r, t, f
	}
}

type refusal struct {
	remaining   int64
	wait, reset int64 // µs from now, µs since the epoch
	never       bool
}

// refuse keeps the refusal that lasts longest.
func (v *verdict) refuse(r *Rule, f Force, no refusal) {
	if !v.OK && !no.never && (v.Never || no.wait <= v.wait) {
		return
	}
	v.OK, v.Never, v.wait, v.Rule = false, no.never, no.wait, r
	v.Status = r.Status(f, no.remaining, no.reset)
	if !no.never {
		v.Status.Retry = max((no.wait+999_999)/1_000_000, 1)
	}
}

// take counts the call and fills in where it leaves the rule that is shown.
func (v *verdict) take(picks []Pick, books []*Book, c *Call) {
	for i := range picks {
		for j, r := range picks[i].Rules {
			t := books[i].find(r, j)
			switch {
			case r.Concurrent && c.Only == Recorded, !r.Concurrent && c.Only == Current:
			case r.Concurrent:
				t.current.Add(1)
				v.hold(t.current)
			default:
				r.Add(t, t.inForce(r, c), c.Cost, c.Now)
			}
		}
	}
	if v.Rule != nil && !v.Rule.Concurrent {
		told := v.Rule.Told(v.tally, v.least)
		v.Status = v.Rule.Status(v.force, told, v.Rule.Reset(v.tally, v.force, c.Now))
	}
}

// Status is how r stands with f in force, remaining calls and a reset in µs
// since the epoch.
func (r *Rule) Status(f Force, remaining, reset int64) Status {
	s := Status{Limit: f.Calls, Remaining: max(remaining, 0), Window: r.Window, Algorithm: r.Algorithm, Scope: r.Scope, Reset: time.UnixMicro(reset).UTC()}
	if r.Concurrent {
		s.Algorithm, s.Window = "", 0
	}
	return s
}

// Look reports where each rule stands, without counting anything. Rules that
// no call has met yet are whole.
func Look(into []Status, picks []Pick, books []*Book, c Call) []Status {
	for i := range picks {
		books[i].open(picks[i].Rules)
		for j, r := range picks[i].Rules {
			t := books[i].find(r, j)
			f := t.inForce(r, &c)
			if r.Concurrent {
				into = append(into, r.Status(f, f.Calls-t.current.Load(), c.Now))
				continue
			}
			told := r.Told(t, r.Room(t, f, c.Now))
			into = append(into, r.Status(f, told, r.Reset(t, f, c.Now)))
		}
	}
	return into
}

// Forces appends the amounts in force of each rule, in the order of picks, and
// notes the demand of those that adapt.
func Forces(into []Force, picks []Pick, books []*Book, c Call) []Force {
	for i := range picks {
		books[i].open(picks[i].Rules)
		for j, r := range picks[i].Rules {
			into = append(into, books[i].find(r, j).force(r, &c))
		}
	}
	return into
}
