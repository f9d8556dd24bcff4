package billing_test

import (
	"context"
	"testing"
	"time"
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
