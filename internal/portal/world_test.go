package portal_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/shopspring/decimal"

	"tollgate/internal/accounts"
	"tollgate/internal/applications"
	"tollgate/internal/billing"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/catalog"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/keys"
	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/openapi"
	"tollgate/internal/outbound"
	"tollgate/internal/plans"
	"tollgate/internal/portal"
	"tollgate/internal/portal/account"
	"tollgate/internal/portal/api"
	"tollgate/internal/portal/console"
	"tollgate/internal/portal/finance"
	"tollgate/internal/portal/ops"
	"tollgate/internal/portal/site"
	"tollgate/internal/portal/studio"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/pricing"
	"tollgate/internal/stripesim/simtest"
	"tollgate/internal/subscriptions"
	"tollgate/internal/telemetry"
	"tollgate/internal/writeoff"
)

// world is a whole portal with its database and a simulated Stripe account.
type world struct {
	t         *testing.T
	db        *postgres.DB
	clock     *clock.Clock
	stripe    *simtest.Account
	accounts  *accounts.Service
	keys      *keys.Service
	billing   *billing.Service
	queue     *jobs.Queue
	plans     *plans.Service
	server    *portal.Server
	url       string
	spool     *spool.Spool
	shipper   *metering.Shipper
	version   uuid.UUID
	operation uuid.UUID
	product   plans.Product
	free, pro plans.Offer
	ask       plans.Offer
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

const password = "correct horse battery"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: pgtest.New(t), clock: clock.Fixed(simtest.Start)}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(srv.Close)
	w.url, w.stripe = srv.URL, simtest.New(t, simtest.Options{WebhookURL: srv.URL + "/webhooks/stripe"})
	screens := w.screens()
	w.server = portal.New(portal.Config{PublicURL: w.url, FormTargets: []string{w.stripe.URL}, IdentitySecret: []byte("0123456789abcdef"), Demo: true},
		portal.Parts{DB: w.db, Clock: w.clock, Accounts: w.accounts, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})), Registry: prometheus.NewRegistry()}, screens.Routes())
	handler = w.server.Handler()
	w.catalog()
	w.usage()
	return w
}

func (w *world) screens() portal.Screens {
	t := w.t
	t.Helper()
	pay, err := stripe.New(stripe.Config{SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret, BaseURL: w.stripe.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if w.queue, err = jobs.NewQueue(w.db.StaffPool()); err != nil {
		t.Fatal(err)
	}
	if w.accounts, err = accounts.New(w.db, w.clock); err != nil {
		t.Fatal(err)
	}
	subs, inv := subscriptions.New(w.db, w.clock), invoices.New(w.db, w.clock)
	w.keys, w.plans = keys.New(w.db, w.clock, []byte("a pepper for tests")), plans.New(w.db, w.clock)
	w.billing = billing.New(billing.Parts{DB: w.db, Clock: w.clock, Stripe: pay, Accounts: w.accounts, Plans: w.plans, Subscriptions: subs, Invoices: inv, Queue: w.queue, PublicURL: w.url})
	healthy := telemetry.Part{Name: "database", Check: func(context.Context) (telemetry.State, string) { return telemetry.Healthy, "" }}
	published := catalog.New(w.db, w.clock, w.queue, catalog.Guards{Documents: outbound.Networks(nil, nil), Upstreams: outbound.Networks(nil, nil)})
	return portal.Screens{
		Site:    &site.Pages{Catalog: published, Plans: w.plans, Subscriptions: subs, Clock: w.clock, GatewayURL: "http://gateway.example", PublicURL: w.url},
		Studio:  &studio.Pages{Catalog: published, Plans: w.plans, Accounts: w.accounts, Subscriptions: subs, Clock: w.clock},
		API:     &api.Handlers{DB: w.db, Clock: w.clock, Subscriptions: subs},
		Auth:    &site.Auth{Accounts: w.accounts, Home: portal.Home},
		Account: &account.Pages{Accounts: w.accounts, Billing: w.billing},
		Console: &console.Console{DB: w.db, Clock: w.clock, Accounts: w.accounts, Applications: applications.New(w.db), Keys: w.keys, Subscriptions: subs,
			Plans: w.plans, Billing: w.billing, Invoices: inv, GatewayURL: "http://gateway.example"},
		Finance:  &finance.Finance{Clock: w.clock, Invoices: inv, Billing: w.billing, CallsKept: 400},
		Ops:      &ops.Ops{DB: w.db, Clock: w.clock, Parts: []telemetry.Part{healthy}, WriteOffs: writeoff.New(w.db, w.clock)},
		Clock:    &ops.Clock{DB: w.db, Clock: w.clock, Mover: w},
		Webhooks: &ops.Webhooks{Billing: w.billing},
	}
}

// Move implements ops.Mover.
func (w *world) Move(ctx context.Context, to time.Time) (billing.Done, error) {
	w.stripe.Clock.Advance(to.Sub(w.clock.Now()))
	w.clock.MoveTo(to.Sub(w.clock.Real()))
	return w.billing.CatchUp(ctx)
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.StaffPool().Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// catalog publishes an API with two operations, a product and three plans.
func (w *world) catalog() {
	t := w.t
	t.Helper()
	api, upstream := uuid.New(), uuid.New()
	w.version, w.operation = uuid.New(), uuid.New()
	w.exec(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'weather', 'Weather', 'public', now())`, api)
	w.exec(`INSERT INTO upstreams (id, created_at) VALUES ($1, now())`, upstream)
	w.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 0, 'http://127.0.0.1:9')`, upstream)
	w.exec(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ($1, $2, $3, 'v1', 'published', '/weather', 'Weather', 'openapi', '{}', 2, now())`, w.version, api, upstream)
	for i, op := range []openapi.Operation{
		{Slug: "station", Method: "GET", Path: "/stations/{id}", Parameters: []openapi.Parameter{{Name: "id", In: "path", Required: true, Example: json.RawMessage(`"ZRH"`)}}},
		{Slug: "current", Method: "GET", Path: "/current"},
	} {
		detail, err := json.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		id := uuid.New()
		if op.Slug == "current" {
			id = w.operation
		}
		w.exec(`INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES ($1, $2, $3, $4, $5, $6, $7, '')`, id, w.version, op.Slug, i, op.Method, op.Path, string(detail))
	}
	w.sell()
}

func (w *world) sell() {
	t := w.t
	t.Helper()
	ctx, actor := postgres.AsStaff(context.Background()), uuid.Nil
	var err error
	if w.product, err = w.plans.CreateProduct(ctx, actor, plans.NewProduct{Slug: "weather", Name: "Weather", Versions: []uuid.UUID{w.version}}); err != nil {
		t.Fatal(err)
	}
	usage := &pricing.Component{Model: pricing.Graduated, Included: 20, Tiers: []pricing.Tier{{UpTo: 100, Rate: decimal.RequireFromString("0.25")}, {UpTo: pricing.NoEnd, Rate: decimal.RequireFromString("0.1")}}}
	for _, p := range []struct {
		to *plans.Offer
		in plans.NewPlan
	}{
		{&w.free, plans.NewPlan{Slug: "free", Name: "Free", Sale: plans.SelfServe, Currency: "usd", Limits: []plans.Limit{plans.Quota(1000, true)}}},
		{&w.pro, plans.NewPlan{Slug: "pro", Name: "Pro", Sale: plans.SelfServe, Currency: "usd", RecurringFee: 4900, Limits: []plans.Limit{plans.Rate(50, time.Second)}, Usage: usage}},
		{&w.ask, plans.NewPlan{Slug: "enterprise", Name: "Enterprise", Sale: plans.OnRequest, Currency: "usd"}},
	} {
		p.in.Product = w.product.ID
		if *p.to, err = w.plans.CreatePlan(ctx, actor, p.in); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) usage() {
	t := w.t
	t.Helper()
	var err error
	if w.spool, err = spool.New(spool.Config{Dir: t.TempDir(), SegmentSlots: 1024, MaxSegments: 4}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.spool.Close() })
	w.shipper = metering.NewShipper(w.spool, w.db.StaffPool(), "gateway-1", w.clock.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// call meters n forwarded calls with a key, a second apart, beginning at from.
func (w *world) call(key, subscription uuid.UUID, from time.Time, n int, flags uint8) {
	w.t.Helper()
	w.answered(key, subscription, from, n, flags, http.StatusOK)
}

// answered is call with an answer of any status.
func (w *world) answered(key, subscription uuid.UUID, from time.Time, n int, flags uint8, status uint16) {
	t := w.t
	t.Helper()
	r := spool.Record{Key: key, Subscription: subscription, Version: w.version, Operation: w.operation, Method: "GET", Path: "/weather/current", Status: status, Flags: flags, Units: 1, Duration: 38 * time.Millisecond}
	if err := w.db.StaffPool().QueryRow(context.Background(), `SELECT org_id, application_id FROM keys WHERE id = $1`, key).Scan(&r.Org, &r.Application); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r.RequestID, r.At = uuid.Must(uuid.NewV7()), from.Add(time.Duration(i)*time.Second)
		if err := w.spool.Reserve(); err != nil {
			t.Fatal(err)
		}
		if err := w.spool.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.shipper.ShipPending(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// id reads one id from the database.
func (w *world) id(sql string, args ...any) (id uuid.UUID) {
	w.t.Helper()
	if err := w.db.StaffPool().QueryRow(context.Background(), sql, args...).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// browser is a person with cookies. It follows no redirect by itself.
type browser struct {
	w      *world
	client *http.Client
	email  string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// customer signs somebody up.
func (w *world) customer(email string) *browser {
	w.t.Helper()
	b := w.browser()
	b.email = email
	b.post("/signup", "email", email, "password", password).expect(http.StatusSeeOther, "")
	return b
}

// staff signs in somebody of the provider's.
func (w *world) staff(role string) *browser {
	w.t.Helper()
	b := w.browser()
	b.email = role + "@provider.example"
	if _, err := w.accounts.AddStaff(context.Background(), accounts.SignUp{Email: b.email, Password: password}, "Provider", role); err != nil {
		w.t.Fatal(err)
	}
	b.post("/login", "email", b.email, "password", password).expect(http.StatusSeeOther, "")
	return b
}

// answer is what a request got.
type answer struct {
	t        *testing.T
	what     string
	status   int
	location string
	header   http.Header
	body     string
}

func (b *browser) do(method, path string, form url.Values) answer {
	t := b.w.t
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{t, method + " " + path, res.StatusCode, res.Header.Get("Location"), res.Header, string(body)}
}

func (b *browser) get(path string) answer {
	b.w.t.Helper()
	return b.do(http.MethodGet, strings.TrimPrefix(path, b.w.url), nil)
}

func (b *browser) post(path string, form ...string) answer {
	b.w.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	return b.do(http.MethodPost, path, values)
}

// expect checks the status, where it leads, and what the page says.
func (a answer) expect(status int, location string, says ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%s", a.what, a.status, status, text(a.body))
	}
	if location != "" && a.location != location {
		a.t.Fatalf("%s: leads to %q, want %q", a.what, a.location, location)
	}
	for _, s := range says {
		if !strings.Contains(a.body, s) && !strings.Contains(text(a.body), s) {
			a.t.Errorf("%s: does not say %q\n%s", a.what, s, text(a.body))
		}
	}
	return a
}

var (
	tags   = regexp.MustCompile(`(?s)<script.*?</script>|<svg.*?</svg>|<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// text is what a page says, without its markup.
func text(html string) string {
	return strings.TrimSpace(blanks.ReplaceAllString(strings.NewReplacer("&#39;", "'", "&amp;", "&", "&#34;", `"`).Replace(tags.ReplaceAllString(html, " ")), " "))
}
