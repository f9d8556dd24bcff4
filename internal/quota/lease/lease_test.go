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
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func store(p *pgxpool.Pool, gateway string) *lease.Postgres {
	return &lease.Postgres{Pool: p, Gateway: gateway, Process: uuid.New(), Now: func() time.Time { return start }}
}

func account() lease.Account {
	return lease.Account{Subscription: uuid.New(), Start: start, End: start.AddDate(0, 1, 0), Seat: &quota.Seat{}}
}

func TestThreeGatewaysNeverOversellAQuotaAndSellAllOfIt(t *testing.T) {
	t.Parallel()
	p, a := pgtest.StaffPool(t), account()
	var spent atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		w := lease.New(store(p, uuid.NewString()), time.Minute, time.Now)
		for range 4 {
			wg.Go(func() { // until it is refused: a gateway that stopped before would keep what it holds
				for {
					_, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 1000, Hard: true})
					if out != lease.Spent {
						if out != lease.Exhausted {
							t.Errorf("outcome %v", out)
						}
						return
					}
					spent.Add(1)
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
	w, a := lease.New(store(pgtest.StaffPool(t), "g"), time.Minute, time.Now), account()
	for want := int64(49); want >= 0; want-- {
		_, st, out := w.Spend(context.Background(), a, lease.Quota{Calls: 50, Hard: true})
		if out != lease.Spent || st.Remaining != want {
			t.Fatalf("remaining %d, outcome %v; want %d", st.Remaining, out, want)
		}
	}
	for range 2 {
		if _, st, out := w.Spend(context.Background(), a, lease.Quota{Calls: 50, Hard: true}); out != lease.Exhausted || st.Remaining != 0 || !st.Reset.Equal(a.End) {
			t.Errorf("the 51st: %+v, %v", st, out)
		}
	}
}

func TestWhatADeadGatewayDidNotSpendComesBack(t *testing.T) {
	t.Parallel()
	p, a := pgtest.StaffPool(t), account()
	dead := store(p, "g")
	g, err := dead.Take(context.Background(), a, 100, 0)
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

func (down) GiveBack(context.Context, []lease.Ended) ([]int64, error) { return nil, errors.New("down") }

func (down) Take(context.Context, lease.Account, int64, int64) (lease.Grant, error) {
	return lease.Grant{}, errors.New("down")
}

func TestWithoutTheDatabaseACallIsRefusedAndNotBlamedOnTheQuota(t *testing.T) {
	t.Parallel()
	if _, _, out := lease.New(down{}, time.Minute, time.Now).Spend(context.Background(), account(), lease.Quota{Calls: 10, Hard: true}); out != lease.Unavailable {
		t.Errorf("outcome %v, want Unavailable", out)
	}
}

// counting is a store that grants slices of five calls and counts how often it is asked.
type counting struct {
	mu          sync.Mutex
	left, asked int64
	fail        bool
}

func (c *counting) GiveBack(context.Context, []lease.Ended) ([]int64, error) { return nil, nil }

func (c *counting) Take(context.Context, lease.Account, int64, int64) (lease.Grant, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.fail {
		return lease.Grant{}, errors.New("down")
	}
	calls := min(c.left, 5)
	c.left -= calls
	return lease.Grant{Lease: c.asked, Calls: calls, Left: c.left}, nil
}

func TestCallsOverAnExhaustedQuotaDoNotEachAskTheDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fail bool
		want lease.Outcome
	}{{"used up", false, lease.Exhausted}, {"out of reach", true, lease.Unavailable}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var now hand
			s := &counting{fail: c.fail}
			w, a := lease.New(s, time.Minute, now.time), account()
			for range 100 {
				if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 10, Hard: true}); out != c.want {
					t.Fatalf("outcome %v, want %v", out, c.want)
				}
			}
			if s.asked != 1 {
				t.Errorf("asked %d times within a second", s.asked)
			}
			s.left, s.fail = 3, false // something was given back
			now.Add(int64(time.Second))
			if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 10, Hard: true}); out != lease.Spent {
				t.Errorf("a second later: outcome %v", out)
			}
		})
	}
}

// hand is a clock that is moved by hand.
type hand struct{ atomic.Int64 }

func (h *hand) time() time.Time { return start.Add(time.Duration(h.Load())) }

// slow is a store that answers the first time and then never.
type slow struct {
	counting
	heard atomic.Bool
}

func (s *slow) Take(ctx context.Context, a lease.Account, total, want int64) (lease.Grant, error) {
	if s.heard.Swap(true) {
		<-ctx.Done()
		return lease.Grant{}, ctx.Err()
	}
	return s.counting.Take(ctx, a, total, want)
}

func TestASoftQuotaThatIsUsedUpDoesNotWait(t *testing.T) {
	t.Parallel()
	var now hand
	w, a := lease.New(&slow{}, time.Hour, now.time), account()
	for range 3 {
		if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 10}); out != lease.Exhausted {
			t.Errorf("outcome %v", out)
		}
		now.Add(int64(2 * time.Second)) // asked again, and not answered
	}
}

func TestCallsOfTwoPeriodsSpendEachTheirOwn(t *testing.T) {
	t.Parallel()
	s := &counting{left: 1000}
	w, old := lease.New(s, time.Minute, time.Now), account()
	next := old
	next.Start, next.End = old.End, old.End.AddDate(0, 1, 0)
	for range 50 {
		for _, a := range []lease.Account{old, next} {
			if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 1000, Hard: true}); out != lease.Spent {
				t.Fatalf("outcome %v", out)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock() // a slice may still be on its way
	if taken := 1000 - s.left; taken > 100+4*5 {
		t.Errorf("took %d calls for 100", taken)
	}
}

func TestASoftQuotaCountsDownAndThenLetsCallsGoOn(t *testing.T) {
	t.Parallel()
	w, a := lease.New(store(pgtest.StaffPool(t), "g"), time.Minute, time.Now), account()
	for i := range int64(40) {
		_, st, out := w.Spend(context.Background(), a, lease.Quota{Calls: 30})
		if want := max(29-i, 0); st.Remaining != want || (out == lease.Spent) != (i < 30) {
			t.Fatalf("call %d: %d remain, outcome %v; want %d", i+1, st.Remaining, out, want)
		}
	}
}

func TestAStoreThatDoesNotAnswerIsNotWaitedForByEachCall(t *testing.T) {
	t.Parallel()
	w, a := lease.New(&slow{counting: counting{left: 1}}, 10*time.Millisecond, new(hand).time), account()
	for i := range 100 { // only the second waits, for ten milliseconds: the clock stands still
		_, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 1000, Hard: true})
		if want := map[bool]lease.Outcome{true: lease.Spent, false: lease.Unavailable}[i == 0]; out != want {
			t.Fatalf("call %d: outcome %v, want %v", i+1, out, want)
		}
	}
}
