package upstream

import (
	"net/url"
	"sync"
	"time"
)

// Outcome is what became of a call, as far as its target is to blame.
type Outcome uint8

// The outcomes.
const (
	Success     Outcome = iota // the target answered
	Failure                    // no connection, a timeout, a broken answer, or a status for which Failed is true
	ClientFault                // the client broke off or sent something broken: says nothing about the target
)

// Failed reports whether a status speaks against the target: any 5xx but those
// that are about the request (501, 505).
func Failed(status int) bool { return status >= 500 && status != 501 && status != 505 }

// Group is the targets of one upstream with their state. It is safe for
// concurrent use. Times are real and should carry a monotonic reading.
type Group struct {
	base time.Time // moments are kept as nanoseconds since

	mu      sync.Mutex
	policy  Policy // with defaults
	members []*Member
	tokens  int64 // of the retry budget, in hundredths of a repeat
}

// Member is a target with its state.
type Member struct {
	URL *url.URL // never changes

	// Guarded by the group's mutex.
	raw       string
	weight    int
	turn      int // of the smooth weighted round robin
	underway  int
	failures  int   // calls in a row
	ejected   int64 // until then
	down      bool  // by active checks
	good, bad int   // checks in a row
	checked   int64 // when the next check is due
	breaker   breaker
}

// Call is one call of a target: got from Pick, given back to Report, once.
type Call struct {
	Member *Member
	probe  uint32 // number of the breaker's probe; 0: none
}

// NewGroup makes a group whose targets are taken to be well. base is any moment
// that has passed. There must be at least one target, each as ParseTarget reads.
func NewGroup(base time.Time, targets []Target, policy Policy) (*Group, error) {
	g := &Group{base: base, tokens: maxTokens}
	return g, g.Update(targets, policy)
}

// Update puts other targets and another policy in place. Targets whose address
// stays keep their state. On an error nothing changes.
func (g *Group) Update(targets []Target, policy Policy) error {
	parsed := make([]*url.URL, len(targets))
	for i, t := range targets {
		u, err := ParseTarget(t.URL)
		if err != nil {
			return err
		}
		parsed[i] = u
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.policy = policy.WithDefaults()
	have := map[string]*Member{}
	for _, m := range g.members {
		have[m.raw] = m
	}
	g.members = make([]*Member, 0, len(targets))
	for i, t := range targets {
		m := have[t.URL]
		if m == nil {
			m = &Member{URL: parsed[i], raw: t.URL}
		}
		delete(have, t.URL) // the same address twice is two members
		m.weight = min(max(t.Weight, 1), 1000)
		if width := int64(g.policy.Breaker.Window) / buckets; m.breaker.window.width != width {
			m.breaker.window = window{width: width}
		}
		g.members = append(g.members, m)
	}
	return nil
}

// Policy is how the group's targets are called, defaults filled in.
func (g *Group) Policy() Policy {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.policy
}

// Pick chooses a target for a call at now: one that is neither ejected nor
// broken, if there is one; else an ejected one. ok is false when every
// breaker is open: the caller answers 503 at once. A repeat names the target
// that failed, and gets another if there is one. The caller reports each call.
func (g *Group) Pick(now time.Time, failed *Member) (c Call, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.moment(now)
	if failed == nil {
		g.tokens = min(g.tokens+int64(g.policy.Retry.Budget), maxTokens)
	}
	m := g.choose(at, failed, false)
	if m == nil {
		m = g.choose(at, failed, true)
	}
	if m == nil && failed != nil {
		if failed.breaker.admits(at) && g.has(failed) {
			m = failed
		}
	}
	if m == nil {
		return Call{}, false
	}
	m.underway++
	return Call{Member: m, probe: m.breaker.admit(at)}, true
}

func (g *Group) has(m *Member) bool {
	for _, other := range g.members {
		if other == m {
			return true
		}
	}
	return false
}

// choose finds the best member that may be called, of the well ones or of all.
func (g *Group) choose(at int64, failed *Member, all bool) (best *Member) {
	total := 0
	least := g.policy.Balance == LeastRequests
	for _, m := range g.members {
		if m == failed || (!all && !m.well(at)) || !m.breaker.admits(at) {
			continue
		}
		total += m.weight
		m.turn += m.weight
		if best == nil || m.before(best, least) {
			best = m
		}
	}
	if best != nil {
		best.turn -= total
	}
	return best
}

// before reports whether m is to be called rather than other. Turns decide
// between targets that are equally busy.
func (m *Member) before(other *Member, least bool) bool {
	if least {
		if mine, theirs := m.underway*other.weight, other.underway*m.weight; mine != theirs {
			return mine < theirs
		}
	}
	return m.turn > other.turn
}

// well reports whether a member is neither ejected nor down.
func (m *Member) well(at int64) bool { return !m.down && m.ejected <= at }

// Report says what became of a call. firstByte is how long the answer took to
// begin; 0 when there was none.
func (g *Group) Report(c Call, o Outcome, firstByte time.Duration, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, m := g.moment(now), c.Member
	m.underway--
	m.breaker.report(c.probe, o, firstByte, at, g.policy.Breaker)
	switch o {
	case Success:
		m.failures = 0
	case Failure:
		m.failures++
		if limit := g.policy.Passive.Failures; limit > 0 && m.failures >= limit && g.spare(m, at) {
			m.ejected = at + int64(g.policy.Passive.Eject)
			m.failures = 0
		}
	case ClientFault:
	}
}

// spare reports whether others than m are well: the last one is never ejected.
func (g *Group) spare(m *Member, at int64) bool {
	for _, other := range g.members {
		if other != m && other.well(at) {
			return true
		}
	}
	return false
}

// moment is now as nanoseconds since the group's base, never negative.
func (g *Group) moment(now time.Time) int64 { return max(int64(now.Sub(g.base)), 0) + 1 }
