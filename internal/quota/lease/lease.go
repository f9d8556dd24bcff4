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

// Wallet holds this gateway's slices.
type Wallet struct {
	store Store
	wait  time.Duration

	mu    sync.Mutex
	purse map[uuid.UUID]*purse
}

// purse is what is in hand for one subscription's present period.
type purse struct {
	account  Account
	slices   []slice
	size     int64 // of the last slice
	left     int64 // not granted to anybody, as last heard
	fetching chan struct{}
	failed   bool
}

type slice struct{ lease, calls int64 }

// New makes an empty wallet; a call with nothing in hand waits for the store for at most wait.
func New(store Store, wait time.Duration) *Wallet {
	return &Wallet{store: store, wait: wait, purse: map[uuid.UUID]*purse{}}
}

// Spend takes one call of a's total. It returns the lease that it came from.
func (w *Wallet) Spend(ctx context.Context, a Account, total int64) (lease int64, st quota.Status, out Outcome) {
	var deadline <-chan time.Time
	for {
		w.mu.Lock()
		p := w.purseOf(a)
		if lease, ok := p.take(); ok {
			if p.inHand() < p.size/2 && p.left > 0 {
				w.fetch(p, total)
			}
			st := p.status(total)
			w.mu.Unlock()
			return lease, st, Spent
		}
		if p.size != 0 && p.left == 0 && p.fetching == nil { // the store has said that nothing is left
			p.size = 0 // so that the next call asks again: a slice may have been given back
			st := p.status(total)
			w.mu.Unlock()
			return 0, st, Exhausted
		}
		fetched := w.fetch(p, total)
		w.mu.Unlock()
		if deadline == nil {
			deadline = time.After(w.wait)
		}
		select {
		case <-fetched:
			if st, out, decided := w.afterFetch(p, total); decided {
				return 0, st, out
			}
		case <-deadline:
			return 0, w.statusOf(p, total), Unavailable
		case <-ctx.Done():
			return 0, w.statusOf(p, total), Unavailable
		}
	}
}

// afterFetch decides for a call that waited in vain.
func (w *Wallet) afterFetch(p *purse, total int64) (quota.Status, Outcome, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case p.failed:
		return p.status(total), Unavailable, true
	case p.inHand() == 0 && p.left == 0:
		return p.status(total), Exhausted, true
	}
	return quota.Status{}, Spent, false
}

// Peek reports what is left without consuming.
func (w *Wallet) Peek(a Account, total int64) quota.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.purse[a.Subscription]; p != nil && p.account.Start.Equal(a.Start) && p.size != 0 {
		return p.status(total)
	}
	return quota.Status{Limit: total, Remaining: total, Reset: a.End}
}

// Return puts a call back: it was not forwarded after all.
func (w *Wallet) Return(a Account, lease int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.purse[a.Subscription]; p != nil && p.account.Start.Equal(a.Start) {
		p.slices = append(p.slices, slice{lease, 1})
	}
}

func (w *Wallet) statusOf(p *purse, total int64) quota.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.status(total)
}

// purseOf starts a fresh purse when the billing period has changed.
func (w *Wallet) purseOf(a Account) *purse {
	p := w.purse[a.Subscription]
	if p == nil || !p.account.Start.Equal(a.Start) {
		p = &purse{account: a}
		w.purse[a.Subscription] = p
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
		p.failed = err != nil
		if err == nil {
			p.left = g.Left
			p.size = max(g.Calls, 1)
			if g.Calls > 0 {
				p.slices = append(p.slices, slice{g.Lease, g.Calls})
			}
		}
		p.fetching = nil
		close(done)
	}()
	return done
}

func (p *purse) take() (lease int64, ok bool) {
	for len(p.slices) > 0 {
		if s := &p.slices[0]; s.calls > 0 {
			s.calls--
			return s.lease, true
		}
		p.slices = p.slices[1:]
	}
	return 0, false
}

func (p *purse) inHand() (n int64) {
	for _, s := range p.slices {
		n += s.calls
	}
	return n
}

func (p *purse) status(total int64) quota.Status {
	return quota.Status{Limit: total, Remaining: max(min(p.left+p.inHand(), total), 0), Reset: p.account.End}
}
