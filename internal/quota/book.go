package quota

import "sync/atomic"

// Book is what the limits of one scope have counted for one key. The zero value
// is empty. It is not safe for concurrent use.
type Book struct {
	first [2]row // beside each other, and reached without a step between
	more  []row
	n     int
}

type row struct {
	rule  *Rule
	tally Tally
}

// Idle reports whether everything counted has passed, so that b may be forgotten.
func (b *Book) Idle(now int64) bool {
	for i := range b.n {
		if r := b.row(i); !r.rule.Idle(&r.tally, now) {
			return false
		}
	}
	return true
}

// open makes sure that every rule has its row. A rule whose amounts changed
// finds what was counted before; what belongs to no rule any more stays until
// it is idle, since other subscriptions may still count in it.
func (b *Book) open(rules []*Rule) {
	for j, r := range rules {
		if b.find(r, j) != nil {
			continue
		}
		n := row{rule: r}
		if r.Concurrent {
			n.tally.current = &atomic.Int64{}
		}
		if r.Adapts() {
			n.tally.moved = &Moved{}
		}
		if b.n >= len(b.first) {
			b.more = append(b.more, row{})
		}
		b.n++
		*b.row(b.n - 1) = n
	}
}

func (b *Book) find(r *Rule, hint int) *Tally {
	if hint < b.n {
		if row := b.row(hint); row.rule == r {
			return &row.tally
		}
	}
	for i := range b.n {
		if row := b.row(i); row.rule == r || row.rule.id == r.id {
			row.rule = r
			if r.Adapts() && row.tally.moved == nil {
				row.tally.moved = &Moved{}
			}
			return &row.tally
		}
	}
	return nil
}

func (b *Book) row(i int) *row {
	if i < len(b.first) {
		return &b.first[i]
	}
	return &b.more[i-len(b.first)]
}

// Adapts reports whether the limit moves with time, demand or the upstream's health.
func (r *Rule) Adapts() bool {
	return len(r.slots) > 0 || r.Adapt.Surge.Percent > 0 || r.Adapt.Shrink.Percent > 0
}

// force is the amounts in force for c; it notes the demand.
func (t *Tally) force(r *Rule, c *Call) Force {
	if t.moved == nil || !r.Adapts() {
		return r.Planned().Share(c.Nodes)
	}
	if !r.Concurrent && c.Only == All && !c.Asked {
		r.Ask(t.moved, c.Cost, c.Now)
	}
	return t.inForce(r, c)
}

func (t *Tally) inForce(r *Rule, c *Call) Force {
	if t.moved == nil || !r.Adapts() {
		return r.Planned().Share(c.Nodes)
	}
	return r.Planned().Moved(r.Percent(t.moved, c.Who.Zone, c.Who.Health, c.Now)).Share(c.Nodes)
}
