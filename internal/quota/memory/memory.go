// Package memory keeps rate-limit counters in the gateway's own memory.
package memory

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
)

const shards = 64

// Caller is whom a limit counts.
type Caller struct {
	Subscription uuid.UUID
	Test         bool // test calls have counters of their own
}

// Limiter counts calls per caller. The zero value is not ready: use New.
type Limiter struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	callers map[Caller][]counted
}

type counted struct {
	rate    quota.Rate
	counter quota.Counter
}

// New makes an empty limiter.
func New() *Limiter {
	l := &Limiter{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].callers = map[Caller][]counted{}
	}
	return l
}

// Take decides on all rates at once: it consumes one call of each, or none. It
// returns the status of the rate with the least remaining, or of the one that refused.
func (l *Limiter) Take(who Caller, rates []quota.Rate, now time.Time) (quota.Status, bool) {
	s := &l.shards[maphash.Comparable(l.seed, who)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	counters := s.countersFor(who, rates)
	for i := range counters {
		if st := counters[i].rate.Peek(counters[i].counter, now); st.Remaining == 0 {
			return st, false
		}
	}
	var least quota.Status
	for i := range counters {
		st, _ := counters[i].rate.Take(&counters[i].counter, now)
		if i == 0 || st.Remaining < least.Remaining {
			least = st
		}
	}
	return least, true
}

// countersFor keeps the running window's count when a limit changes its number
// of calls, and starts a new count when its window changes.
func (s *shard) countersFor(who Caller, rates []quota.Rate) []counted {
	have := s.callers[who]
	same := len(have) == len(rates)
	for i := 0; same && i < len(rates); i++ {
		same = have[i].rate == rates[i]
	}
	if same {
		return have
	}
	next := make([]counted, len(rates))
	for i, r := range rates {
		next[i].rate = r
		for _, h := range have {
			if h.rate.Window == r.Window {
				next[i].counter = h.counter
			}
		}
	}
	s.callers[who] = next
	return next
}

// Sweep forgets callers whose windows have all passed.
func (l *Limiter) Sweep(now time.Time) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for who, counters := range s.callers {
			over := true
			for _, c := range counters {
				over = over && c.rate.Over(c.counter, now)
			}
			if over {
				delete(s.callers, who)
			}
		}
		s.mu.Unlock()
	}
}

// Peek reports the rate with the least remaining, without consuming.
func (l *Limiter) Peek(who Caller, rates []quota.Rate, now time.Time) quota.Status {
	s := &l.shards[maphash.Comparable(l.seed, who)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	var least quota.Status
	for i, c := range s.countersFor(who, rates) {
		if st := c.rate.Peek(c.counter, now); i == 0 || st.Remaining < least.Remaining {
			least = st
		}
	}
	return least
}
