package portal_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/shopspring/decimal"

	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/openapi"
	"tollgate/internal/plans"
	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
)

// world is a whole portal in which something is sold and used.
type world struct {
	*portaltest.Portal
	t         *testing.T
	spool     *spool.Spool
	shipper   *metering.Shipper
	version   uuid.UUID
	operation uuid.UUID
	product   plans.Product
	free, pro plans.Offer
	ask       plans.Offer
}

const password = portaltest.Password

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Portal: portaltest.New(t), t: t}
	w.catalog()
	w.usage()
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.DB.StaffPool().Exec(context.Background(), sql, args...); err != nil {
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
	if w.product, err = w.Plans.CreateProduct(ctx, actor, plans.NewProduct{Slug: "weather", Name: "Weather", Versions: []uuid.UUID{w.version}}); err != nil {
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
		if *p.to, err = w.Plans.CreatePlan(ctx, actor, p.in); err != nil {
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
	w.shipper = metering.NewShipper(w.spool, w.DB.StaffPool(), "gateway-1", w.Clock.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
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
	if err := w.DB.StaffPool().QueryRow(context.Background(), `SELECT org_id, application_id FROM keys WHERE id = $1`, key).Scan(&r.Org, &r.Application); err != nil {
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
	if err := w.DB.StaffPool().QueryRow(context.Background(), sql, args...).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// browser is a person with cookies. It follows no redirect by itself.
type browser struct {
	*portaltest.Browser
	w     *world
	email string
}

func (w *world) browser() *browser { return &browser{Browser: w.Stranger(w.t), w: w} }

// customer signs somebody up.
func (w *world) customer(email string) *browser {
	w.t.Helper()
	return &browser{Browser: w.Customer(w.t, email), w: w, email: email}
}

// staff signs in somebody of the provider's.
func (w *world) staff(role string) *browser {
	w.t.Helper()
	return &browser{Browser: w.Staff(w.t, role), w: w, email: role + "@provider.example"}
}

// answer is what a request got.
type answer struct {
	portaltest.Answer
	t    *testing.T
	what string
}

func (b *browser) do(method, path string, form url.Values) answer {
	b.w.t.Helper()
	header := http.Header{}
	if method == http.MethodPost {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return answer{b.Send(method, path, header, strings.NewReader(form.Encode())), b.w.t, method + " " + path}
}

func (b *browser) get(path string) answer {
	b.w.t.Helper()
	return b.do(http.MethodGet, strings.TrimPrefix(path, b.w.URL), nil)
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
	if a.Status != status {
		a.t.Fatalf("%s: status %d, want %d\n%s", a.what, a.Status, status, text(a.Body))
	}
	if location != "" && a.Location != location {
		a.t.Fatalf("%s: leads to %q, want %q", a.what, a.Location, location)
	}
	for _, s := range says {
		if !strings.Contains(a.Body, s) && !strings.Contains(text(a.Body), s) {
			a.t.Errorf("%s: does not say %q\n%s", a.what, s, text(a.Body))
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
