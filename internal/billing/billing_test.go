package billing_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"tollgate/internal/accounts"
	"tollgate/internal/billing"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/pricing"
	"tollgate/internal/problem"
	"tollgate/internal/stripesim/simtest"
	"tollgate/internal/subscriptions"
)

// bundle is billing on a database of its own with an account at simulated Stripe.
type bundle struct {
	*billing.Service
	t        *testing.T
	db       *postgres.DB
	clock    *clock.Clock
	sim      *simtest.Account
	invoices *invoices.Service
	subs     *subscriptions.Service
	staff    context.Context
	who      accounts.Joined
	pro      uuid.UUID // plan
}

const good, declines = "4242 4242 4242 4242", "4000 0000 0000 0341"

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, db: pgtest.New(t), clock: clock.New(), sim: simtest.New(t, simtest.Options{}), staff: postgres.AsStaff(context.Background())}
	client, err := stripe.New(stripe.Config{SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret, BaseURL: b.sim.URL}, nil)
	b.must(err)
	people, err := accounts.New(b.db, b.clock)
	b.must(err)
	queue, err := jobs.NewQueue(b.db.StaffPool())
	b.must(err)
	sold := plans.New(b.db, b.clock)
	b.subs, b.invoices = subscriptions.New(b.db, b.clock), invoices.New(b.db, b.clock)
	b.Service = billing.New(billing.Parts{DB: b.db, Clock: b.clock, Stripe: client, Accounts: people, Plans: sold, Subscriptions: b.subs, Invoices: b.invoices, Queue: queue, PublicURL: "http://portal.test"})
	b.who, err = people.SignUp(context.Background(), accounts.SignUp{Email: "ada@acme.example", Password: "correct horse battery"})
	b.must(err)
	b.sell(sold)
	return b
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	b.must(b.db.InTx(b.staff, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, sql, args...)
		return err
	}))
}

// sell makes a product with the Pro plan: $49, 100 calls included, then by tiers.
func (b *bundle) sell(sold *plans.Service) {
	api, upstream, version := uuid.New(), uuid.New(), uuid.New()
	b.exec(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'api', 'API', 'public', now())`, api)
	b.exec(`INSERT INTO upstreams (id, live_url, created_at) VALUES ($1, 'http://x', now())`, upstream)
	b.exec(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ($1, $2, $3, '1', 'published', '/api', 'API', 'OpenAPI 3.1.0', '{}', 0, now())`, version, api, upstream)
	product, err := sold.CreateProduct(b.staff, uuid.New(), plans.NewProduct{Slug: "p", Name: "Product", Versions: []uuid.UUID{version}})
	b.must(err)
	offer, err := sold.CreatePlan(b.staff, uuid.New(), plans.NewPlan{Product: product.ID, Slug: "pro", Name: "Pro", Sale: plans.SelfServe, Currency: "usd", RecurringFee: 4900,
		Usage: &pricing.Component{Model: pricing.Graduated, Included: 100, Tiers: []pricing.Tier{{UpTo: 50, Rate: decimal.RequireFromString("0.5")}, {UpTo: pricing.NoEnd, Rate: decimal.RequireFromString("0.25")}}}})
	b.must(err)
	b.pro = offer.ID
}

// subscribe goes through Checkout with a card and returns the subscription.
func (b *bundle) subscribe(card string) subscriptions.Subscription {
	b.t.Helper()
	next, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro)
	b.must(err)
	b.store(card, next.CheckoutURL)
	sub, err := b.subs.Get(b.staff, next.Subscription)
	b.must(err)
	return sub
}

func (b *bundle) store(card, page string) {
	b.t.Helper()
	if status, to := b.sim.SubmitCheckout(page, card); status != 303 {
		b.t.Fatalf("checkout answered %d %s", status, to)
	}
	_, err := b.CheckoutDone(context.Background(), page[strings.LastIndex(page, "/")+1:])
	b.must(err)
}

// use stores n billable calls at a moment, as one batch.
func (b *bundle) use(sub subscriptions.Subscription, n int, at time.Time) {
	b.t.Helper()
	segment := uuid.New()
	b.exec(`INSERT INTO usage_segments (id, gateway) VALUES ($1, 'g')`, segment)
	b.exec(`WITH batch AS (INSERT INTO usage_batches (segment_id, from_slot, to_slot, events, received_at) VALUES ($1, 0, $2::int, $2::int, now()) RETURNING id)
		INSERT INTO usage_events (request_id, batch_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path, status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
		SELECT gen_random_uuid(), batch.id, $3, $4, $5, $6, $1, $1, $1, 'live', 'GET', '/', 200, true, true, 1, 0, 0, 1, 1 FROM batch, generate_series(1, $2::int)`,
		segment, n, at, sub.OrgID, sub.ApplicationID, sub.ID)
}

// pass moves time past the end of the running period and does what is due.
func (b *bundle) pass() billing.Done {
	b.t.Helper()
	b.clock.MoveTo(b.clock.Offset() + 32*24*time.Hour)
	done, err := b.CatchUp(context.Background())
	b.must(err)
	return done
}

func (b *bundle) list() []invoices.Listed {
	b.t.Helper()
	all, _, err := b.invoices.List(b.staff, invoices.Filter{}, 0, 100)
	b.must(err)
	return all
}

func (b *bundle) newest() invoices.Document {
	b.t.Helper()
	d, err := b.invoices.Get(b.staff, b.list()[0].ID)
	b.must(err)
	return d
}

// collect approves a draft and collects it as the job would.
func (b *bundle) collect(id uuid.UUID) error {
	b.t.Helper()
	b.must(b.Approve(b.staff, b.who.User, id))
	return b.Collect(context.Background(), id)
}

func summary(d invoices.Document) string {
	var parts []string
	for _, l := range d.Lines {
		parts = append(parts, fmt.Sprintf("%s %d = %d", l.Kind, l.Quantity, l.Amount))
	}
	return fmt.Sprintf("%s: %s; total %d", d.State, strings.Join(parts, ", "), d.Subtotal)
}

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
	if all := b.list(); len(all) != 2 {
		t.Errorf("%d invoices, want the first and one draft", len(all))
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

func TestEveryStepOfCollectingMayFailAndBeRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, kind string }{
		{"/v1/invoices", "drop_after_apply"}, {"/v1/invoices", "drop_before_apply"}, {"/v1/invoiceitems", "drop_after_apply"}, {"/v1/invoiceitems", "500_after_apply"},
		{"/v1/invoiceitems", "500_before_apply"}, {"/v1/invoices/*/finalize", "drop_after_apply"}, {"/v1/invoices/*/pay", "drop_after_apply"},
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
	if done := b.pass(); done.Closed != 0 || done.Renewed != 0 || done.Retried != 0 {
		t.Errorf("something was done for who never paid: %+v", done)
	}
	next, err := b.Subscribe(context.Background(), b.who.Identity, b.who.Application, b.pro)
	b.must(err)
	if next.CheckoutURL != "" {
		t.Fatal("a card is stored, though a bad one")
	}
	page, err := b.OpenCardUpdate(context.Background(), b.who.Identity)
	b.must(err)
	b.store(good, page) // begins what was just tried
	sub, err = b.subs.Get(b.staff, sub.ID)
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
