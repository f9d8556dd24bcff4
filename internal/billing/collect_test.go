package billing_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/accounts"
	"tollgate/internal/invoices"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
)

func TestEveryStepOfCollectingMayFailAndBeRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, kind string }{
		{"/v1/invoices", "drop_after_apply"}, {"/v1/invoices", "drop_before_apply"}, {"/v1/invoiceitems", "drop_after_apply"}, {"/v1/invoiceitems", "500_after_apply"},
		{"/v1/invoiceitems", "500_before_apply"}, {"/v1/invoices/*/finalize", "drop_after_apply"}, {"/v1/invoices/*/pay", "drop_after_apply"},
		{"/v1/invoices", "500_before_apply"}, {"/v1/invoices", "500_after_apply"}, {"/v1/invoices/*/finalize", "500_before_apply"}, {"/v1/invoices/*/finalize", "500_after_apply"},
		{"/v1/invoices/*/pay", "500_before_apply"}, {"/v1/invoices/*/pay", "500_after_apply"},
	} {
		t.Run(c.kind+" "+c.path, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			sub := b.subscribe(good)
			b.use(sub, 170, *sub.PeriodStart)
			b.pass()
			draft := b.newest()
			b.sim.Fault(c.path, c.kind, 3) // more than the client repeats by itself
			err := b.collect(draft.ID)
			for range 5 { // as the job queue does
				if err == nil {
					break
				}
				err = b.Collect(context.Background(), draft.ID)
			}
			b.must(err)
			if d := b.newest(); d.State != invoices.Paid || d.AmountPaid != 4930 {
				t.Errorf("%s, paid %d", summary(d), d.AmountPaid)
			}
			charged := 0
			for _, d := range b.list() {
				charged += int(d.AmountPaid)
			}
			if charged != 4900+4930 {
				t.Errorf("charged %d in all", charged)
			}
		})
	}
}

func TestADeclinedCardSuspendsAndAnotherCardPays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	page, err := b.OpenCardUpdate(context.Background(), b.who.Identity)
	b.must(err)
	b.store(declines, page)
	b.pass()
	b.must(b.collect(b.newest().ID))
	state := func() string {
		s, err := b.subs.Get(b.staff, sub.ID)
		b.must(err)
		return s.State
	}
	if d := b.newest(); d.State != invoices.Open || d.Failure == "" || d.NextAttemptAt == nil || state() != subscriptions.Unpaid {
		t.Fatalf("%s, %q, subscription %s", summary(d), d.Failure, state())
	}
	b.clock.MoveTo(b.clock.Offset() + 4*24*time.Hour) // the timetable tries again, in vain
	if _, err := b.CatchUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := b.newest(); d.PayAttempts != 2 {
		t.Errorf("%d attempts, want 2", d.PayAttempts)
	}
	page, err = b.OpenCardUpdate(context.Background(), b.who.Identity)
	b.must(err)
	b.store(good, page)
	if d := b.newest(); d.State != invoices.Paid || state() != subscriptions.Active {
		t.Errorf("%s, subscription %s", summary(d), state())
	}
}

func TestAnotherCardPaysWhatHadAnUnknownOutcomeAndPaysOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, kind string }{
		{"/v1/invoices/*/pay", "500_before_apply"}, {"/v1/invoices/*/pay", "500_after_apply"}, {"/v1/invoices", "500_before_apply"}, {"/v1/invoices", "500_after_apply"},
	} {
		t.Run(c.kind+" "+c.path, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.subscribe(good)
			b.pass()
			b.sim.Fault(c.path, c.kind, 1)
			if err := b.collect(b.newest().ID); err == nil {
				t.Fatal("collecting worked without Stripe")
			}
			b.must(b.submit(other, b.cardPage()))
			b.must(b.Collect(context.Background(), b.newest().ID))
			if d := b.newest(); d.State != invoices.Paid || b.charged() != 2*4900 {
				t.Errorf("%s, charged %d", summary(d), b.charged())
			}
		})
	}
}

func TestSubscribingOutlivesFailuresThatStripeRemembers(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/customers", "/v1/checkout/sessions"} {
		b := setup(t)
		b.sim.Fault(path, "500_before_apply", 1)
		if _, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro); err == nil {
			t.Fatal("subscribing worked without Stripe")
		}
		b.store(good, b.choose(b.pro).CheckoutURL)
		if b.charged() != 4900 {
			t.Errorf("%s: charged %d", path, b.charged())
		}
	}
}

func TestADoubleClickOnSubscribeLeadsToOneCheckoutAndOneCharge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro)
	b.must(err)
	second, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro)
	b.must(err)
	if first.Subscription != second.Subscription {
		t.Fatal("two subscriptions")
	}
	b.store(good, second.CheckoutURL)
	session := second.CheckoutURL[strings.LastIndex(second.CheckoutURL, "/")+1:]
	var wg sync.WaitGroup
	for range 4 { // the return page, reloaded, beside the webhook
		wg.Go(func() {
			if _, err := b.CheckoutDone(context.Background(), session); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all := b.list(); len(all) != 1 || all[0].AmountPaid != 4900 {
		t.Errorf("%d invoices, the first paid %d", len(all), all[0].AmountPaid)
	}
	if _, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro); !problem.Is(err, "conflict") {
		t.Errorf("subscribing again: %v", err)
	}
}

func TestAnIssuedInvoiceNeverChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	err := b.db.InTx(b.staff, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Exec(`UPDATE invoice_lines SET amount = 1`).Error
	})
	if err == nil {
		t.Error("a line of a paid invoice was changed")
	}
	if err := b.Approve(b.staff, b.who.User, b.newest().ID); !problem.Is(err, "conflict") {
		t.Errorf("a paid invoice was approved: %v", err)
	}
}

func TestStripeHearsWhatACustomerIsCalledNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	for _, name := range []string{"Acme GmbH", "Acme AG", "Acme GmbH"} { // back to an earlier name, too
		b.must(b.ChangeCustomer(context.Background(), b.who.Identity, accounts.OrganizationChange{Name: name, BillingEmail: "bills@acme.example"}))
		b.work()
		if _, customers := b.sim.API("GET", "/v1/customers?email=bills@acme.example", ""); !strings.Contains(fmt.Sprint(customers), "name:"+name+" ") {
			t.Errorf("Stripe does not know %s: %v", name, customers)
		}
	}
}

func TestAnUnsignedWebhookHasNoEffect(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.Webhook(context.Background(), []byte(`{"id":"evt_1"}`), "t=1,v1=00"); !problem.Is(err, "bad-request") {
		t.Errorf("an unsigned delivery: %v", err)
	}
	var events int
	b.must(b.db.InTx(b.staff, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT count(*) FROM stripe_events`).Scan(&events)
	}))
	if events != 0 {
		t.Errorf("%d events stored", events)
	}
}

func TestWhoPaysTheFirstFeeLateGetsAWholePeriodFromThen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(declines)
	if sub.State != subscriptions.Pending || b.newest().Failure == "" {
		t.Fatalf("subscription %s, %s", sub.State, summary(b.newest()))
	}
	late := b.newest()
	if done := b.pass(); done.Closed != 0 || done.Renewed != 0 || done.Retried != 0 {
		t.Errorf("something was done for who never paid: %+v", done)
	}
	if b.newest().State != invoices.Void || b.atStripeNow(late) != "void" || b.state(sub.ID) != subscriptions.Ended {
		t.Errorf("what was never paid is %s, at Stripe %s; subscription %s", summary(b.newest()), b.atStripeNow(late), b.state(sub.ID))
	}
	next, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro)
	b.must(err)
	if next.CheckoutURL != "" {
		t.Fatal("a card is stored, though a bad one")
	}
	page, err := b.OpenCardUpdate(context.Background(), b.who.Identity)
	b.must(err)
	b.store(good, page) // begins what was just tried
	sub, err = b.subs.Get(b.staff, next.Subscription)
	b.must(err)
	if sub.State != subscriptions.Active || b.clock.Now().Sub(*sub.PeriodStart) > time.Hour {
		t.Errorf("%s since %v", sub.State, sub.PeriodStart)
	}
	states := map[string]int{}
	for _, inv := range b.list() {
		states[inv.State]++
	}
	if states[invoices.Paid] != 1 || states[invoices.Void] != 1 || len(b.list()) != 2 {
		t.Errorf("invoices %v", states)
	}
	b.pass()
	if got := summary(b.newest()); got != "review: usage 0 = 0, recurring 1 = 4900; total 4900" {
		t.Error(got)
	}
}

func TestStripesLinesNameTheCustomersDates(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Pacific/Kiritimati", "Etc/GMT+12"} { // 26 hours apart: one differs from the server's
		b := setup(t)
		b.exec(`UPDATE organizations SET time_zone = $2 WHERE id = $1`, b.who.Organization, zone)
		sub := b.subscribe(good)
		loc, err := time.LoadLocation(zone)
		b.must(err)
		_, items := b.sim.API("GET", "/v1/invoiceitems", "")
		if want := sub.PeriodStart.In(loc).Format("2 Jan 2006"); !strings.Contains(fmt.Sprint(items), "("+want) {
			t.Errorf("%s: no item from %s: %v", zone, want, items)
		}
	}
}
