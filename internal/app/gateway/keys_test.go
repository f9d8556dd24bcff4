package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

// addKey makes a key with more columns than usual.
func (b *bundle) addKey(app uuid.UUID, mode token.Mode, columns, values string) (key string, id uuid.UUID) {
	b.t.Helper()
	key, id = token.Mint(mode), uuid.New()
	hash := token.Sum([]byte(pepper), key)
	b.exec(fmt.Sprintf(`INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at, %s) VALUES ($1, $2, $3, 'k', $4, 'd', $5, $6, %s)`, columns, values),
		id, b.org, app, mode, hash[:], time.Now())
	return key, id
}

// plainly is a refusal without what differs from call to call.
func plainly(r result) string {
	return regexp.MustCompile(`"request_id":"[^"]*"`).ReplaceAllString(fmt.Sprint(r.status, r.header.Get("WWW-Authenticate"), r.header.Get("Retry-After"), r.body), "")
}

func TestOfAKeyThatIsNotGoodNothingMoreIsTold(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	revoked, _ := b.addKey(b.app, token.Live, "revoked_at", "now()")
	expired, _ := b.addKey(b.app, token.Live, "expires_at", "now() - interval '1 second'")
	unknown := plainly(b.call("GET", "/shop/things", token.Mint(token.Live)))
	for name, k := range map[string]string{"revoked": revoked, "expired": expired, "of test mode": token.Mint(token.Test)} {
		if got := plainly(b.call("GET", "/shop/things", k)); got != unknown {
			t.Errorf("%s: %s, and an unknown one: %s", name, got, unknown)
		}
	}
	for i := range len(key) {
		flipped := []byte(key)
		flipped[i] = "Ab"[b2i(flipped[i] == 'A')]
		if got := b.call("GET", "/shop/things", string(flipped)); got.code != "malformed-key" {
			t.Fatalf("character %d changed: %d %s", i, got.status, got.code)
		}
	}
	for name, headers := range map[string][]string{
		"two keys of two headers":    {"X-API-Key", token.Mint(token.Live)},
		"two keys of one header":     {"Authorization", "Bearer " + token.Mint(token.Live)},
		"a good and a malformed one": {"X-API-Key", "hello"},
	} {
		if got := b.call("GET", "/shop/things", key, headers...); got.status != 400 || got.code != "ambiguous-key" {
			t.Errorf("%s: %d %s", name, got.status, got.code)
		}
	}
	if n := len(up.calls()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
	if got := b.call("GET", "/shop/things", key, "X-API-Key", key); got.status != 200 {
		t.Errorf("the same key twice: %d %s", got.status, got.code)
	}
	b.audit(up)
}

// A key in the address would be in everybody's logs, and the upstream's.
func TestAKeyInTheAddressIsRefusedAndGoesNowhere(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	var logs bytes.Buffer
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) { b.logs = slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}) })
	key := b.goodKey()
	plan := uuid.New() // anonymous calls are let in: without a look at the address, this would be one
	b.exec(`INSERT INTO plans (id, product_id, slug, name, sale, position, created_at) VALUES ($1, $2, 'open', 'Open', 'anonymous', 0, $3)`, plan, b.product, time.Now())
	b.exec(`INSERT INTO plan_versions VALUES ($1, $2, 1, 'usd', 0, $3)`, uuid.New(), plan, time.Now())
	b.eventually("calls without a key are let in", func() bool { return b.call("GET", "/shop/things", "").status == 200 })
	before := len(up.calls())
	unknown := token.Mint(token.Live)
	for _, te := range [][]string{nil, {"TE", "trailers"}} {
		for _, query := range []string{"api_key=" + key, "x=1&anything=" + key + "&y=2", key, "q=tg_tg_live_" + key, "api_key=" + unknown} {
			got := b.call("GET", "/shop/things?"+query, "", te...)
			if got.status != 401 || got.code != "missing-key" || !strings.Contains(got.body, "A key in the address is not taken") || strings.Contains(got.body, key) {
				t.Errorf("%s: %d %s", query, got.status, got.body)
			}
			if got := b.call("GET", "/shop/things?"+query, key, te...); got.status != 400 || got.code != "ambiguous-key" {
				t.Errorf("%s, and one in a header: %d %s", query, got.status, got.code)
			}
			if got := b.call("GET", "/-/limits?"+query, "", te...); got.status != 401 || !strings.Contains(got.body, "in the address") {
				t.Errorf("%s, asking for limits: %d %s", query, got.status, got.body)
			}
		}
	}
	if calls := up.calls()[before:]; len(calls) > 0 {
		t.Errorf("the upstream saw %v", calls)
	}
	if got := b.call("GET", "/shop/things?q=tg_live_&key="+key[:len(key)-1]+"~", key); got.status != 200 {
		t.Errorf("what is no key: %d %s", got.status, got.code)
	}
	b.stop()
	for _, k := range []string{key, unknown} {
		if strings.Contains(logs.String(), k) {
			t.Errorf("%s is in the logs", k)
		}
		var stored int
		if err := b.db.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM usage_events e WHERE e::text LIKE $1) + (SELECT count(*) FROM refusals r WHERE r::text LIKE $1)`, "%"+k+"%").Scan(&stored); err != nil || stored > 0 {
			t.Errorf("%s is in %d rows, %v", k, stored, err)
		}
	}
	if logs.Len() == 0 {
		t.Error("nothing is logged: the case shows nothing")
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestAKeyCallsWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.goodKey()
	one, _ := b.addKey(b.app, token.Live, "scopes", "'{shop/op0}'")
	other, _ := b.addKey(b.app, token.Live, "scopes", "'{elsewhere}'")
	all, _ := b.addKey(b.app, token.Live, "scopes", "'{shop}'")
	b.eventually("the keys are known", func() bool { return b.call("GET", "/shop/things", all).status == 200 })
	for _, c := range []struct {
		key, method, path string
		status            int
	}{
		{one, "GET", "/shop/things", 200}, {one, "POST", "/shop/things", 403}, {one, "GET", "/shop/things/1", 403}, {one, "GET", "/shop/%74hings", 200}, {one, "HEAD", "/shop/things", 200},
		{other, "GET", "/shop/things", 403}, {all, "POST", "/shop/things", 200},
	} {
		if got := b.call(c.method, c.path, c.key); got.status != c.status || (c.status == 403 && got.code != "operation-not-allowed") {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, got.status, got.code, c.status)
		}
	}
}

// A key that is replaced works on, with the new one, until its time; then it stops.
func TestRotationOverlapsWithoutARefusal(t *testing.T) {
	t.Parallel()
	b := setupWith(t, 30*time.Second, func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
	old := b.goodKey()
	var refused atomic.Int64
	var key atomic.Pointer[string]
	key.Store(&old)
	const calls, workers = 5_000, 16 // each with both keys
	var wg sync.WaitGroup
	var made atomic.Int64
	for range workers {
		wg.Go(func() {
			client := b.line()
			defer func() { _ = client.Close() }()
			for made.Add(1) <= calls {
				for _, k := range []string{old, *key.Load()} {
					if got, err := client.get("/shop/things", k); err != nil || got.status != 200 {
						refused.Add(1)
					}
				}
			}
		})
	}
	b.exec(`UPDATE keys SET replaced = true, expires_at = $1`, time.Now().Add(time.Hour))
	next := b.key(b.app, token.Live)
	key.Store(&next)
	wg.Wait()
	if n := refused.Load(); n > 0 {
		t.Errorf("%d of %d calls were refused", n, 2*calls)
	}
	// at its time, to the second, by the business clock
	ends := time.Now().Add(2 * time.Second)
	b.exec(`UPDATE keys SET expires_at = $1 WHERE replaced`, ends)
	var last result
	b.eventually("the old key stops", func() bool { last = b.call("GET", "/shop/things", old); return last.status == 401 })
	if at := time.Now(); at.Before(ends) || last.code != "invalid-key" {
		t.Errorf("it stopped %s before its time, with %s", ends.Sub(at), last.code)
	}
	if got := b.call("GET", "/shop/things", next); got.status != 200 {
		t.Errorf("the new key: %d %s", got.status, got.code)
	}
}
