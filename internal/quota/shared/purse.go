package shared

import (
	"math"
	"sync"
	"time"

	"tollgate/internal/quota"
)

// stripe holds what this gateway has in hand for some callers: all limits of
// one call lie in one stripe.
type stripe struct {
	mu     sync.Mutex
	purses map[purseKey]*purse
}

type purseKey struct {
	rule uint64
	key  quota.Key
}

// purse is what is in hand of one limit, and what Redis last said of it.
type purse struct {
	left    int64
	until   int64 // µs: left may be spent before
	granted int64 // of which left is the rest
	fetched int64 // µs: when anything was last granted
	ask     int64 // for the next slice

	room  int64 // in Redis after the last answer
	reset int64
	force quota.Force

	refused int64 // the weight of a call that Redis refused; 0: none
	said    int64 // µs: when
	passes  int64 // µs: when the same call would pass
	again   int64 // µs: when Redis is asked again
}

// grant is Redis's answer for one limit.
type grant struct {
	ok                         bool
	granted, room, wait, reset int64
	window                     int64
}

// believed is for how long a refusal is repeated without asking again, in µs,
// so that a flood of refused calls costs Redis nothing.
const believed = 1_000_000

// try decides from memory, if that can be done.
func (s *stripe) try(wants []want, c *quota.Call) (d quota.Decision, decided bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enough, least, wait := true, int64(math.MaxInt64), int64(0)
	for i := range wants {
		w := &wants[i]
		p := s.purses[purseKey{w.rule.ID(), w.key}]
		if p == nil {
			enough = false
			continue
		}
		if late := max(p.passes-c.Now, 1); p.refuses(w, c) && late > wait {
			wait = late
			d = refusal(w, p.room, wait, p.reset)
		}
		enough = enough && p.has(c.Now) >= c.Cost
	}
	if wait > 0 {
		return d, true
	}
	if !enough {
		return d, false
	}
	for i := range wants {
		w := &wants[i]
		p := s.purses[purseKey{w.rule.ID(), w.key}]
		p.left -= c.Cost
		if left := p.left + p.room; left < least {
			least = left
			d = quota.Decision{OK: true, Rule: w.rule, Status: w.rule.Status(w.force, left, p.reset)}
		}
	}
	return d, true
}

func refusal(w *want, room, wait, reset int64) quota.Decision {
	d := quota.Decision{Rule: w.rule, Status: w.rule.Status(w.force, room, reset)}
	d.Status.Retry = max((wait+999_999)/1_000_000, 1)
	return d
}

// refuses reports whether Redis lately refused such a call and would do so still.
func (p *purse) refuses(w *want, c *quota.Call) bool {
	return c.Cost == p.refused && p.force == w.force &&
		c.Now >= p.said && c.Now < min(p.again, p.said+believed)
}

// has is what may be spent at now.
func (p *purse) has(now int64) int64 {
	if now >= p.until || now < p.fetched-believed { // a clock that jumped far back spends nothing
		return 0
	}
	return p.left
}

// reserve takes what is in hand for the call, and works out what is missing.
func (s *stripe) reserve(wants []want, c *quota.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range wants {
		w := &wants[i]
		k := purseKey{w.rule.ID(), w.key}
		p := s.purses[k]
		if p == nil {
			p = &purse{ask: 1}
			s.purses[k] = p
		}
		w.taken = min(p.has(c.Now), c.Cost)
		p.left -= w.taken
		w.need = c.Cost - w.taken
		w.ask = w.need
		if w.need > 0 && w.most > c.Cost {
			w.ask = max(w.need, p.next(w, c.Now))
		}
	}
}

// next is how large a slice to ask for. What is not spent of a slice in time is
// lost, but in a window, so it grows only while slices are used up early, and
// shrinks to less than was used of one that lapsed.
func (p *purse) next(w *want, now int64) int64 {
	switch {
	case w.hold == 0, p.left == 0 && now-p.fetched < w.hold/3:
		p.ask = min(2*p.ask+1, w.most)
	case p.left > 0:
		p.ask = min(max((p.granted-p.left)*3/4, 1), w.most)
	}
	return p.ask
}

// settle books the answer: the call is let through, or what was reserved for it
// goes back.
func (s *stripe) settle(wants []want, grants []grant, err error, c *quota.Call) (d quota.Decision, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := err == nil
	for i := range grants {
		ok = ok && (wants[i].need == 0 || grants[i].ok)
	}
	least, wait := int64(math.MaxInt64), int64(-1)
	for i := range wants {
		w := &wants[i]
		p := s.purses[purseKey{w.rule.ID(), w.key}]
		if p == nil { // swept meanwhile: it held nothing
			p = &purse{ask: 1}
			s.purses[purseKey{w.rule.ID(), w.key}] = p
		}
		if !ok {
			p.left += w.taken
		}
		if err != nil {
			continue
		}
		if w.need > 0 {
			p.hear(w, &grants[i], c)
		}
		switch {
		case ok && p.left+p.room < least:
			least = p.left + p.room
			d = quota.Decision{OK: true, Rule: w.rule, Status: w.rule.Status(w.force, least, p.reset)}
		case !ok && w.need > 0 && grants[i].wait != 0 && (grants[i].wait > wait || grants[i].wait < 0):
			wait = grants[i].wait
			if wait < 0 {
				wait = math.MaxInt64
			}
			d = refusal(w, grants[i].room, wait, grants[i].reset)
			if d.Never = grants[i].wait < 0; d.Never {
				d.Status.Retry = 0
			}
		}
	}
	return d, err
}

// hear keeps what Redis said of a limit.
func (p *purse) hear(w *want, g *grant, c *quota.Call) {
	p.room, p.reset, p.force, p.refused = g.room, g.reset, w.force, 0
	if g.wait > 0 && w.taken == 0 {
		p.refused, p.said, p.passes = c.Cost, c.Now, c.Now+g.wait
		p.again = c.Now + w.pause(g.wait)
	}
	if g.granted <= w.need {
		if g.ok {
			p.fetched = c.Now
		}
		return
	}
	size, _, _ := w.rule.Shape()
	if c.Now >= p.until { // what was left has lapsed
		p.left = 0
	}
	p.left += g.granted - w.need
	p.granted, p.fetched, p.until = g.granted, c.Now, c.Now+w.hold
	if w.hold == 0 {
		p.until = (g.window + 1) * size
	}
}

// peek puts what Redis said in place of what this gateway counted alone.
func (l *Limiter) peek(into []quota.Status, set *quota.Set, c *quota.Call) []quota.Status {
	s := &l.stripes[c.Who.Home()%uint64(len(l.stripes))]
	s.mu.Lock()
	defer s.mu.Unlock()
	picks, n := set.For(c.Who.Name), len(into)
	for i := len(picks) - 1; i >= 0; i-- {
		key := picks[i].Key(c.Who)
		for j := len(picks[i].Rules) - 1; j >= 0; j-- {
			n--
			r := picks[i].Rules[j]
			if p := s.purses[purseKey{r.ID(), key}]; !r.Concurrent && p != nil && c.Now < p.reset && p.force.Calls > 0 {
				into[n] = r.Status(p.force, min(p.room+p.has(c.Now), into[n].Remaining), p.reset)
			}
		}
	}
	return into
}

// Sweep goes on through n stripes, of 64, and forgets what has lapsed.
func (l *Limiter) Sweep(now time.Time, n int) {
	at := now.UnixMicro()
	for range n {
		s := &l.stripes[l.swept.Add(1)%uint64(len(l.stripes))]
		s.mu.Lock()
		for k, p := range s.purses {
			if at >= p.until && at >= p.again && at >= p.reset {
				delete(s.purses, k)
			}
		}
		s.mu.Unlock()
	}
}
