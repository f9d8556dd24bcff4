package billing_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/billing"
	"tollgate/internal/invoices"
	"tollgate/internal/plans"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
)

// biz makes a second plan of the product, or one of another product that sells
// the same API version.
func (b *bundle) biz(otherProduct bool) uuid.UUID {
	b.t.Helper()
	sold := plans.New(b.db, b.clock)
	product := b.id(`SELECT id FROM products`)
	if otherProduct {
		made, err := sold.CreateProduct(b.staff, uuid.New(), plans.NewProduct{Slug: "q", Name: "Bundle", Versions: []uuid.UUID{b.id(`SELECT id FROM api_versions`)}})
		b.must(err)
		product = made.ID
	}
	offer, err := sold.CreatePlan(b.staff, uuid.New(), plans.NewPlan{Product: product, Slug: "biz", Name: "Biz", Sale: plans.SelfServe, Currency: "usd", RecurringFee: 9900})
	b.must(err)
	return offer.ID
}

func (b *bundle) id(sql string, args ...any) (id uuid.UUID) {
	b.t.Helper()
	b.must(b.db.StaffPool().QueryRow(b.staff, sql, args...).Scan(&id))
	return id
}

func (b *bundle) choose(plan uuid.UUID) billing.Next {
	b.t.Helper()
	next, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, plan)
	b.must(err)
	return next
}

// submit stores a card on a Checkout page and returns what came of it.
func (b *bundle) submit(card, page string) error {
	b.t.Helper()
	if status, to := b.sim.SubmitCheckout(page, card); status != 303 {
		b.t.Fatalf("checkout answered %d %s", status, to)
	}
	return b.checkoutDone(page)
}

func (b *bundle) checkoutDone(page string) error {
	_, err := b.CheckoutDone(context.Background(), page[strings.LastIndex(page, "/")+1:])
	return err
}

func (b *bundle) state(sub uuid.UUID) string {
	b.t.Helper()
	s, err := b.subs.Get(b.staff, sub)
	b.must(err)
	return s.State
}

// charged is what Stripe has taken in all, in minor units.
func (b *bundle) charged() (sum int) {
	b.t.Helper()
	_, list := b.sim.API("GET", "/v1/invoices", "limit=100")
	for _, i := range list["data"].([]any) {
		paid, err := i.(map[string]any)["amount_paid"].(json.Number).Int64()
		b.must(err)
		sum += int(paid)
	}
	return sum
}

func TestOfTwoCheckoutsForTheSameAPIOneIsCharged(t *testing.T) {
	t.Parallel()
	for name, otherProduct := range map[string]bool{"of one product": false, "of two products": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			pro, biz := b.choose(b.pro), b.choose(b.biz(otherProduct))
			b.store(good, pro.CheckoutURL)
			for _, err := range []error{b.submit("5555 5555 5555 4444", biz.CheckoutURL), b.checkoutDone(biz.CheckoutURL)} {
				if !problem.Is(err, "conflict") {
					t.Errorf("the second Checkout: %v", err)
				}
			}
			if b.state(pro.Subscription) != subscriptions.Active || b.state(biz.Subscription) != subscriptions.Ended || b.charged() != 4900 {
				t.Errorf("subscriptions %s and %s, charged %d", b.state(pro.Subscription), b.state(biz.Subscription), b.charged())
			}
			if org, err := b.accounts.Organization(b.staff, b.who.Organization); err != nil || org.CardLast4 != "4444" {
				t.Errorf("the card of the second Checkout is not stored: %s, %v", org.CardLast4, err)
			}
			if list, err := b.subs.List(b.staff, b.who.Organization); err != nil || len(list) != 1 {
				t.Errorf("%d subscriptions are shown, %v", len(list), err)
			}
			b.pass()
			if all := b.list(); len(all) != 2 {
				t.Errorf("%d invoices, want the first and the next of the one that began", len(all))
			}
		})
	}
}

func TestNothingIsChargedWhileAnotherFirstFeeIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pro, biz := b.choose(b.pro), b.choose(b.biz(false))
	b.sim.Fault("/v1/invoices", "drop_before_apply", 9)
	if err := b.submit(good, pro.CheckoutURL); err == nil {
		t.Fatal("collecting worked without Stripe")
	}
	if err := b.submit(good, biz.CheckoutURL); !problem.Is(err, "conflict") {
		t.Errorf("the second Checkout: %v", err)
	}
	b.sim.Control("DELETE", "/_sim/faults", nil, nil)
	b.must(b.checkoutDone(pro.CheckoutURL))
	if b.state(pro.Subscription) != subscriptions.Active || b.state(biz.Subscription) != subscriptions.Ended || b.charged() != 4900 {
		t.Errorf("subscriptions %s and %s, charged %d", b.state(pro.Subscription), b.state(biz.Subscription), b.charged())
	}
}

func TestAPlanWhoseFeeWasRefusedGivesWayToAnother(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pro, biz := b.choose(b.pro), b.choose(b.biz(true))
	b.store(declines, pro.CheckoutURL)
	b.store(good, biz.CheckoutURL)
	states := map[string]int{}
	for _, i := range b.list() {
		states[i.State]++
	}
	if b.state(pro.Subscription) != subscriptions.Ended || b.state(biz.Subscription) != subscriptions.Active || b.charged() != 9900 || states[invoices.Void] != 1 || states[invoices.Paid] != 1 {
		t.Errorf("subscriptions %s and %s, charged %d, invoices %v", b.state(pro.Subscription), b.state(biz.Subscription), b.charged(), states)
	}
}

func TestAPaymentThatStartsNothingIsKeptAndNoted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(declines)
	b.exec(`UPDATE subscriptions SET state = 'ended', period_start = NULL, period_end = NULL WHERE id = $1`, sub.ID)
	open := b.newest()
	b.sim.API("POST", "/v1/invoices/"+*open.StripeInvoiceID+"/pay", "paid_out_of_band=true") // at Stripe's own page
	for range 2 {
		b.must(b.Collect(context.Background(), open.ID))
	}
	if d := b.newest(); d.State != invoices.Paid || !strings.Contains(d.Failure, "to be given back") {
		t.Errorf("%s, %q", summary(d), d.Failure)
	}
}
