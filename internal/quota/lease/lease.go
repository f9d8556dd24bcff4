// Package lease spends quotas from slices that Postgres grants: what all
// gateways hold together never exceeds the quota, and a call does not wait for
// the database unless its gateway holds nothing at all.
package lease

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
)

// Account is one quota of one subscription in one billing period.
type Account struct {
	Subscription uuid.UUID
	Start, End   time.Time
}

// Grant is a slice taken from an account.
type Grant struct {
	Lease int64
	Calls int64 // 0: nothing is left
	Left  int64 // of the quota, not granted to anybody
}

// Store grants slices, atomically across gateways.
type Store interface {
	Take(ctx context.Context, a Account, total int64) (Grant, error)
}

// Outcome of asking for one call.
type Outcome int

// The outcomes: Spent, or why not.
const (
	Spent       Outcome = iota
	Exhausted           // the quota is used up
	Unavailable         // nothing in hand, and the store did not answer in time
)

// answerHolds is for how long an answer of the store is believed without asking
// again, so that calls over an exhausted quota, or without a database, do not
// each cost a round trip.
const answerHolds = time.Second

// Wallet holds this gateway's slices.
type Wallet struct {
	store Store
	wait  time.Duration
	now   func() time.Time // real time

	mu    sync.Mutex
	purse map[purseKey]*purse
}

// purseKey is one quota in one period. Calls that arrived before a period's end
// and are still under way spend from its purse, not from the next one's.
type purseKey struct {
	subscription uuid.UUID
	start        int64
}

// purse is what is in hand for one account.
type purse struct {
	account  Account
	slices   []slice
	inHand   int64 // in all slices
	size     int64 // of the last slice
	left     int64 // not granted to anybody, as last heard
	heard    bool  // the store has answered at least once
	fetching chan struct{}
	refusal  Outcome   // what the last answer means for a call with nothing in hand
	until    time.Time // and for how long
}

type slice struct{ lease, calls int64 }

// New makes an empty wallet; a call with nothing in hand waits for the store for
// at most wait.
func New(store Store, wait time.Duration, now func() time.Time) *Wallet {
	return &Wallet{store: store, wait: wait, now: now, purse: map[purseKey]*purse{}}
}

// Quota is how many calls an account has, and whether it blocks.
type Quota struct {
	Calls int64
	Hard  bool
}

// Spend takes one call of a's quota. It returns the lease that it came from. A
// call of a soft quota goes on whatever the outcome, so it does not wait where
// nothing was left.
func (w *Wallet) Spend(ctx context.Context, a Account, q Quota) (lease int64, st quota.Status, out Outcome) {
	var deadline <-chan time.Time
	for {
		lease, st, out, fetched := w.try(a, q)
		if fetched == nil {
			return lease, st, out
		}
		if deadline == nil {
			deadline = time.After(w.wait)
		}
		select {
		case <-fetched:
		case <-deadline:
			w.silent(a)
			return 0, st, Unavailable
		case <-ctx.Done():
			return 0, st, Unavailable
		}
	}
}

// try takes one call from what is in hand. Otherwise it says why not, or what
// to wait for.
func (w *Wallet) try(a Account, q Quota) (lease int64, st quota.Status, out Outcome, fetched <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.purseOf(a)
	if lease, ok := p.take(); ok {
		if p.inHand < p.size/2 && p.left > 0 {
			w.fetch(p, q.Calls)
		}
		return lease, p.status(q.Calls), Spent, nil
	}
	if w.now().Before(p.until) {
		return 0, p.status(q.Calls), p.refusal, nil
	}
	fetched = w.fetch(p, q.Calls)
	if !q.Hard && p.heard && p.left == 0 {
		return 0, p.status(q.Calls), Exhausted, nil
	}
	return 0, p.status(q.Calls), Unavailable, fetched
}

// silent notes that the store does not answer, so that the next calls need not wait as long.
func (w *Wallet) silent(a Account) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.purseOf(a)
	p.refusal, p.until = Unavailable, w.now().Add(answerHolds)
}

// Peek reports what is left without consuming.
func (w *Wallet) Peek(a Account, total int64) quota.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.purse[keyOf(a)]; p != nil && p.heard {
		return p.status(total)
	}
	return quota.Status{Limit: total, Remaining: total, Reset: a.End}
}

// Return puts a call back: it was not forwarded after all.
func (w *Wallet) Return(a Account, lease int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.purse[keyOf(a)]; p != nil {
		p.put(lease, 1)
	}
}

// Sweep forgets accounts whose period has ended at least an hour before now.
// What they hold is settled with the leases.
func (w *Wallet) Sweep(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, p := range w.purse {
		if p.account.End.Add(time.Hour).Before(now) {
			delete(w.purse, key)
		}
	}
}

func keyOf(a Account) purseKey { return purseKey{a.Subscription, a.Start.UnixNano()} }

func (w *Wallet) purseOf(a Account) *purse {
	p := w.purse[keyOf(a)]
	if p == nil {
		p = &purse{account: a}
		w.purse[keyOf(a)] = p
	}
	return p
}

// fetch asks the store for a slice, once at a time; the channel closes when it
// has answered. The caller holds w.mu.
func (w *Wallet) fetch(p *purse, total int64) <-chan struct{} {
	if p.fetching != nil {
		return p.fetching
	}
	done := make(chan struct{})
	p.fetching = done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		g, err := w.store.Take(ctx, p.account, total)
		w.mu.Lock()
		defer w.mu.Unlock()
		p.answer(g, err, w.now())
		p.fetching = nil
		close(done)
	}()
	return done
}

// answer takes in what the store said.
func (p *purse) answer(g Grant, err error, now time.Time) {
	if err != nil {
		p.refusal, p.until = Unavailable, now.Add(answerHolds)
		return
	}
	p.heard, p.left, p.size = true, g.Left, max(g.Calls, 1)
	p.until = time.Time{}
	if g.Calls > 0 {
		p.put(g.Lease, g.Calls)
	} else {
		p.refusal, p.until = Exhausted, now.Add(answerHolds)
	}
}

func (p *purse) put(lease, calls int64) {
	p.inHand += calls
	for i := range p.slices {
		if p.slices[i].lease == lease {
			p.slices[i].calls += calls
			return
		}
	}
	p.slices = append(p.slices, slice{lease, calls})
}

func (p *purse) take() (lease int64, ok bool) {
	for len(p.slices) > 0 {
		if s := &p.slices[0]; s.calls > 0 {
			s.calls--
			p.inHand--
			return s.lease, true
		}
		p.slices = p.slices[1:]
	}
	return 0, false
}

func (p *purse) status(total int64) quota.Status {
	return quota.Status{Limit: total, Remaining: max(min(p.left+p.inHand, total), 0), Reset: p.account.End}
}
