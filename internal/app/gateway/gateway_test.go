package gateway_test

import (
	"bufio"
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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/app/gateway"
	"tollgate/internal/identity"
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
	upstream *upstream
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
	url := pgtest.URL(t)
	db, err := pool.Open(context.Background(), url, pool.Staff, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	b := &bundle{t: t, db: db, upstream: newUpstream(t), org: uuid.New(), app: uuid.New(), version: uuid.New(), product: uuid.New()}
	b.fixtures()
	cfg := gateway.Config{
		Listen: freePort(t), PrivateListen: freePort(t), ID: "test", DatabaseURL: url, DataDir: t.TempDir(), PortalURL: "http://portal.test", Pepper: pepper, IdentitySecret: secret,
		UpstreamNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, UpstreamTimeout: 5 * time.Second, SpoolSegmentSlots: 64, SpoolMaxSegments: 64, DrainTimeout: 30 * time.Second,
	}
	b.url = "http://" + cfg.Listen
	b.start(cfg)
	return b
}

func (b *bundle) start(cfg gateway.Config) {
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- gateway.Run(ctx, cfg, slog.New(slog.DiscardHandler), func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-done:
		b.t.Fatalf("the gateway did not start: %v", err)
	}
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("the gateway ended with %v", err)
		}
	})
	b.t.Cleanup(b.stop)
	b.eventually("the gateway answers", func() bool {
		resp, err := http.Get(b.url + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
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
	b.exec(`INSERT INTO upstreams (id, live_url, sign_identity, created_at) VALUES ($1, $2, true, $3)`, upstreamID, b.upstream.URL, now)
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
	deadline := time.Now().Add(20 * time.Second)
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
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	var p struct{ Code string }
	_ = json.Unmarshal(body, &p)
	return result{resp.StatusCode, p.Code, resp.Header, string(body)}
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

func TestACallIsForwardedLimitedAndMeteredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 100, 1000)
	key := b.key(b.app, token.Live)
	got := b.call("GET", "/shop/things/42?x=1", key)
	if got.status != 200 || got.body != "GET /things/42" {
		t.Fatalf("%+v", got)
	}
	for name, want := range map[string]string{"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-Quota-Limit": "1000", "X-Quota-Remaining": "999"} {
		if v := got.header.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s = %v, want %s", name, v, want)
		}
	}
	reset, err := strconv.ParseInt(got.header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || time.Until(time.Unix(reset, 0)) > time.Hour || time.Until(time.Unix(reset, 0)) < -time.Second {
		t.Errorf("reset %d, %v", reset, err)
	}
	if got.header.Get("RateLimit-Policy") == "" || !strings.Contains(got.header.Get("RateLimit"), `"hour";r=99`) {
		t.Errorf("structured fields: %q, %q", got.header.Get("RateLimit-Policy"), got.header.Get("RateLimit"))
	}
	b.metered(1)
	b.stop()
	var id, path string
	var status, units, calls int
	err = b.db.QueryRow(context.Background(), `SELECT request_id::text, path, status, units, (SELECT sum(calls) FROM usage_hourly) FROM usage_events`).Scan(&id, &path, &status, &units, &calls)
	if err != nil || id != got.header.Get("X-Request-Id") || path != "/things/42" || status != 200 || units != 1 || calls != 1 {
		t.Errorf("stored %s %s %d %d, rolled up %d, %v", id, path, status, units, calls, err)
	}
}

func TestEachRefusalHasItsStatusAndIsNotMetered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 100, 0)
	unpaid, stranger := b.application(), b.application()
	b.subscribe(unpaid, "unpaid", 100, 0)
	key, unpaidKey, strangerKey := b.key(b.app, token.Live), b.key(unpaid, token.Live), b.key(stranger, token.Live)
	for _, c := range []struct {
		name, method, path, key string
		header                  []string
		status                  int
		code                    string
	}{
		{"no key", "GET", "/shop/things", "", nil, 401, "missing-key"},
		{"not a key", "GET", "/shop/things", "hello", nil, 401, "malformed-key"},
		{"one changed character", "GET", "/shop/things", key[:len(key)-1] + "~", nil, 401, "malformed-key"},
		{"unknown key", "GET", "/shop/things", token.Mint(token.Live), nil, 401, "invalid-key"},
		{"two different keys", "GET", "/shop/things", key, []string{"X-API-Key", strangerKey}, 400, "ambiguous-key"},
		{"no subscription", "GET", "/shop/things", strangerKey, nil, 403, "not-subscribed"},
		{"unpaid", "GET", "/shop/things", unpaidKey, nil, 402, "payment-required"},
		{"unknown route", "GET", "/elsewhere", key, nil, 404, "unknown-route"},
		{"a prefix that is not a segment", "GET", "/shopping/things", key, nil, 404, "unknown-route"},
		{"unknown operation", "DELETE", "/shop/things", key, nil, 404, "unknown-route"},
		{"unknown method", "BREW", "/shop/things", key, nil, 405, "method-not-allowed"},
		{"trace", "TRACE", "/shop/things", key, nil, 405, "method-not-allowed"},
		{"encoded slash", "GET", "/shop/things/a%2Fb", key, nil, 400, "bad-path"},
		{"encoded dots", "GET", "/shop/%2e%2e/admin", key, nil, 400, "bad-path"},
		{"semicolon", "GET", "/shop/things;x=/../1", key, nil, 400, "bad-path"},
		{"double slash", "GET", "/shop//things", key, nil, 400, "bad-path"},
		{"malformed query", "GET", "/shop/things?a=1;b=2", key, nil, 400, "bad-path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.call(c.method, c.path, c.key, c.header...)
			if got.status != c.status || got.code != c.code {
				t.Errorf("%d %s, want %d %s", got.status, got.code, c.status, c.code)
			}
			if got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("X-Request-Id") == "" {
				t.Errorf("headers %v", got.header)
			}
		})
	}
	if got := b.call("GET", "/shop/things", "", "X-API-Key", key); got.status != 200 {
		t.Errorf("X-API-Key: %d", got.status)
	}
	b.metered(1)
	b.stop()
	if n := b.metered(1); n != 1 || len(b.upstream.calls()) != 1 {
		t.Errorf("%d calls metered, %d reached the upstream, want 1 and 1", n, len(b.upstream.calls()))
	}
	var refused int
	if err := b.db.QueryRow(context.Background(), `SELECT sum(calls) FROM refusals WHERE code = 'ambiguous-key'`).Scan(&refused); err != nil || refused != 1 {
		t.Errorf("%d refusals counted, %v", refused, err)
	}
}

func TestTooManyCallsGet429ThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 3, 0)
	key := b.key(b.app, token.Live)
	for want := 2; want >= 0; want-- {
		if got := b.call("GET", "/shop/things", key); got.status != 200 || got.header.Get("X-RateLimit-Remaining") != strconv.Itoa(want) {
			t.Fatalf("%d, remaining %s, want %d", got.status, got.header.Get("X-RateLimit-Remaining"), want)
		}
	}
	got := b.call("GET", "/shop/things", key)
	var body struct {
		Error      string `json:"error"`
		RetryAfter int    `json:"retry_after"`
		Type       string `json:"type"`
		Policy     string `json:"policy"`
		PlanURL    string `json:"plan_url"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	if got.status != 429 || body.Error != "Rate limit exceeded" || body.RetryAfter < 1 || got.header.Get("Retry-After") != strconv.Itoa(body.RetryAfter) ||
		body.Policy != "3 calls per hour" || body.PlanURL != "http://portal.test/pricing/shop" || body.Type != "http://portal.test/problems/rate-limit-exceeded" {
		t.Errorf("%d %+v", got.status, body)
	}
	if got := b.call("GET", "/shop/things", b.key(b.app, token.Test)); got.status != 200 {
		t.Errorf("a test key shares the live key's limit: %d", got.status)
	}
}

func TestAHardQuotaIsNeverOversold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 0, 40)
	key := b.key(b.app, token.Live)
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				got := b.call("GET", "/shop/things", key)
				mu.Lock()
				statuses[got.status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if statuses[200] != 40 || statuses[429] != 40 {
		t.Errorf("statuses %v, want 40 × 200 and 40 × 429", statuses)
	}
	if got := b.call("GET", "/shop/things", key); got.code != "quota-exceeded" || got.header.Get("X-Quota-Remaining") != "0" || got.header.Get("Retry-After") == "" {
		t.Errorf("%+v", got)
	}
}

func TestAPeriodEndsByTheCalendarAlsoWhileThePortalIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	past := func(sub uuid.UUID, cancelled bool) {
		now := time.Now()
		b.exec(`UPDATE subscriptions SET period_start = $2, period_end = $3, cancel_at_end = $4 WHERE id = $1`, sub, now.AddDate(0, -1, -1), now.Add(-time.Minute), cancelled)
		b.exec(`INSERT INTO quota_grants (subscription_id, period_start, granted) SELECT id, period_start, 5 FROM subscriptions WHERE id = $1`, sub)
	}
	past(b.subscribe(b.app, "active", 0, 5), false)
	other := b.application()
	past(b.subscribe(other, "active", 0, 5), true)

	renewed := b.call("GET", "/shop/things", b.key(b.app, token.Live))
	if renewed.status != 200 || renewed.header.Get("X-Quota-Remaining") != "4" {
		t.Errorf("the quota of the next period is not there: %+v", renewed)
	}
	if reset, _ := strconv.ParseInt(renewed.header.Get("X-Quota-Reset"), 10, 64); reset <= time.Now().Unix() {
		t.Errorf("the quota resets at %d, which has passed", reset)
	}
	ended := b.call("GET", "/shop/things", b.key(other, token.Live))
	if ended.status != 403 || ended.code != "not-subscribed" || ended.header.Get("X-Quota-Limit") != "" {
		t.Errorf("a cancelled subscription goes on after its end: %+v", ended)
	}
}

func TestWhatAClientSaysOfItselfDoesNotReachTheUpstream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 0, 0)
	key := b.key(b.app, token.Live)
	// written by hand: net/http would tidy these
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "GET /shop/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTollgate-Identity: forged\r\nTollgate_Identity: forged\r\nX-Consumer-Id: 1\r\n"+
		"X_Consumer_Id: 1\r\nX.Forwarded.For: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-Ip: 1.2.3.4\r\nX-HTTP-Method-Override: DELETE\r\n"+
		"Connection: close, Tollgate-Identity, X-Request-Id\r\nUpgrade: h2c\r\n\r\n", key)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	h := b.upstream.calls()[0].Header
	for _, name := range []string{"Authorization", "Tollgate_identity", "X-Consumer-Id", "X_consumer_id", "X.forwarded.for", "Forwarded", "X-Real-Ip", "X-Http-Method-Override", "Upgrade"} {
		if v := h.Values(name); len(v) > 0 {
			t.Errorf("%s reached the upstream: %v", name, v)
		}
	}
	if got := h.Values("X-Forwarded-For"); len(got) != 1 || got[0] != "127.0.0.1" {
		t.Errorf("X-Forwarded-For %v", got)
	}
	caller, err := identity.Verify([]byte(secret), h.Get(identity.Header), time.Now())
	if err != nil || caller.Organization != b.org {
		t.Errorf("identity %+v, %v", caller, err)
	}
}

func TestFailuresOfTheUpstreamAreMeteredAndNotBilled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 0, 100)
	key := b.key(b.app, token.Live)
	if got := b.call("GET", "/shop/fail", key); got.status != 500 {
		t.Fatalf("%+v", got)
	}
	b.upstream.Close()
	got := b.call("GET", "/shop/things", key)
	if got.status != 502 || got.code != "upstream-unreachable" {
		t.Fatalf("%+v", got)
	}
	b.metered(2)
	b.stop()
	var billable, granted int
	if err := b.db.QueryRow(context.Background(), `SELECT count(*) FILTER (WHERE billable), (SELECT granted FROM quota_grants) FROM usage_events`).Scan(&billable, &granted); err != nil || billable != 0 || granted != 0 {
		t.Errorf("%d billable, %d of the quota spent, %v", billable, granted, err)
	}
}

func TestARevokedKeyStops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 0, 0)
	key := b.key(b.app, token.Live)
	b.exec(`UPDATE keys SET revoked_at = now()`)
	b.eventually("the key is refused", func() bool { return b.call("GET", "/shop/things", key).code == "invalid-key" })
}
