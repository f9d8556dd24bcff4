package lease_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/subscriptions/period"
)

// Ten calls an hour: a gateway that kept each hour's slice would have used up
// 1,000 calls in a day.
func TestAnIdleGatewayDoesNotEatUpAQuota(t *testing.T) {
	t.Parallel()
	var now hand
	p, a := pgtest.StaffPool(t), account()
	s := store(p, "g")
	s.Now = now.time
	w := lease.New(s, time.Minute, now.time)
	for hour := range 48 {
		for range 10 {
			if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 1000, Hard: true}); out != lease.Spent {
				t.Fatalf("hour %d: outcome %v", hour, out)
			}
		}
		now.Add(int64(time.Hour))
	}
	if left := w.Peek(a, 1000).Remaining; left != 520 {
		t.Errorf("%d remain, want 520", left)
	}
}

func TestWhatIsInHandIsNotSpentOnceItEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		quota lease.Quota
		goes  bool // by the outcome, or because the quota is soft
	}{{"hard", lease.Quota{Calls: 1000, Hard: true}, false}, {"soft", lease.Quota{Calls: 1000}, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var now hand
			s := &counting{left: 1000}
			w, a := lease.New(s, time.Minute, now.time), account()
			first, _, _ := w.Spend(context.Background(), a, c.quota)
			s.mu.Lock()
			s.fail = true
			s.mu.Unlock()
			now.Add(int64(54 * time.Minute))
			if id, _, out := w.Spend(context.Background(), a, c.quota); out != lease.Spent || id != first {
				t.Errorf("before its end: lease %d, outcome %v", id, out)
			}
			now.Add(int64(2 * time.Minute))
			_, _, out := w.Spend(context.Background(), a, c.quota)
			if out != lease.Unavailable || (out == lease.Spent || !c.quota.Hard) != c.goes {
				t.Errorf("after its end, without a database: outcome %v", out)
			}
		})
	}
}

// A gateway with 100 calls a second asks for what lasts a minute and has half of
// that when it asks.
func TestASliceOutlastsARestartOfTheDatabaseWhereTheQuotaAllows(t *testing.T) {
	t.Parallel()
	var now hand
	p, a := pgtest.StaffPool(t), account()
	s := store(p, "g")
	s.Now = now.time
	l := &line{Postgres: s}
	w := lease.New(l, time.Minute, now.time)
	q := lease.Quota{Calls: 100_000, Hard: true}
	for range 100 * 120 {
		if _, _, out := w.Spend(context.Background(), a, q); out != lease.Spent {
			t.Fatalf("outcome %v", out)
		}
		now.Add(int64(10 * time.Millisecond))
	}
	l.set(true)
	for i := range 100 * 25 {
		if _, _, out := w.Spend(context.Background(), a, q); out != lease.Spent {
			t.Fatalf("call %d without a database: outcome %v", i, out)
		}
		now.Add(int64(10 * time.Millisecond))
	}
}

func TestSlicesGrowWithTheRateAndShrinkWithTheQuota(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ total, left, want, slice int64 }{
		{1000, 1000, 0, 50}, {1000, 1000, 120, 120}, {1000, 1000, 900, 250}, {1000, 100, 900, 25}, {1000, 3, 900, 1}, {1000, 0, 900, 0},
		{10_000_000, 10_000_000, 0, 10_000}, {10_000_000, 10_000_000, 600_000, 600_000},
	} {
		if got := quota.Slice(c.total, c.left, c.want); got != c.slice {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func granted(t *testing.T, p *pgxpool.Pool, a lease.Account) (calls int64) {
	t.Helper()
	if err := p.QueryRow(context.Background(), `SELECT granted FROM quota_grants WHERE subscription_id = $1 AND period_start = $2`, a.Subscription, a.Start).Scan(&calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

func TestALeaseIsWrittenOffOnceAndNotBeforeItExpired(t *testing.T) {
	t.Parallel()
	p, a := pgtest.StaffPool(t), account()
	g, err := store(p, "gone").Take(context.Background(), a, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exec(context.Background(), `UPDATE quota_leases SET spent = 20 WHERE id = $1`, g.Lease); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at      time.Duration
		err     error
		granted int64
	}{
		{0, lease.ErrNotExpired, 50}, {time.Hour, lease.ErrNotExpired, 50}, {time.Hour + lease.Doubt - 1, lease.ErrNotExpired, 50},
		{time.Hour + lease.Doubt, nil, 20}, {2 * time.Hour, lease.ErrNotHeld, 20},
	} {
		err := pgx.BeginFunc(context.Background(), p, func(tx pgx.Tx) error {
			_, err := lease.WriteOff(context.Background(), tx, g.Lease, start.Add(c.at))
			return err
		})
		if calls := granted(t, p, a); !errors.Is(err, c.err) || calls != c.granted {
			t.Errorf("after %v: %v, %d granted; want %v, %d", c.at, err, calls, c.err, c.granted)
		}
	}
}

// New York's clocks go back on the first of November 2026: that month has an
// hour more than 30 days.
func TestACalendarMonthEndsAtMidnightWhereTheCustomerIs(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	month := func(at time.Time) period.Period { // as the gateway's view works it out
		y, m, _ := at.In(zone).Date()
		return period.Period{Start: time.Date(y, m, 1, 0, 0, 0, 0, zone).UTC(), End: time.Date(y, m+1, 1, 0, 0, 0, 0, zone).UTC()}
	}
	end := time.Date(2026, 11, 1, 4, 0, 0, 0, time.UTC)
	october, november := month(end.Add(-time.Nanosecond)), month(end)
	if october.End != end || november.Start != end || november.End.Sub(november.Start) != 30*24*time.Hour+time.Hour {
		t.Fatalf("%+v, %+v", october, november)
	}
	p, now, of := pgtest.StaffPool(t), &hand{}, account()
	s := store(p, "g")
	s.Now = now.time
	w := lease.New(s, time.Minute, now.time)
	old := lease.Account{Subscription: of.Subscription, Start: october.Start, End: october.End, Seat: of.Seat}
	next := lease.Account{Subscription: of.Subscription, Start: november.Start, End: november.End, Seat: of.Seat}
	q := lease.Quota{Calls: 3, Hard: true}
	spend := func(a lease.Account) (int64, lease.Outcome) {
		id, _, out := w.Spend(context.Background(), a, q)
		return id, out
	}
	var last int64
	for range 3 {
		last, _ = spend(old)
	}
	if _, out := spend(old); out != lease.Exhausted {
		t.Errorf("the fourth call of October: %v", out)
	}
	for range 2 {
		if _, out := spend(next); out != lease.Spent {
			t.Errorf("a call of November: %v", out)
		}
	}
	w.Sweep(end.Add(time.Hour)) // October's purse is still there for what is under way
	w.Return(old, last)
	w.Sweep(end.Add(time.Hour + 1))
	if err := w.GiveBack(context.Background()); err != nil {
		t.Fatal(err)
	}
	if o, n := granted(t, p, old), granted(t, p, next); o != 2 || n != 2 && n != 3 {
		t.Errorf("granted %d of October and %d of November", o, n)
	}
	if left := w.Peek(next, 3); left.Remaining != 1 || !left.Reset.Equal(november.End) {
		t.Errorf("November: %+v", left)
	}
}

// A call of a purse that was forgotten could not be given back.
func TestASeatLeadsToNoPurseThatWasForgotten(t *testing.T) {
	t.Parallel()
	var now hand
	p, a := pgtest.StaffPool(t), account()
	always := period.Always()
	a.Start, a.End = always.Start, always.End
	s := store(p, "g")
	s.Now = now.time
	w := lease.New(s, time.Minute, now.time)
	spend := func() (int64, lease.Outcome) {
		id, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 5, Hard: true})
		return id, out
	}
	if _, out := spend(); out != lease.Spent {
		t.Fatal(out)
	}
	for _, later := range []time.Duration{time.Hour, 32 * 24 * time.Hour} { // its slices end, and then it is forgotten
		now.Add(int64(later))
		w.Sweep(now.time())
		if err := w.GiveBack(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	id, out := spend()
	if out != lease.Spent {
		t.Fatal(out)
	}
	w.Return(a, id)
	for n := range 4 {
		if _, out := spend(); out != lease.Spent {
			t.Fatalf("call %d of 4: %v", n+1, out)
		}
	}
	if _, out := spend(); out != lease.Exhausted {
		t.Errorf("a call more than the quota: %v", out)
	}
}
