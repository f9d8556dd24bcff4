package billing_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	"tollgate/internal/stripesim/simtest"
	"tollgate/internal/subscriptions"
)

// bundle is billing on a database of its own with an account at simulated Stripe.
type bundle struct {
	*billing.Service
	t        *testing.T
	url      string // of the database, as its owner
	db       *postgres.DB
	clock    *clock.Clock
	sim      *simtest.Account
	accounts *accounts.Service
	invoices *invoices.Service
	subs     *subscriptions.Service
	queue    *jobs.Queue
	staff    context.Context
	who      accounts.Joined
	pro      uuid.UUID // plan
}

const good, declines = "4242 4242 4242 4242", "4000 0000 0000 0341"

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, url: pgtest.URL(t), clock: clock.New(), sim: simtest.New(t, simtest.Options{}), staff: postgres.AsStaff(context.Background())}
	db, err := postgres.Open(b.staff, b.url)
	b.must(err)
	t.Cleanup(db.Close)
	b.db = db
	client, err := stripe.New(stripe.Config{SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret, BaseURL: b.sim.URL}, nil)
	b.must(err)
	b.accounts, err = accounts.New(b.db, b.clock)
	b.must(err)
	b.queue, err = jobs.NewQueue(b.db.StaffPool())
	b.must(err)
	sold := plans.New(b.db, b.clock)
	b.subs, b.invoices = subscriptions.New(b.db, b.clock), invoices.New(b.db, b.clock)
	b.Service = billing.New(billing.Parts{DB: b.db, Clock: b.clock, Stripe: client, Accounts: b.accounts, Plans: sold, Subscriptions: b.subs, Invoices: b.invoices, Queue: b.queue, PublicURL: "http://portal.test"})
	b.who, err = b.accounts.SignUp(context.Background(), accounts.SignUp{Email: "ada@acme.example", Password: "correct horse battery"})
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

// work does the background work that waits, until none is left.
func (b *bundle) work() {
	b.t.Helper()
	workers := jobs.NewWorkers()
	b.Register(workers)
	ctx, stop := context.WithCancel(b.staff)
	ended := make(chan error, 1)
	go func() { ended <- b.queue.Work(ctx, workers, slog.New(slog.DiscardHandler)) }()
	for waiting, tries := 1, 0; waiting > 0 && tries < 300; tries++ {
		b.must(b.db.StaffPool().QueryRow(ctx, `SELECT count(*) FROM river_job, pg_sleep(0.1) WHERE finalized_at IS NULL`).Scan(&waiting))
	}
	stop()
	b.must(<-ended)
}

// owner changes the schema, to break something.
func (b *bundle) owner(sql string) {
	b.t.Helper()
	conn, err := pgx.Connect(b.staff, b.url)
	b.must(err)
	defer func() { _ = conn.Close(b.staff) }()
	_, err = conn.Exec(b.staff, sql)
	b.must(err)
}

// sell makes a product with the Pro plan: $49, 100 calls included, then by tiers.
func (b *bundle) sell(sold *plans.Service) {
	api, upstream, version := uuid.New(), uuid.New(), uuid.New()
	b.exec(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'api', 'API', 'public', now())`, api)
	b.exec(`INSERT INTO upstreams (id, created_at) VALUES ($1, now())`, upstream)
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
	b.exec(`SELECT usage_events_add_day(($1::timestamptz AT TIME ZONE 'UTC')::date)`, at)
	b.exec(`WITH batch AS (INSERT INTO usage_batches (segment_id, from_slot, to_slot, events, received_at) VALUES ($1, 0, $2::int, $2::int, now()) RETURNING id)
		INSERT INTO usage_events (request_id, batch_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path, status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
		SELECT gen_random_uuid(), batch.id, $3, $4, $5, $6, $1, $1, $1, 'live', 'GET', '/', 200, true, true, 1, 0, 0, 1, 1 FROM batch, generate_series(1, $2::int)`,
		segment, n, at, sub.OrgID, sub.ApplicationID, sub.ID)
	b.rollUp(sub, segment, n, at)
}

// rollUp counts n calls in their hour, as shipping does.
func (b *bundle) rollUp(sub subscriptions.Subscription, key uuid.UUID, n int, at time.Time) {
	b.t.Helper()
	b.exec(`INSERT INTO usage_hourly (hour, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, status, calls, billable_calls, billable_units, units, bytes_in, bytes_out, duration_us)
		VALUES ($1, $2, $3, $4, $5, $5, $5, 'live', 200, $6, $6, $6, $6, 0, 0, 1)`, at.Truncate(time.Hour), sub.OrgID, sub.ApplicationID, sub.ID, key, n)
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
