package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/app/gateway"
	"tollgate/internal/keys/token"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
)

const (
	pepper = "a pepper for the tests"
	secret = "an identity secret for the tests"
)

// bundle is a running gateway with a database of its own and an upstream that
// keeps what it was sent.
type bundle struct {
	t        testing.TB
	db       *pgxpool.Pool
	url      string
	client   *http.Transport // its connections end with the gateway: a drain waits for those that rest
	upstream *upstream
	target   string // the upstream's address
	policy   string // how it is called
	cfg      gateway.Config
	logs     slog.Handler
	org, app uuid.UUID
	version  uuid.UUID
	product  uuid.UUID
	stop     func()
}

type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		u.mu.Lock()
		u.seen = append(u.seen, r)
		u.mu.Unlock()
		w.Header().Set("X-RateLimit-Limit", "7")
		w.Header().Set("X-Request-Id", "the upstream's own")
		if r.URL.Path == "/fail" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) calls() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*http.Request{}, u.seen...)
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// setup starts a gateway in front of an API with operations GET /things,
// POST /things, GET /things/{id} and GET /fail under the prefix /shop.
func setup(t testing.TB) *bundle {
	t.Helper()
	return setupWith(t, 30*time.Second) // never reached, however busy the machine is
}

// setupWith is setup with a timeout for the upstream, and with changes to what
// is started.
func setupWith(t testing.TB, timeout time.Duration, changes ...func(*bundle)) *bundle {
	t.Helper()
	b := assemble(t, pgtest.URL(t), timeout, changes...)
	b.start(b.cfg)
	return b
}

// newBundle is setupWith without starting the gateway.
func newBundle(t testing.TB, changes ...func(*bundle)) *bundle {
	t.Helper()
	return assemble(t, pgtest.URL(t), 30*time.Second, changes...)
}

// assemble is setupWith without starting anything.
func assemble(t testing.TB, url string, timeout time.Duration, changes ...func(*bundle)) *bundle {
	t.Helper()
	b := prepare(t, url, timeout, changes...)
	b.fixtures()
	return b
}

// prepare is assemble without anything in the database.
func prepare(t testing.TB, url string, timeout time.Duration, changes ...func(*bundle)) *bundle {
	t.Helper()
	db, err := pool.Open(context.Background(), url, pool.Staff, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	b := &bundle{t: t, db: db, client: &http.Transport{MaxIdleConnsPerHost: 64}, upstream: newUpstream(t), org: uuid.New(), app: uuid.New(), version: uuid.New(), product: uuid.New()}
	b.target, b.policy, b.logs = b.upstream.URL, "{}", slog.DiscardHandler
	b.cfg = gateway.Config{
		Listen: freePort(t), PrivateListen: freePort(t), ID: "test", DatabaseURL: url, DataDir: t.TempDir(), PortalURL: "http://portal.test", Pepper: pepper, IdentitySecret: secret,
		UpstreamNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, UpstreamTimeout: timeout, SpoolSegmentSlots: 64, SpoolMaxSegments: 64, DrainTimeout: 30 * time.Second,
	}
	b.url = "http://" + b.cfg.Listen
	for _, change := range changes {
		change(b)
	}
	return b
}

func (b *bundle) start(cfg gateway.Config) {
	b.run(cfg)
	b.eventually("the gateway is ready", func() bool { return b.call("GET", "/readyz", "").status == http.StatusOK })
}

// run starts a gateway, which may not be ready yet.
func (b *bundle) run(cfg gateway.Config) {
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- gateway.Run(ctx, cfg, slog.New(b.logs), func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-done:
		b.t.Fatalf("the gateway did not start: %v", err)
	}
	b.stop = sync.OnceFunc(func() {
		b.client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("the gateway ended with %v", err)
		}
	})
	b.t.Cleanup(b.stop)
}

func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(context.Background(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *bundle) fixtures() {
	now := time.Now()
	upstreamID, apiID := uuid.New(), uuid.New()
	b.exec(`INSERT INTO organizations (id, name, created_at) VALUES ($1, 'Acme', $2)`, b.org, now)
	b.exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES ($1, $2, 'Default', $3)`, b.app, b.org, now)
	b.exec(`INSERT INTO upstreams (id, sign_identity, policy, created_at) VALUES ($1, true, $2, $3)`, upstreamID, b.policy, now)
	b.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 0, $2)`, upstreamID, b.target)
	b.exec(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'shop', 'Shop', 'public', $2)`, apiID, now)
	b.exec(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ($1, $2, $3, '1', 'published', '/shop', 'Shop', 'OpenAPI 3.1.0', '{}', 4, $4)`, b.version, apiID, upstreamID, now)
	for i, op := range []struct{ method, path string }{{"GET", "/things"}, {"POST", "/things"}, {"GET", "/things/{id}"}, {"GET", "/fail"}} {
		b.exec(`INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES ($1, $2, $3, $4, $5, $6, '{}', '')`,
			uuid.New(), b.version, "op"+strconv.Itoa(i), i, op.method, op.path)
	}
	b.exec(`INSERT INTO products (id, slug, name, created_at) VALUES ($1, 'shop', 'Shop', $2)`, b.product, now)
	b.exec(`INSERT INTO product_versions VALUES ($1, $2)`, b.product, b.version)
}

// subscribe puts an application on a plan with the given limits; 0 is none.
func (b *bundle) subscribe(app uuid.UUID, state string, perHour, quota int) uuid.UUID {
	plan, terms, sub := uuid.New(), uuid.New(), uuid.New()
	now := time.Now()
	b.exec(`INSERT INTO plans (id, product_id, slug, name, sale, position, created_at) VALUES ($1, $2, $3, 'Test', 'self_serve', 0, $4)`, plan, b.product, plan.String(), now)
	b.exec(`INSERT INTO plan_versions VALUES ($1, $2, 1, 'usd', 0, $3)`, terms, plan, now)
	if perHour > 0 {
		b.exec(`INSERT INTO plan_limits VALUES ($1, 0, 'rate', $2, 3600, true)`, terms, perHour)
	}
	if quota > 0 {
		b.exec(`INSERT INTO plan_limits VALUES ($1, 1, 'quota', $2, 0, true)`, terms, quota)
	}
	b.exec(`INSERT INTO subscriptions (id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $7)`, sub, b.org, app, terms, b.product, state, now.Add(-time.Hour), now.AddDate(0, 1, 0))
	return sub
}

func (b *bundle) application() uuid.UUID {
	id := uuid.New()
	b.exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES ($1, $2, 'Other', $3)`, id, b.org, time.Now())
	return id
}

// key makes a key and waits until the gateway knows it.
func (b *bundle) key(app uuid.UUID, mode token.Mode) string {
	key := token.Mint(mode)
	hash := token.Sum([]byte(pepper), key)
	b.exec(`INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at) VALUES ($1, $2, $3, 'k', $4, 'd', $5, $6)`, uuid.New(), b.org, app, mode, hash[:], time.Now())
	b.eventually("the key is known", func() bool {
		return b.call("GET", "/shop/no-such-operation", key).code != "invalid-key"
	})
	return key
}

func (b *bundle) eventually(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			b.t.Fatalf("never came true: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

type result struct {
	status int
	code   string
	header http.Header
	body   string
}

func (b *bundle) call(method, path, key string, header ...string) result {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := b.client.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	var p struct{ Code string }
	_ = json.Unmarshal(body, &p)
	return result{resp.StatusCode, p.Code, resp.Header, string(body)}
}

// billable counts the stored calls that are billed.
func (b *bundle) billable() (n int) {
	b.t.Helper()
	if err := b.db.QueryRow(context.Background(), `SELECT count(*) FROM usage_events WHERE billable`).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// metered counts the stored calls, once as many as expected are there.
func (b *bundle) metered(want int) (rows int) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%d calls are metered", want), func() bool {
		if err := b.db.QueryRow(context.Background(), `SELECT count(*) FROM usage_events`).Scan(&rows); err != nil {
			b.t.Fatal(err)
		}
		return rows >= want
	})
	return rows
}
