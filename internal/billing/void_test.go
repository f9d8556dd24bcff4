package billing_test

import (
	"context"
	"testing"
	"time"

	"tollgate/internal/invoices"
	"tollgate/internal/subscriptions"
)

// cutOff subscribes with a good card, but Stripe is not heard from after it has
// finalized the first invoice.
func cutOff(t *testing.T) (*bundle, subscriptions.Subscription) {
	t.Helper()
	b := setup(t)
	next := b.choose(b.pro)
	b.sim.Fault("/v1/invoices/*/finalize", "drop_after_apply", 9)
	if err := b.submit(good, next.CheckoutURL); err == nil {
		t.Fatal("it worked without Stripe")
	}
	b.sim.Control("DELETE", "/_sim/faults", nil, nil)
	if d := b.newest(); d.State != invoices.Approved || d.StripeInvoiceID == nil {
		t.Fatalf("%s", summary(d))
	}
	sub, err := b.subs.Get(b.staff, next.Subscription)
	b.must(err)
	return b, sub
}

func (b *bundle) atStripeNow(doc invoices.Document) string {
	b.t.Helper()
	_, out := b.sim.API("GET", "/v1/invoices/"+*doc.StripeInvoiceID, "")
	return out["status"].(string)
}

func TestAStaleFirstInvoiceThatStripeHasIsVoidedThereToo(t *testing.T) {
	t.Parallel()
	b, sub := cutOff(t)
	stale := b.newest()
	b.clock.MoveTo(2 * time.Hour)
	b.choose(b.pro)
	if b.state(sub.ID) != subscriptions.Active || b.charged() != 4900 || b.atStripeNow(stale) != "void" || b.newest().ID == stale.ID {
		t.Errorf("subscription %s, charged %d, the old invoice is %s", b.state(sub.ID), b.charged(), b.atStripeNow(stale))
	}
}

func TestAStaleFirstInvoiceThatWasPaidMeanwhileCounts(t *testing.T) {
	t.Parallel()
	b, sub := cutOff(t)
	b.atStripe(b.newest(), "pay")
	b.clock.MoveTo(2 * time.Hour)
	b.choose(b.pro)
	if d := b.newest(); d.State != invoices.Paid || len(b.list()) != 1 || b.state(sub.ID) != subscriptions.Active || b.charged() != 4900 {
		t.Errorf("%s, subscription %s, charged %d", summary(d), b.state(sub.ID), b.charged())
	}
}

func TestAnInvoiceThatIsBeingPaidIsNotVoided(t *testing.T) {
	t.Parallel()
	b, _ := cutOff(t)
	stale := b.newest()
	b.exec(`UPDATE invoices SET collecting_until = $1`, b.clock.Real().Add(time.Minute)) // by another process
	b.clock.MoveTo(2 * time.Hour)
	if _, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro); err == nil {
		t.Error("a second first invoice was made beside it")
	}
	if len(b.list()) != 1 || b.newest().State != invoices.Approved || b.atStripeNow(stale) != "open" || b.charged() != 0 {
		t.Errorf("%d invoices, %s", len(b.list()), summary(b.newest()))
	}
}
