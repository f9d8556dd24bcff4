package billing_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/invoices"
	"tollgate/internal/metering"
)

func TestOldCallsGoOnceNothingIsLeftToBillAndTheirCountsStay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 120, *sub.PeriodStart)
	b.use(sub, 50, sub.PeriodStart.Add(48*time.Hour))
	drop := func() int {
		t.Helper()
		n, err := b.invoices.DropCalls(context.Background(), 10)
		b.must(err)
		return n
	}
	if n := drop(); n != 0 {
		t.Errorf("%d days of an open period were dropped", n)
	}
	b.pass()
	if n := drop(); n != 0 {
		t.Errorf("%d days were dropped that a draft counts", n)
	}
	draft := b.newest()
	b.must(b.collect(draft.ID))
	if n := drop(); n != 2 {
		t.Errorf("%d days were dropped, want both", n)
	}
	line := draft.Lines[0]
	days, err := b.invoices.Days(b.staff, line)
	b.must(err)
	if len(days) != 2 || days[0].Quantity != 120 || days[1].Quantity != 50 || !days[0].Gone || len(days[0].Hash) != 64 {
		t.Errorf("%+v", days)
	}
	again, err := b.Recompute(context.Background(), line)
	b.must(err)
	if !again.Same || again.Calls != 170 || again.Stored != 170 {
		t.Errorf("%+v", again)
	}
}

func TestDroppedDaysAreStillReconciled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 120, *sub.PeriodStart)
	b.use(sub, 50, sub.PeriodStart.Add(48*time.Hour))
	b.exec(`UPDATE usage_events SET billable = false, mode = 'test' WHERE request_id IN (SELECT request_id FROM usage_events LIMIT 7)`)
	b.pass()
	b.must(b.collect(b.newest().ID))
	before := b.reconcile()
	var wg sync.WaitGroup
	var dropped atomic.Int64
	for range 3 { // three portals at once
		wg.Go(func() {
			n, err := b.invoices.DropCalls(context.Background(), 10)
			if err != nil {
				t.Error(err)
			}
			dropped.Add(int64(n))
		})
	}
	wg.Wait()
	if dropped.Load() < 2 {
		t.Fatalf("%d days were dropped", dropped.Load())
	}
	for i, r := range b.reconcile() {
		if r.Units != before[i].Units || !r.Agrees() {
			t.Errorf("before %+v, after %+v", before[i].Units, r.Units)
		}
	}
}

func TestTheCallsOfALineSayWhichAreGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 120, *sub.PeriodStart)
	b.use(sub, 3, sub.PeriodStart.Add(20*24*time.Hour))
	b.pass()
	b.must(b.collect(b.newest().ID))
	line := b.newest().Lines[0]
	kept := int(b.clock.Now().Sub(sub.PeriodStart.Add(10*24*time.Hour)) / (24 * time.Hour))
	if n, err := b.invoices.DropCalls(context.Background(), kept); err != nil || n != 1 {
		t.Fatalf("%d days, %v", n, err)
	}
	var out bytes.Buffer
	b.must(invoices.WriteCalls(&out, func(row func(metering.Call) error) error {
		return b.invoices.EachCall(b.staff, line, metering.DayFilter{}, row)
	}))
	rows, err := csv.NewReader(&out).ReadAll()
	b.must(err)
	calls := slices.Index(rows[0], "calls")
	if rows[1][0] != "" || rows[1][1] != sub.PeriodStart.UTC().Format(time.DateOnly) || rows[1][calls] != "120" || len(rows[1][calls+1]) != 64 {
		t.Errorf("%v", rows)
	}
}

func TestALateCallThatNoInvoiceWillCarryIsSaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.must(b.subs.CancelAtEnd(b.staff, b.who.User, sub.OrgID, sub.ID, true))
	b.pass()
	b.clock.MoveTo(b.clock.Offset() + 400*24*time.Hour)
	b.use(sub, 4, sub.PeriodStart.Add(time.Hour))
	if made, err := b.BillLate(context.Background()); err != nil || made != 0 {
		t.Errorf("%d invoices, %v", made, err)
	}
	if n, err := b.invoices.DropCalls(context.Background(), 10); err != nil || n != 0 {
		t.Errorf("%d days were dropped, %v", n, err)
	}
	late, err := b.invoices.Unbilled(context.Background(), 10)
	b.must(err)
	if len(late) != 1 || late[0].Calls != 4 || late[0].Subscription != sub.ID || late[0].Customer == "" || late[0].EndedAt == nil {
		t.Errorf("%+v", late)
	}
}
