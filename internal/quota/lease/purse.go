package lease

import (
	"time"

	"tollgate/internal/quota"
)

// purse is what is in hand for one account. What each call looks at comes first,
// side by side.
type purse struct {
	slices   []slice   // oldest first
	inHand   int64     // in all slices
	owed     int64     // of ended slices, on the way back to the store
	left     int64     // not granted to anybody, as last heard
	total    int64     // of the quota, when that was heard
	size     int64     // of the last slice
	until    time.Time // for how long refusal holds
	spent    int64     // since the last slice was asked for
	refusal  Outcome   // what the last answer means for a call with nothing in hand
	heard    bool      // the store has answered at least once
	gone     bool      // the wallet has forgotten it
	of       *Wallet
	account  Account
	fetching chan struct{}
	since    time.Time // when the last slice was asked for
}

// slice is a lease in hand.
type slice struct {
	lease   int64
	calls   int64     // not spent
	until   time.Time // it may be spent before
	granted int64
	purse   purseKey
}

// good reports whether a slice may still be spent, by the monotonic clock and by
// the wall's: the first stands still while the machine sleeps.
func (s *slice) good(now time.Time) bool {
	return now.Before(s.until) && now.UnixNano() < s.until.UnixNano()
}

// answer takes in what the store said.
func (p *purse) answer(g Grant, total int64, err error, asked, now time.Time) {
	if err != nil {
		p.refusal, p.until = Unavailable, now.Add(answerHolds)
		return
	}
	p.heard, p.left, p.total, p.size = true, g.Left, total, max(g.Calls, 1)
	p.until = time.Time{}
	if g.Calls == 0 {
		p.refusal, p.until = Exhausted, now.Add(answerHolds)
		return
	}
	p.slices = append(p.slices, slice{lease: g.Lease, purse: keyOf(p.account), granted: g.Calls, calls: g.Calls, until: asked.Add(Lifetime - margin)})
	p.inHand += g.Calls
}

// resize takes in that the quota has another total by now. What was added is
// asked for at once, also where nothing was left a moment ago.
func (p *purse) resize(total int64) {
	if !p.heard || p.total == total {
		return
	}
	if total > p.total && p.refusal == Exhausted {
		p.until = time.Time{}
	}
	p.left, p.total = max(p.left+total-p.total, 0), total
}

// idle reports whether nothing is in hand or on its way, and nothing was asked
// for in as long as a quota's period may last.
func (p *purse) idle(now time.Time) bool {
	return len(p.slices) == 0 && p.owed == 0 && p.fetching == nil && now.Sub(p.since) > idleAfter
}

// put returns a call to a slice in hand.
func (p *purse) put(lease int64) bool {
	for i := range p.slices {
		if p.slices[i].lease == lease {
			p.slices[i].calls++
			p.inHand++
			return true
		}
	}
	return false
}

// take spends a call of the oldest slice.
func (p *purse) take() (lease int64, ok bool) {
	if len(p.slices) == 0 {
		return 0, false
	}
	s := &p.slices[0]
	s.calls--
	p.inHand--
	p.spent++
	return s.lease, true
}

// lasting are the calls in hand that may be spent at a later time as well.
func (p *purse) lasting(then time.Time) (calls int64) {
	for i := range p.slices {
		if then.Before(p.slices[i].until) {
			calls += p.slices[i].calls
		}
	}
	return calls
}

// wants is how many calls last for as long as a slice should, at the rate since
// the last slice was asked for.
func (p *purse) wants(now time.Time) (calls int64) {
	if !p.since.IsZero() {
		calls = int64(float64(p.spent) / max(now.Sub(p.since), time.Second).Seconds() * outlast.Seconds())
	}
	p.spent, p.since = 0, now
	return calls
}

func (p *purse) status(total int64) quota.Status {
	return quota.Status{Limit: total, Remaining: max(min(p.left+p.inHand+p.owed, total), 0), Reset: p.account.End}
}
