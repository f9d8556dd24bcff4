package lease_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/quota/lease"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func store(p *pgxpool.Pool, gateway string) *lease.Postgres {
	return &lease.Postgres{Pool: p, Gateway: gateway, Process: uuid.New(), Now: func() time.Time { return start }}
}

func account() lease.Account {
	return lease.Account{Subscription: uuid.New(), Start: start, End: start.AddDate(0, 1, 0)}
}

func TestThreeGatewaysNeverOversellAQuotaAndSellAllOfIt(t *testing.T) {
	t.Parallel()
	p, a := pgtest.StaffPool(t), account()
	var spent atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		w := lease.New(store(p, uuid.NewString()), time.Minute)
		for range 4 {
			wg.Go(func() {
				for range 200 {
					if _, _, out := w.Spend(context.Background(), a, 1000); out == lease.Spent {
						spent.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	if spent.Load() != 1000 {
		t.Errorf("%d calls were let through, the quota is 1000", spent.Load())
	}
}

func TestRemainingCountsDownToNothing(t *testing.T) {
	t.Parallel()
	w, a := lease.New(store(pgtest.StaffPool(t), "g"), time.Minute), account()
	for want := int64(49); want >= 0; want-- {
		_, st, out := w.Spend(context.Background(), a, 50)
		if out != lease.Spent || st.Remaining != want {
			t.Fatalf("remaining %d, outcome %v; want %d", st.Remaining, out, want)
		}
	}
	for range 2 {
		if _, st, out := w.Spend(context.Background(), a, 50); out != lease.Exhausted || st.Remaining != 0 || !st.Reset.Equal(a.End) {
			t.Errorf("the 51st: %+v, %v", st, out)
		}
	}
}

func TestWhatADeadGatewayDidNotSpendComesBack(t *testing.T) {
	t.Parallel()
	p, a := pgtest.StaffPool(t), account()
	dead := store(p, "g")
	g, err := dead.Take(context.Background(), a, 100)
	if err != nil || g.Calls == 0 {
		t.Fatal(g, err)
	}
	// one of its calls was metered before it died
	if _, err := p.Exec(context.Background(), `UPDATE quota_leases SET spent = 1 WHERE id = $1`, g.Lease); err != nil {
		t.Fatal(err)
	}
	next := store(p, "g")
	for range 2 { // settling twice gives back once
		if err := next.SettleEarlier(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var granted int64
	if err := p.QueryRow(context.Background(), `SELECT granted FROM quota_grants`).Scan(&granted); err != nil || granted != 1 {
		t.Errorf("granted %d after settling, want 1 (%v)", granted, err)
	}
}

type down struct{}

func (down) Take(context.Context, lease.Account, int64) (lease.Grant, error) {
	return lease.Grant{}, errors.New("down")
}

func TestWithoutTheDatabaseACallIsRefusedAndNotBlamedOnTheQuota(t *testing.T) {
	t.Parallel()
	if _, _, out := lease.New(down{}, time.Minute).Spend(context.Background(), account(), 10); out != lease.Unavailable {
		t.Errorf("outcome %v, want Unavailable", out)
	}
}
