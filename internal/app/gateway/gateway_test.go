package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/identity"
	"tollgate/internal/keys/token"
)

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
	b.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT upstream_id, 'test', position, url FROM upstream_targets WHERE mode = 'live'`)
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
