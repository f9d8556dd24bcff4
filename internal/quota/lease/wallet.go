package lease

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
)

// Wallet holds this gateway's slices.
type Wallet struct {
	store Store
	wait  time.Duration
	now   func() time.Time // real time, monotonic

	giving sync.Mutex // one GiveBack at a time

	mu    sync.Mutex
	purse map[purseKey]*purse
	ended map[int64]*slice // not to be spent any more, and not settled as far as is known
}

// purseKey is one quota in one period. Calls that arrived before a period's end
// and are still under way spend from its purse, not from the next one's.
type purseKey struct {
	subscription uuid.UUID
	start        int64
}

// New makes an empty wallet; a call with nothing in hand waits for the store for
// at most wait. now should read the monotonic clock.
func New(store Store, wait time.Duration, now func() time.Time) *Wallet {
	return &Wallet{store: store, wait: wait, now: now, purse: map[purseKey]*purse{}, ended: map[int64]*slice{}}
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
	p, now := w.purseOf(a), w.now()
	p.resize(q.Calls)
	w.retire(p, now)
	if lease, ok := p.take(); ok {
		if p.left > 0 && !now.Before(p.until) && p.lasting(now.Add(renewal)) < p.size/2 {
			w.fetch(p, q.Calls)
		}
		return lease, p.status(q.Calls), Spent, nil
	}
	if now.Before(p.until) {
		return 0, p.status(q.Calls), p.refusal, nil
	}
	fetched = w.fetch(p, q.Calls)
	if !q.Hard && p.heard && p.left+p.owed == 0 {
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
		p.resize(total)
		return p.status(total)
	}
	return quota.Status{Limit: total, Remaining: total, Reset: a.End}
}

// Return puts a call back: it was not forwarded after all. Of a lease that has
// ended it goes back to the store.
func (w *Wallet) Return(a Account, lease int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.purse[keyOf(a)]
	if p != nil && p.put(lease) {
		return
	}
	s := w.ended[lease]
	if s == nil {
		return // written off
	}
	s.calls++
	switch {
	case p == nil:
	case s.good(w.now()):
		delete(w.ended, lease)
		p.slices = append(p.slices, *s)
		p.inHand += s.calls
	default:
		p.owed++
	}
}

// Sweep forgets accounts whose period ended at least an hour before the business
// time now, or that nobody spends from any more, and notes which leases have
// ended. GiveBack tells the store.
func (w *Wallet) Sweep(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	steady := w.now()
	for key, p := range w.purse {
		w.retire(p, steady)
		p.gone = p.account.End.Add(time.Hour).Before(now)
		if p.gone {
			for i := range p.slices {
				p.slices[i].until = time.Time{}
			}
			w.retire(p, steady)
		}
		if p.gone = p.gone || p.idle(steady); p.gone {
			delete(w.purse, key)
		}
	}
}

// GiveBack returns what is left of ended leases to the store. It is safe to repeat.
func (w *Wallet) GiveBack(ctx context.Context) error {
	w.giving.Lock()
	defer w.giving.Unlock()
	w.mu.Lock()
	told := make([]Ended, 0, len(w.ended))
	for id, s := range w.ended {
		told = append(told, Ended{Lease: id, Kept: s.granted - s.calls})
	}
	w.mu.Unlock()
	if len(told) == 0 {
		return nil
	}
	ids, err := w.store.GiveBack(ctx, told)
	if err != nil {
		return err
	}
	open := make(map[int64]bool, len(ids))
	for _, id := range ids {
		open[id] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range told {
		w.givenBack(e, open[e.Lease])
	}
	return nil
}

// givenBack takes in that the store knows of an end. What is open is told again:
// a call of it that is under way may yet be returned.
func (w *Wallet) givenBack(e Ended, open bool) {
	s := w.ended[e.Lease]
	if s == nil {
		return // active again
	}
	back := s.granted - e.Kept
	if p := w.purse[s.purse]; p != nil && !s.good(w.now()) {
		p.owed -= min(back, p.owed)
		p.left += back
	}
	s.granted, s.calls = e.Kept, s.calls-back
	if !open || w.now().After(s.until.Add(Lifetime)) {
		delete(w.ended, e.Lease)
	}
}

func keyOf(a Account) purseKey { return purseKey{a.Subscription, a.Start.UnixNano()} }

func (w *Wallet) purseOf(a Account) *purse {
	if p, ok := a.Seat.Kept().(*purse); ok && p.of == w && p.account.same(a) && !p.gone {
		return p
	}
	p := w.purse[keyOf(a)]
	if p == nil {
		p = &purse{of: w, account: Account{Subscription: a.Subscription, Start: a.Start, End: a.End}}
		w.purse[keyOf(a)] = p
	}
	a.Seat.Keep(p)
	return p
}

// retire takes slices that are used up or too old out of a purse, from the
// oldest on. The caller holds w.mu.
func (w *Wallet) retire(p *purse, now time.Time) {
	for len(p.slices) > 0 {
		first := &p.slices[0]
		good := first.good(now)
		if good && first.calls > 0 {
			return
		}
		s := *first
		p.slices = p.slices[1:]
		p.inHand -= s.calls
		if !good {
			p.owed += s.calls
		}
		w.ended[s.lease] = &s
	}
}

// fetch asks the store for a slice, once at a time; the channel closes when it
// has answered. What ended slices left goes back first. The caller holds w.mu.
func (w *Wallet) fetch(p *purse, total int64) <-chan struct{} {
	if p.fetching != nil {
		return p.fetching
	}
	done := make(chan struct{})
	p.fetching = done
	asked, owes := w.now(), p.owed > 0
	want := p.wants(asked)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		var g Grant
		var err error
		if owes {
			err = w.GiveBack(ctx)
		}
		if err == nil {
			g, err = w.store.Take(ctx, p.account, total, want)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		p.answer(g, total, err, asked, w.now())
		p.fetching = nil
		close(done)
	}()
	return done
}
