package billing_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tollgate/internal/accounts"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
)

func TestFeesInAdvanceUsageInArrearsNothingTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	if got := summary(b.newest()); got != "paid: recurring 1 = 4900; total 4900" || sub.State != subscriptions.Active {
		t.Fatalf("%s, subscription %s", got, sub.State)
	}
	b.use(sub, 170, *sub.PeriodStart)                     // the first instant belongs to the period
	b.use(sub, 7, *sub.PeriodEnd)                         // the last instant does not
	b.use(sub, 9, sub.PeriodStart.Add(-time.Microsecond)) // nor does what was before
	b.pass()
	draft := b.newest()
	if got := summary(draft); got != "review: usage 170 = 30, recurring 1 = 4900; total 4930" {
		t.Fatal(got)
	}
	b.must(b.collect(draft.ID))
	paid := b.newest()
	if paid.State != invoices.Paid || paid.AmountPaid != 4930 || paid.StripeSubtotal == nil || *paid.StripeSubtotal != 4930 || paid.Number == nil {
		t.Errorf("%+v", paid.Invoice)
	}
	if done := b.pass(); done.Closed != 1 {
		t.Errorf("%+v", done)
	}
	if got := summary(b.newest()); got != "review: usage 7 = 0, recurring 1 = 4900; total 4900" {
		t.Error(got)
	}
}

func TestLateUsageGoesOnTheNextInvoiceAsIfItHadBeenInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 120, *sub.PeriodStart)
	b.pass()
	b.must(b.collect(b.newest().ID))
	b.use(sub, 50, sub.PeriodStart.Add(time.Hour)) // 120 were billed: 10 cents; 170 cost 30
	b.pass()
	next := b.newest()
	if got := summary(next); got != "review: usage 0 = 0, adjustment 50 = 20, recurring 1 = 4900; total 4920" {
		t.Fatal(got)
	}
	if !next.Lines[1].PeriodStart.Equal(*sub.PeriodStart) {
		t.Error("the adjustment does not name its period")
	}
	for _, line := range next.Lines[:2] {
		if again, err := b.Recompute(context.Background(), line); err != nil || !again.Same {
			t.Errorf("recomputed %+v, %v", again, err)
		}
	}
	b.pass()
	if got := summary(b.newest()); got != "review: usage 0 = 0, recurring 1 = 4900; total 4900" {
		t.Errorf("the late usage was billed again: %s", got)
	}
}

func TestClosingFromSeveralProcessesMakesOneInvoice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	b.clock.MoveTo(32 * 24 * time.Hour)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := b.CatchUp(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := summary(b.newest()); len(b.list()) != 2 || got != "review: usage 0 = 0, recurring 1 = 4900; total 4900" {
		t.Errorf("%d invoices, want the first and one draft: %s", len(b.list()), got)
	}
}

func TestAPeriodIsNotClosedBeforeItsSubscriptionHasMovedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.clock.MoveTo(32 * 24 * time.Hour)
	b.must(b.db.InTx(b.staff, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.PGX.Exec(ctx, `SELECT FROM subscriptions WHERE id = $1 FOR NO KEY UPDATE`, sub.ID); err != nil { // as another process that renews it
			return err
		}
		if done, err := b.CatchUp(context.Background()); err != nil || done.Renewed != 0 || done.Closed != 0 {
			t.Errorf("%+v, %v", done, err)
		}
		return nil
	}))
	done, err := b.CatchUp(context.Background())
	if got := summary(b.newest()); err != nil || done.Renewed != 1 || done.Closed != 1 || got != "review: usage 0 = 0, recurring 1 = 4900; total 4900" {
		t.Errorf("%+v, %v: %s", done, err, got)
	}
}

func TestACancelledSubscriptionGetsAFinalInvoiceWithoutAFee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 101, *sub.PeriodStart)
	b.must(b.subs.CancelAtEnd(b.staff, b.who.User, sub.OrgID, sub.ID, true))
	b.pass()
	last := b.newest()
	if got := summary(last); got != "review: usage 101 = 1; total 1" || last.Reason != invoices.Final {
		t.Errorf("%s (%s)", got, last.Reason)
	}
	if done := b.pass(); done.Closed != 0 || done.Renewed != 0 {
		t.Errorf("an ended subscription goes on: %+v", done)
	}
}

func TestUsageThatArrivesAfterTheEndGetsAnInvoiceOfItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 120, *sub.PeriodStart)
	b.must(b.subs.CancelAtEnd(b.staff, b.who.User, sub.OrgID, sub.ID, true))
	b.pass()
	if made, err := b.BillLate(context.Background()); made != 0 || err != nil {
		t.Errorf("nothing is late, but %d invoices were made (%v)", made, err)
	}
	b.use(sub, 50, sub.PeriodStart.Add(time.Hour)) // 120 were billed: 10 cents; 170 cost 30
	b.use(sub, 3, *sub.PeriodEnd)                  // belongs to no period
	var wg sync.WaitGroup
	for range 4 { // several processes at once
		wg.Go(func() {
			if _, err := b.BillLate(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := summary(b.newest()); got != "review: adjustment 50 = 20; total 20" || len(b.list()) != 3 {
		t.Errorf("%s, %d invoices in all", got, len(b.list()))
	}
	if again, err := b.Recompute(context.Background(), b.newest().Lines[0]); err != nil || !again.Same {
		t.Errorf("recomputed %+v, %v", again, err)
	}
}

func TestAPeriodThatCannotBeClosedDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := b.subscribe(good)
	b.use(broken, 1, *broken.PeriodStart)
	other, err := b.accounts.SignUp(context.Background(), accounts.SignUp{Email: "bob@other.example", Password: "correct horse battery"})
	b.must(err)
	b.who = other
	b.subscribe(good)
	b.owner(`ALTER TABLE invoice_lines ADD CONSTRAINT broken CHECK (subscription_id <> '` + broken.ID.String() + `') NOT VALID`)
	b.clock.MoveTo(32 * 24 * time.Hour)
	done, err := b.CatchUp(context.Background())
	if err == nil || done.Closed != 1 || done.Renewed != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	b.owner(`ALTER TABLE invoice_lines DROP CONSTRAINT broken`)
	if done, err := b.CatchUp(context.Background()); err != nil || done.Closed != 1 {
		t.Errorf("it does not recover: %+v, %v", done, err)
	}
}

func TestMoreLateLinesThanStripeTakesWaitForTheNextInvoice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.exec(`INSERT INTO billing_periods SELECT id, org_id, -n, period_start - (n + 1) * interval '1 hour', period_start - n * interval '1 hour', plan_version_id, 0
		FROM subscriptions, generate_series(0, 254) n WHERE id = $1`, sub.ID)
	for n := range 255 {
		b.use(sub, 1, sub.PeriodStart.Add(-time.Duration(n+1)*time.Hour))
	}
	for _, want := range []int{stripe.MaxItems, 2 + 255 - 248} {
		b.pass()
		if got := len(b.newest().Lines); got != want {
			t.Errorf("%d lines, want %d", got, want)
		}
	}
}
