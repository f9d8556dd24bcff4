package billing_test

import (
	"context"
	"strings"
	"testing"

	"tollgate/internal/invoices"
)

// mismatched is an invoice on whose draft at Stripe somebody has put a line by hand.
func mismatched(t *testing.T) (*bundle, invoices.Document) {
	t.Helper()
	b := setup(t)
	b.subscribe(good)
	b.pass()
	b.sim.Fault("/v1/invoices/*/finalize", "drop_before_apply", 9)
	if err := b.collect(b.newest().ID); err == nil {
		t.Fatal("it worked without Stripe")
	}
	b.sim.Control("DELETE", "/_sim/faults", nil, nil)
	doc := b.newest()
	_, theirs := b.sim.API("GET", "/v1/invoices/"+*doc.StripeInvoiceID, "")
	b.sim.API("POST", "/v1/invoiceitems", "amount=1&currency=usd&invoice="+*doc.StripeInvoiceID+"&customer="+theirs["customer"].(string))
	b.must(b.Collect(context.Background(), doc.ID))
	if doc = b.newest(); doc.State != invoices.Held || !strings.Contains(doc.HoldReason, "4901") {
		t.Fatalf("%s, %q", summary(doc), doc.HoldReason)
	}
	return b, doc
}

func TestApprovingAfterAMismatchMakesStripesDraftAnew(t *testing.T) {
	t.Parallel()
	for action, left := range map[string]any{"": nil, "finalize": "void"} {
		t.Run("wrong draft, then "+action, func(t *testing.T) {
			t.Parallel()
			b, wrong := mismatched(t)
			if action != "" {
				b.atStripe(wrong, action)
			}
			b.must(b.collect(wrong.ID))
			d := b.newest()
			_, old := b.sim.API("GET", "/v1/invoices/"+*wrong.StripeInvoiceID, "")
			if d.State != invoices.Paid || d.AmountPaid != 4900 || b.charged() != 2*4900 || *d.Number != *wrong.Number || old["status"] != left {
				t.Errorf("%s, paid %d, charged %d; the wrong one is %v", summary(d), d.AmountPaid, b.charged(), old["status"])
			}
		})
	}
}

func TestAMismatchThatWasPaidAtStripeIsHeldUntilThatIsGivenBack(t *testing.T) {
	t.Parallel()
	b, wrong := mismatched(t)
	b.atStripe(wrong, "finalize")
	b.atStripe(wrong, "pay")
	b.must(b.collect(wrong.ID))
	if d := b.newest(); d.State != invoices.Held || !strings.Contains(d.HoldReason, *wrong.StripeInvoiceID+" is paid at Stripe") || b.charged() != 4900+4901 {
		t.Fatalf("%s, %q, charged %d", summary(d), d.HoldReason, b.charged())
	}
	b.must(b.collect(wrong.ID)) // finance has given it back and approves
	if d := b.newest(); d.State != invoices.Paid || d.AmountPaid != 4900 {
		t.Errorf("%s, %q", summary(d), d.HoldReason)
	}
}
