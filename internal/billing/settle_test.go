package billing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tollgate/internal/invoices"
	"tollgate/internal/subscriptions"
)

// suspended is a subscription whose second invoice was refused.
func suspended(t *testing.T) (*bundle, subscriptions.Subscription, invoices.Document) {
	t.Helper()
	b := setup(t)
	sub := b.subscribe(good)
	b.store(declines, b.cardPage())
	b.pass()
	b.must(b.collect(b.newest().ID))
	if b.state(sub.ID) != subscriptions.Unpaid {
		t.Fatalf("the subscription is %s", b.state(sub.ID))
	}
	return b, sub, b.newest()
}

func (b *bundle) atStripe(doc invoices.Document, action string) {
	b.t.Helper()
	if status, out := b.sim.API("POST", "/v1/invoices/"+*doc.StripeInvoiceID+"/"+action, "", "Idempotency-Key", action); status != 200 {
		b.t.Fatalf("%s: %d %v", action, status, out)
	}
}

func TestAnInvoiceVoidedAtStripeIsNoLongerOwed(t *testing.T) {
	t.Parallel()
	b, sub, doc := suspended(t)
	b.atStripe(doc, "void")
	b.must(b.Collect(context.Background(), doc.ID))
	if d := b.newest(); d.State != invoices.Void || d.NextAttemptAt != nil || b.state(sub.ID) != subscriptions.Active {
		t.Errorf("%s, subscription %s", summary(d), b.state(sub.ID))
	}
}

func TestAFirstInvoiceVoidedAtStripeBeginsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(declines)
	b.atStripe(b.newest(), "void")
	b.must(b.Collect(context.Background(), b.newest().ID))
	if d := b.newest(); d.State != invoices.Void || b.state(sub.ID) != subscriptions.Pending {
		t.Errorf("%s, subscription %s", summary(d), b.state(sub.ID))
	}
}

func TestAnUncollectibleInvoiceLeavesTheTimetableAndCanStillBePaid(t *testing.T) {
	t.Parallel()
	b, sub, doc := suspended(t)
	b.atStripe(doc, "mark_uncollectible")
	b.clock.MoveTo(b.clock.Offset() + 4*24*time.Hour)
	for _, want := range []int{1, 0} {
		if done, err := b.CatchUp(context.Background()); err != nil || done.Retried != want {
			t.Errorf("%+v, %v, want %d retried", done, err, want)
		}
	}
	if d := b.newest(); d.PayAttempts != 1 || !strings.Contains(d.Failure, "uncollectible") || b.state(sub.ID) != subscriptions.Unpaid {
		t.Errorf("%s, %d attempts, %q, subscription %s", summary(d), d.PayAttempts, d.Failure, b.state(sub.ID))
	}
	b.store(good, b.cardPage())
	if d := b.newest(); d.State != invoices.Paid || b.state(sub.ID) != subscriptions.Active {
		t.Errorf("%s, subscription %s", summary(d), b.state(sub.ID))
	}
}
