package billing_test

import (
	"context"
	"testing"
	"time"

	"tollgate/internal/invoices"
	"tollgate/internal/subscriptions"
)

const other = "5555 5555 5555 4444"

func (b *bundle) cardPage() string {
	b.t.Helper()
	page, err := b.OpenCardUpdate(context.Background(), b.who.Identity)
	b.must(err)
	return page
}

func (b *bundle) last4() string {
	b.t.Helper()
	org, err := b.accounts.Organization(b.staff, b.who.Organization)
	b.must(err)
	return org.CardLast4
}

func TestAnOldPaymentPageDoesNotBringItsCardBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	opened, late := b.cardPage(), b.cardPage()
	b.store(declines, opened)
	if status, _ := b.sim.SubmitCheckout(late, good); status != 303 { // its webhook and return page get lost
		t.Fatal(status)
	}
	b.sim.Clock.Advance(time.Minute)
	b.store(other, b.cardPage())
	b.pass()
	b.must(b.Approve(b.staff, b.who.User, b.newest().ID))
	for _, page := range []string{opened, late} { // an old tab, a late webhook
		b.must(b.checkoutDone(page))
		if b.last4() != "4444" {
			t.Errorf("the card that ends in %s is back", b.last4())
		}
	}
}

func TestAnInterruptedPaymentPageIsTakenUpAndThenDoneWith(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.store(declines, b.cardPage())
	b.pass()
	b.must(b.collect(b.newest().ID))
	page := b.cardPage()
	b.sim.Fault("/v1/customers/*", "drop_before_apply", 9)
	if err := b.submit(declines, page); err == nil {
		t.Fatal("it worked without Stripe")
	}
	b.sim.Control("DELETE", "/_sim/faults", nil, nil)
	for range 3 { // the page reloaded, the webhook
		b.must(b.checkoutDone(page))
	}
	if d := b.newest(); d.State != invoices.Open || d.PayAttempts != 2 || b.state(sub.ID) != subscriptions.Unpaid {
		t.Errorf("%s after %d attempts, want one for each page", summary(d), d.PayAttempts)
	}
}
