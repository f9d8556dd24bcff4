package upstream

import "time"

// State is how a target stands.
type State string

// The states.
const (
	Healthy  State = "healthy"
	Ejected  State = "ejected"   // by failed calls
	Down     State = "down"      // by failed checks
	Open     State = "open"      // its breaker is open
	HalfOpen State = "half_open" // a probe may go, or is under way
)

// Status is how a target stands at a moment.
type Status struct {
	URL       string        `json:"url"`
	Weight    int           `json:"weight"`
	State     State         `json:"state"`
	For       time.Duration `json:"for,omitempty"` // that an ejection or an open breaker still lasts
	Underway  int           `json:"underway"`
	Calls     int           `json:"calls"` // within the breaker's window
	Failures  int           `json:"failures"`
	FirstByte time.Duration `json:"first_byte"` // mean within the window; 0: no answers
}

// Status reports the targets in their order.
func (g *Group) Status(now time.Time) []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.moment(now)
	out := make([]Status, len(g.members))
	for i, m := range g.members {
		s := m.breaker.window.sum(at)
		out[i] = Status{URL: m.raw, Weight: m.weight, State: Healthy, Underway: m.underway, Calls: int(s.calls), Failures: int(s.failures), FirstByte: mean(s)}
		switch {
		case m.breaker.open > at:
			out[i].State, out[i].For = Open, time.Duration(m.breaker.open-at)
		case m.breaker.open > 0:
			out[i].State = HalfOpen
		case m.down:
			out[i].State = Down
		case m.ejected > at:
			out[i].State, out[i].For = Ejected, time.Duration(m.ejected-at)
		}
	}
	return out
}

// Health is how all targets of a group did within the breaker's window.
type Health struct {
	Calls     int
	Errors    int           // per cent of Calls that failed
	FirstByte time.Duration // mean; 0: no answers
	Well      bool          // every target is healthy
}

// Health sums the targets up, for limits that adapt.
func (g *Group) Health(now time.Time) (h Health) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.moment(now)
	var all bucket
	h.Well = true
	for _, m := range g.members {
		s := m.breaker.window.sum(at)
		all.calls += s.calls
		all.failures += s.failures
		all.answered += s.answered
		all.firstByte += s.firstByte
		h.Well = h.Well && m.well(at) && m.breaker.open == 0
	}
	h.Calls, h.FirstByte = int(all.calls), mean(all)
	if all.calls > 0 {
		h.Errors = int(all.failures) * 100 / int(all.calls)
	}
	return h
}

func mean(b bucket) time.Duration {
	if b.answered == 0 {
		return 0
	}
	return b.firstByte / time.Duration(b.answered)
}

// Check is an active check that is due.
type Check struct {
	Group  *Group
	Member *Member
	Active Active // with defaults
}

// Due takes the checks that are due at now; each is due again after its interval.
func (g *Group) Due(now time.Time) (due []Check) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.policy.Active.Path == "" {
		for _, m := range g.members {
			m.down, m.good, m.bad = false, 0, 0 // checks were turned off
		}
		return nil
	}
	at := g.moment(now)
	for _, m := range g.members {
		if m.checked <= at {
			m.checked = at + int64(g.policy.Active.Every)
			due = append(due, Check{g, m, g.policy.Active})
		}
	}
	return due
}

// Checked says how an active check went. The last target that is well stays in,
// whatever its checks say.
func (g *Group) Checked(m *Member, ok bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.policy.Active
	if ok {
		m.good, m.bad = m.good+1, 0
		if m.down && m.good >= p.Healthy {
			m.down = false
		}
		return
	}
	m.good, m.bad = 0, m.bad+1
	if m.bad >= p.Unhealthy && g.spare(m, g.moment(now)) {
		m.down = true
	}
}
