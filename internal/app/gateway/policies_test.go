package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

// limit adds a limit to the plan of a subscription.
func (b *bundle) limit(sub uuid.UUID, position int, columns, values string) {
	b.t.Helper()
	b.exec(fmt.Sprintf(`INSERT INTO plan_limits (plan_version_id, position, hard, %s) SELECT plan_version_id, %d, true, %s FROM subscriptions WHERE id = $1`, columns, position, values), sub)
}

func TestCallsAtOnceAreBoundedAndPlacesComeBack(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	entered, release := make(chan struct{}, 100), make(chan struct{})
	up.on("/things/held", func(conn net.Conn, _ captured) bool {
		entered <- struct{}{}
		<-release
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return err == nil
	})
	up.says("/things/broken", "SSH-2.0\r\n\r\n")
	up.says("/things/half", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
	up.on("/things/half", func(conn net.Conn, _ captured) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	sub := b.subscribe(b.app, "active", 0, 0)
	b.limit(sub, 0, "kind, calls, window_seconds", "'concurrency', 2, 0")
	key := b.key(b.app, token.Live)
	free := func() { // a call that its client gave up ends a moment later
		b.eventually("both places are free", func() bool {
			return strings.Contains(b.call("GET", "/-/limits", key).body, `"remaining":2`)
		})
	}
	for server, header := range map[string][]string{"plain": nil, "standard": {"TE", "trailers"}} {
		t.Run(server, func(t *testing.T) {
			free()
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if got := b.call("GET", "/shop/things/held", key, header...); got.status != 200 {
						t.Errorf("%d %s", got.status, got.code)
					}
				})
				<-entered
			}
			for range 5 {
				if got := b.call("GET", "/shop/things", key, header...); got.status != 429 || got.code != "concurrency-limit-exceeded" || got.header.Get("Retry-After") == "" {
					t.Errorf("a third at once: %d %s, Retry-After %q", got.status, got.code, got.header.Get("Retry-After"))
				}
			}
			release <- struct{}{}
			release <- struct{}{}
			wg.Wait()
			// whatever becomes of calls, their places come back
			for range 3 {
				free()
				for _, path := range []string{"/shop/things/broken", "/shop/nowhere", "/shop/things/%2e", "/shop/things"} {
					if got := b.call("GET", path, key, header...); got.status == 429 {
						t.Errorf("%s: %s", path, got.code)
					}
				}
				conn, err := net.Dial("tcp", b.cfg.Listen)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = fmt.Fprintf(conn, "GET /shop/things/half HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", key)
				_, _ = readAnswer(bufio.NewReader(conn), "GET")
				_ = conn.Close()
				conn, err = net.Dial("tcp", b.cfg.Listen)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = fmt.Fprintf(conn, "POST /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: 100\r\n\r\nabc", key)
				_ = conn.Close()
			}
			b.eventually("all places are free", func() bool {
				for range 3 {
					if b.call("GET", "/shop/things", key, header...).status != 200 {
						return false
					}
				}
				return true
			})
		})
	}
}

func TestSeveralLimitsHoldTogetherAndTheScarcestIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(b.app, "active", 0, 0)
	b.limit(sub, 0, "kind, calls, window_seconds, algorithm", "'rate', 9, 3600, 'fixed_window'")
	b.limit(sub, 1, "kind, calls, window_seconds, algorithm", "'rate', 5, 86400, 'sliding_log'")
	b.limit(sub, 2, "kind, calls, window_seconds, operation", "'rate', 2, 3600, 'POST /things'")
	b.exec(`UPDATE operations SET weight = 3 WHERE path = '/things/{id}'`)
	key := b.key(b.app, token.Live)
	b.eventually("the weight is known", func() bool {
		got := b.call("GET", "/shop/things/9", key)
		return got.header.Get("X-RateLimit-Cost") == "3" && got.header.Get("X-RateLimit-Remaining") == "2"
	})
	if got := b.call("GET", "/shop/things/1", key); got.status != 429 || got.header.Get("X-RateLimit-Cost") != "" {
		t.Errorf("3 of 2: %d, cost %q", got.status, got.header.Get("X-RateLimit-Cost"))
	}
	for _, want := range []int{1, 0} { // the refused one took nothing
		if got := b.call("POST", "/shop/things", key); got.status != 200 || got.header.Get("X-RateLimit-Remaining") != strconv.Itoa(want) {
			t.Errorf("%d, %s left, want %d", got.status, got.header.Get("X-RateLimit-Remaining"), want)
		}
	}
	got := b.call("POST", "/shop/things", key)
	if got.status != 429 || got.code != "rate-limit-exceeded" {
		t.Errorf("%d %s", got.status, got.code)
	}
	// another amount for this customer counts on from where the window stands
	user := uuid.New()
	b.exec(`INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, 'a@example.com', 'x', $2)`, user, time.Now())
	b.exec(`INSERT INTO limit_overrides (id, org_id, subscription_id, plan_version_id, position, calls, reason, expires_at, created_by, created_at)
		SELECT gen_random_uuid(), org_id, id, plan_version_id, 1, 7, 'asked for', $2, $3, $4 FROM subscriptions WHERE id = $1`, sub, time.Now().Add(time.Hour), user, time.Now())
	b.eventually("two more pass", func() bool { return b.call("GET", "/shop/things", key).status == 200 })
	if got := b.call("GET", "/shop/things", key); got.status != 200 || got.header.Get("X-RateLimit-Limit") != "7" || got.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("the second of two: %d, %s of %s left", got.status, got.header.Get("X-RateLimit-Remaining"), got.header.Get("X-RateLimit-Limit"))
	}
	if got := b.call("GET", "/shop/things", key); got.status != 429 {
		t.Errorf("the override forgot what was counted: %d", got.status)
	}
}

func TestAskingForLimitsIsFree(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 3, 10)
	key := b.key(b.app, token.Live)
	for range 20 {
		got := b.call("GET", "/-/limits", key)
		var body struct {
			Mode          string
			Subscriptions []struct {
				Limits []struct{ Limit, Remaining int }
				Quota  struct{ Limit, Remaining int }
			}
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 || body.Mode != "live" || len(body.Subscriptions) != 1 ||
			body.Subscriptions[0].Limits[0].Remaining != 3 || body.Subscriptions[0].Quota.Remaining != 10 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	for name, c := range map[string]struct{ key, code string }{"none": {"", "missing-key"}, "unknown": {token.Mint(token.Live), "invalid-key"}} {
		if got := b.call("GET", "/-/limits", c.key); got.status != 401 || got.code != c.code {
			t.Errorf("key %s: %d %s", name, got.status, got.code)
		}
	}
	if got := b.call("GET", "/shop/things", key); got.header.Get("X-RateLimit-Remaining") != "2" || got.header.Get("X-Quota-Remaining") != "9" {
		t.Errorf("%s and %s left", got.header.Get("X-RateLimit-Remaining"), got.header.Get("X-Quota-Remaining"))
	}
	b.stop()
	if n := b.metered(1); n != 1 {
		t.Errorf("%d calls metered", n)
	}
}

func TestUnitsThatAnswersSayAreMeteredExactly(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	long := strings.Repeat("x", 100_000)
	usage := func(n int) string { return fmt.Sprintf(`{"text":%q,"usage":{"total":%d}}`, long, n) }
	chunked := func(s string) string {
		out := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		for part := range slices.Chunk([]byte(s), 777) {
			out += fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
		}
		return out + "0\r\n\r\n"
	}
	plain := func(s, more string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", more, len(s), s)
	}
	want := map[string]int{}
	for name, c := range map[string]struct {
		answer string
		units  int
	}{
		"length":   {plain(usage(41), ""), 41},
		"chunks":   {chunked(usage(42)), 42},
		"none":     {plain(usage(0), ""), 0},
		"negative": {plain(usage(-5), ""), 7},
		"missing":  {plain(`{"usage":{}}`, ""), 7},
		"broken":   {plain(`{"usage":{"total":4`, ""), 7},
		"text":     {plain(`{"usage":{"total":"44"}}`, ""), 7},
		"fraction": {plain(`{"usage":{"total":4.5}}`, ""), 7},
		"huge":     {plain(`{"usage":{"total":99999999999999}}`, ""), 7},
		"not-json": {plain(`usage total 44`, ""), 7},
		"two-mb":   {plain(`{"usage":{"total":44},"x":"`+strings.Repeat("x", 2<<20)+`"}`, ""), 7},
	} {
		up.says("/things/"+name, c.answer)
		want["/things/"+name] = c.units
	}
	up.says("/things", plain("{}", "X-UNITS: 12\r\n"))
	want["/things"] = 12
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	b.exec(`UPDATE operations SET weight = 7, units_from = 'json:$.usage.total' WHERE path = '/things/{id}'`)
	b.exec(`UPDATE operations SET units_from = 'header:X-Units' WHERE path = '/things'`)
	key := b.goodKey()
	b.eventually("the operations are known", func() bool { return b.call("GET", "/shop/things/length", key).header.Get("X-RateLimit-Cost") == "7" })
	for path := range want {
		for _, te := range []string{"", "trailers"} {
			header := []string{"Accept-Encoding", "br", "TE", te}
			if te == "" {
				header = header[:2]
			}
			if got := b.call("GET", "/shop"+path, key, header...); got.status != 200 {
				t.Errorf("%s: %d", path, got.status)
			}
			calls := up.calls()
			if v := calls[len(calls)-1].values("accept-encoding"); path != "/things" && (len(v) != 1 || v[0] != "identity") {
				t.Errorf("%s: the answer may be compressed: %q", path, v)
			}
		}
	}
	b.stop()
	rows, err := b.db.Query(context.Background(), `SELECT path, units FROM usage_events`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var path string
		var units int
		if err := rows.Scan(&path, &units); err != nil {
			t.Fatal(err)
		}
		if units != want[path] {
			t.Errorf("%s: %d units, want %d", path, units, want[path])
		}
	}
	if n < 2*len(want) {
		t.Errorf("%d calls metered", n)
	}
}

func TestPagesOfAllowedOriginsMayCall(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.says("/things", "HTTP/1.1 200 OK\r\nVary: Accept-Encoding\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nContent-Length: 2\r\n\r\nok")
	b := setupWith(t, 30*time.Second, behind(up))
	b.exec(`UPDATE apis SET cors = '{"origins": ["https://app.example"], "headers": ["X-Trace"], "max_age": 600}'`)
	key := b.goodKey()
	for server, te := range map[string][]string{"plain": nil, "standard": {"TE", "trailers"}} {
		ask := func(method, key string, header ...string) result {
			return b.call(method, "/shop/things", key, append(header, te...)...)
		}
		before := len(up.calls())
		if got := ask("OPTIONS", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST"); got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
			!strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "X-Trace") || got.header.Get("Access-Control-Max-Age") != "600" || got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: preflight: %d %v", server, got.status, got.header)
		}
		if got := ask("OPTIONS", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: preflight of a stranger: %d %v", server, got.status, got.header)
		}
		if n := len(up.calls()); n != before {
			t.Errorf("%s: %d preflights reached the upstream", server, n-before)
		}
		for origin, want := range map[string]string{"https://app.example": "[https://app.example]", "https://evil.example": "[]", "https://app.example.evil.example": "[]", "null": "[]", "http://app.example": "[]"} {
			got := ask("GET", key, "Origin", origin)
			if fmt.Sprint(got.header.Values("Access-Control-Allow-Origin")) != want || got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %s: %v", server, origin, got.header)
			}
			if vary := strings.Join(got.header.Values("Vary"), ", "); !strings.Contains(vary, "Origin") || !strings.Contains(vary, "Accept-Encoding") {
				t.Errorf("%s: %s: Vary %q", server, origin, vary)
			}
		}
		if got := ask("GET", "", "Origin", "https://app.example"); got.status != 401 || got.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("%s: a page cannot read its refusal: %d %v", server, got.status, got.header)
		}
	}
}
