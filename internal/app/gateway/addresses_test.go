package gateway_test

import (
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

func TestFailedKeysAreBoundedByAddress(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) {
		b.cfg.FailedKeys = 100
		b.cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	key := b.goodKey()
	from := func(ip, key string) result { return b.call("GET", "/shop/things", key, "X-Forwarded-For", ip) }
	for range 100 {
		if got := from("203.0.113.1", token.Mint(token.Live)); got.status != 401 {
			t.Fatalf("%d %s", got.status, got.code)
		}
	}
	got := from("203.0.113.1", token.Mint(token.Live))
	if wait, _ := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || got.code != "too-many-failed-keys" || wait < 1 || wait > 60 {
		t.Errorf("%d %s, Retry-After %q", got.status, got.code, got.header.Get("Retry-After"))
	}
	if got := from("203.0.113.1", ""); got.code != "missing-key" {
		t.Errorf("without a key: %s", got.code)
	}
	if got := from("203.0.113.2", key); got.status != 200 {
		t.Errorf("a good key from another address: %d %s", got.status, got.code)
	}
	// whoever is not behind the trusted proxy cannot speak for another
	if got := from("203.0.113.1, 203.0.113.3", key); got.status != 200 {
		t.Errorf("an address to the left of an untrusted one counts: %d %s", got.status, got.code)
	}
	if got := from("203.0.113.3, 203.0.113.1", key); got.code != "too-many-failed-keys" {
		t.Errorf("the address that the proxy saw does not count: %d %s", got.status, got.code)
	}
}

func TestAKeyIsUsedFromItsNetworksAlone(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	b.goodKey()
	away, _ := b.addKey(b.app, token.Live, "networks", "'{203.0.113.0/24}'")
	home, _ := b.addKey(b.app, token.Live, "networks", "'{203.0.113.0/24,127.0.0.0/8}'")
	b.eventually("the keys are known", func() bool { return b.call("GET", "/shop/things", home).status == 200 })
	for name, h := range map[string][]string{
		"plain": nil, "a claim": {"X-Forwarded-For", "203.0.113.9"}, "two claims": {"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "203.0.113.9"},
		"another claim": {"X-Real-IP", "203.0.113.9"}, "a standard claim": {"Forwarded", "for=203.0.113.9"}, "with net/http": {"X-Forwarded-For", "203.0.113.9", "TE", "trailers"},
	} {
		if got := b.call("GET", "/shop/things", away, h...); got.status != 403 || got.code != "address-not-allowed" {
			t.Errorf("%s: %d %s", name, got.status, got.code)
		}
	}
	b.audit(up)
}

func TestBehindATrustedProxyTheLastUntrustedAddressCounts(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) {
		b.cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	key := b.goodKey()
	for claim, want := range map[string]string{
		"": "127.0.0.1", "203.0.113.9": "203.0.113.9", "1.2.3.4, 203.0.113.9": "203.0.113.9", "203.0.113.9, 10.1.1.1": "203.0.113.9",
		"1.2.3.4, nonsense": "127.0.0.1", "nonsense, 203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9", "2001:db8::1": "2001:db8::1", "203.0.113.9:80": "127.0.0.1",
	} {
		for _, te := range []string{"", "trailers"} { // with TE: through net/http
			header := []string{"X-Forwarded-For", claim, "TE", te}
			if te == "" {
				header = header[:2]
			}
			if got := b.call("GET", "/shop/things", key, header...); got.status != 200 {
				t.Fatalf("%+v", got)
			}
			calls := up.calls()
			if got := calls[len(calls)-1].values("x-forwarded-for"); len(got) != 1 || got[0] != want {
				t.Errorf("%q became %q, want %s", claim, got, want)
			}
		}
	}
}

func TestCallsWithoutAKeyAreLimitedByAddressAndMetered(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) {
		b.cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	plan, terms := uuid.New(), uuid.New()
	b.exec(`INSERT INTO plans (id, product_id, slug, name, sale, position, created_at) VALUES ($1, $2, 'open', 'Open', 'anonymous', 0, $3)`, plan, b.product, time.Now())
	b.exec(`INSERT INTO plan_versions VALUES ($1, $2, 1, 'usd', 0, $3)`, terms, plan, time.Now())
	b.exec(`INSERT INTO plan_limits (plan_version_id, position, kind, calls, window_seconds, hard, scope) VALUES ($1, 0, 'rate', 3, 3600, true, 'ip')`, terms)
	from := func(ip string, h ...string) result {
		return b.call("GET", "/shop/things", "", append(h, "X-Forwarded-For", ip)...)
	}
	b.eventually("calls without a key are let in", func() bool { return from("203.0.113.99").header.Get("X-RateLimit-Limit") == "3" })
	for _, ip := range []string{"203.0.113.1", "203.0.113.2"} {
		for left := 2; left >= 0; left-- {
			if got := from(ip); got.status != 200 || got.header.Get("X-RateLimit-Remaining") != strconv.Itoa(left) {
				t.Errorf("%s: %d, %s left, want %d", ip, got.status, got.header.Get("X-RateLimit-Remaining"), left)
			}
		}
		if got := from(ip); got.status != 429 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", ip, got.status, got.code)
		}
	}
	if got := from("203.0.113.3", "Authorization", "Bearer "+token.Mint(token.Live)); got.code != "invalid-key" {
		t.Errorf("an unknown key is not passed over: %d %s", got.status, got.code)
	}
	for _, r := range up.calls() {
		if len(r.values("tollgate-identity")) > 0 {
			t.Errorf("a call without a key has an identity: %q", r.lines)
		}
	}
	want := len(up.calls())
	b.stop()
	var rows, owned int
	if err := b.db.QueryRow(context.Background(), `SELECT count(*), count(*) FILTER (WHERE org_id::text NOT LIKE '00000000%') FROM usage_events`).Scan(&rows, &owned); err != nil || rows != want || owned != 0 {
		t.Errorf("%d calls metered, %d of them somebody's, want %d and 0: %v", rows, owned, want, err)
	}
}
