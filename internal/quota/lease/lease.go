// Package lease spends quotas from slices that Postgres grants: what all
// gateways hold together never exceeds the quota, and a call does not wait for
// the database unless its gateway holds nothing at all.
package lease

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
)

// Lifetime is how long a lease is good for. Nobody but its gateway may touch it
// before.
const Lifetime = time.Hour

// margin is how long before its end a gateway stops spending a lease, so that
// clocks which run at different speeds do no harm.
const margin = 5 * time.Minute

// renewal is how long before that a gateway looks for the next slice.
const renewal = 5 * time.Minute

// outlast is how long a slice should last at the present rate of calls: the
// next is asked for at half of it, which leaves the database time to restart.
const outlast = time.Minute

// Account is one quota of one subscription in one period.
type Account struct {
	Subscription uuid.UUID
	Start, End   time.Time
	Seat         *quota.Seat // of the subscription, if there is one
}

func (a *Account) same(b Account) bool {
	return a.Subscription == b.Subscription && a.Start.Equal(b.Start)
}

// Grant is a slice taken from an account.
type Grant struct {
	Lease int64
	Calls int64 // 0: nothing is left
	Left  int64 // of the quota, not granted to anybody
}

// Ended is a lease that its gateway spends no more.
type Ended struct {
	Lease int64
	Kept  int64 // calls of it that were let through
}

// Store grants slices, atomically across gateways, and takes back what is left
// of them. It may be told of the same end again; open are those leases of which
// not all kept calls have been metered yet.
type Store interface {
	Take(ctx context.Context, a Account, total, want int64) (Grant, error)
	GiveBack(ctx context.Context, ended []Ended) (open []int64, err error)
}

// Outcome of asking for one call.
type Outcome int

// The outcomes: Spent, or why not.
const (
	Spent       Outcome = iota
	Exhausted           // the quota is used up
	Unavailable         // nothing in hand, and the store did not answer in time
)

// idleAfter is how long an account is remembered that nobody spends from.
const idleAfter = 31 * 24 * time.Hour

// answerHolds is for how long an answer of the store is believed without asking
// again, so that calls over an exhausted quota, or without a database, do not
// each cost a round trip.
const answerHolds = time.Second

// Quota is how many calls an account has, and whether it blocks.
type Quota struct {
	Calls int64
	Hard  bool
}
