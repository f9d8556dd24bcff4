package billing_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/billing"
	"tollgate/internal/invoices"
)

func (b *bundle) reconcile() []billing.Reconciled {
	b.t.Helper()
	rows, total, err := b.Reconcile(context.Background(), "", time.Time{}, 0, 25)
	b.must(err)
	if int(total) != len(rows) {
		b.t.Errorf("%d periods of %d", len(rows), total)
	}
	return rows
}

func TestEveryInvoiceIsReconciledAndUnitsAreOncePerPeriod(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 30_000, *sub.PeriodStart)
	b.must(b.subs.CancelAtEnd(b.staff, b.who.User, sub.OrgID, sub.ID, true))
	b.pass()
	b.must(b.collect(b.newest().ID))
	b.use(sub, 40_000, sub.PeriodStart.Add(time.Hour)) // late: an invoice of its own, of the same period
	if _, err := b.BillLate(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.use(sub, 3, sub.PeriodStart.Add(time.Hour)) // later still
	rows := b.reconcile()
	if len(rows) != 1 || len(rows[0].Invoices) != 3 || rows[0].Units.Billable != 70_003 || rows[0].Invoiced != 70_000 || rows[0].Open != 3 || !rows[0].Agrees() {
		t.Fatalf("%+v", rows)
	}
	for column, wrong := range map[string]string{"amount_paid": "1", "stripe_subtotal": "1", "subtotal": "4901"} {
		first := rows[0].Invoices[0].ID
		b.exec(`UPDATE invoices SET `+column+` = `+wrong+` WHERE id = $1`, first)
		if b.reconcile()[0].Agrees() {
			t.Errorf("a wrong %s of the first invoice is not seen", column)
		}
		b.exec(`UPDATE invoices SET amount_paid = 4900, stripe_subtotal = 4900, subtotal = 4900 WHERE id = $1`, first)
	}
}

func TestAnInvoiceWhoseSubscriptionNeverBeganIsReconciled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(declines)
	if rows := b.reconcile(); len(rows) != 1 || rows[0].Invoices[0].State != invoices.Open || !rows[0].Agrees() {
		t.Errorf("while it is open: %+v", rows)
	}
	b.exec(`DELETE FROM billing_periods`)
	b.exec(`UPDATE subscriptions SET state = 'ended', period_start = NULL, period_end = NULL WHERE id = $1`, sub.ID)
	b.sim.API("POST", "/v1/invoices/"+*b.newest().StripeInvoiceID+"/pay", "paid_out_of_band=true")
	b.must(b.Collect(context.Background(), b.newest().ID))
	if rows := b.reconcile(); len(rows) != 1 || rows[0].Invoices[0].State != invoices.Paid || rows[0].Invoices[0].Paid != 4900 {
		t.Errorf("paid: %+v", rows)
	}
}

func TestCallsOfAVoidedInvoiceAreNeitherBilledNorOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 170, *sub.PeriodStart)
	b.store(declines, b.cardPage())
	b.pass()
	b.must(b.collect(b.newest().ID))
	b.atStripe(b.newest(), "void")
	b.must(b.Collect(context.Background(), b.newest().ID))
	rows := b.reconcile()
	if r := rows[len(rows)-1]; r.Invoiced != 0 || r.Voided != 170 || r.Open != 0 || !r.Agrees() {
		t.Errorf("%+v", r)
	}
}

func TestLinesOfMoreInvoicesThanAStatementHasParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	ids := []uuid.UUID{b.newest().ID}
	for range 70_000 {
		ids = append(ids, uuid.New())
	}
	if lines, err := b.invoices.LinesOf(b.staff, ids); err != nil || len(lines) != 1 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}
