package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/app/gateway"
	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/private"
)

// ownDatabase starts a PostgreSQL that the test may stop. Again starts it anew,
// on its port.
func ownDatabase(t *testing.T) (url string, stop func(), again func()) {
	t.Helper()
	cfg := private.Config{Dir: filepath.Join(t.TempDir(), "pg"), Fast: true, Logger: slog.New(slog.DiscardHandler)}
	cluster, err := private.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	if _, err := postgres.Migrate(context.Background(), cluster.URL); err != nil {
		t.Fatal(err)
	}
	url = cluster.URL
	host := strings.SplitN(strings.SplitN(url, "@", 2)[1], "/", 2)[0]
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Sscan(port, &cfg.Port)
	stop = func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	}
	again = func() {
		if cluster, err = private.Start(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	return url, stop, again
}

func TestCallsGoOnWithoutTheDatabaseAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	url, stopDatabase, startDatabase := ownDatabase(t)
	up := newCapture(t)
	b := assemble(t, url, 30*time.Second, behind(up), func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
	b.start(b.cfg)
	b.subscribe(b.app, "active", 1_000_000, 0)
	key := b.key(b.app, token.Live)
	var calls, bad atomic.Int64
	load := func(during func()) {
		var wg sync.WaitGroup
		end := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-end:
						return
					default:
					}
					if got := b.call("GET", "/shop/things", key); got.status != 200 {
						bad.Add(1)
						t.Errorf("%d %s", got.status, got.code)
						return
					}
					calls.Add(1)
				}
			})
		}
		during()
		from := calls.Load()
		for calls.Load() < from+500 && bad.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		close(end)
		wg.Wait()
	}
	load(stopDatabase)
	b.stop()
	b.start(b.cfg)
	load(func() {})
	if got := b.call("GET", "/shop/things", token.Mint(token.Live)); got.status != 401 {
		t.Errorf("an unknown key while the database is away: %d %s", got.status, got.code)
	}
	startDatabase()
	b.eventually("all usage has arrived", func() bool {
		var n int64
		err := b.db.QueryRow(context.Background(), `SELECT count(*) FROM usage_events WHERE billable`).Scan(&n)
		return err == nil && n == calls.Load()
	})
	b.audit(up)
}

func TestACallIsRepeatedOnlyWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	first, second := newCapture(t), newCapture(t)
	dies := func(net.Conn, captured) bool { return false } // read whole, and no answer
	first.on("/things", dies)
	b := setupWith(t, 30*time.Second, behind(first), called(`{"breaker": {"percent": -1}, "passive": {"failures": -1}, "retry": {"attempts": 2, "budget": 100}}`))
	b.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT upstream_id, mode, 1, $1 FROM upstream_targets`, second.url())
	key := b.goodKey()
	b.eventually("both targets are called", func() bool {
		b.call("GET", "/shop/things/7", key)
		return len(first.calls()) > 0 && len(second.calls()) > 0
	})
	count := func(method string) (n int) {
		for _, c := range append(first.calls(), second.calls()...) {
			if c.method() == method && c.path() == "/things" {
				n++
			}
		}
		return n
	}
	for _, server := range []string{"", "TE: trailers\r\n"} {
		for i := range 10 {
			got := b.speaks(fmt.Sprintf("GET /shop/things HTTP/1.1\r\nHost: x\r\n%sX-API-Key: %s\r\nConnection: close\r\n\r\n", server, key))
			if len(got) != 1 || got[0].status != 200 {
				t.Errorf("GET %d: %v", i, statuses(got))
			}
		}
		posted := count("POST")
		failed := 0
		for range 10 {
			got := b.speaks(fmt.Sprintf("POST /shop/things HTTP/1.1\r\nHost: x\r\n%sX-API-Key: %s\r\nConnection: close\r\nIdempotency-Key: k\r\nContent-Length: 3\r\n\r\nabc", server, key))
			if len(got) != 1 || (got[0].status != 200 && got[0].status != 502) {
				t.Errorf("POST: %v", statuses(got))
			} else if got[0].status == 502 {
				failed++
			}
		}
		if n := count("POST") - posted; n != 10 {
			t.Errorf("10 posts were sent %d times", n)
		}
		if failed == 0 {
			t.Error("no post met the target that dies: the case shows nothing")
		}
	}
	b.stop()
	for id, e := range b.events() {
		if e.status == 502 && e.billable {
			t.Errorf("%s is billed: %+v", id, e)
		}
	}
}

func TestTheSecondTargetTakesOver(t *testing.T) {
	t.Parallel()
	first, second := newCapture(t), newCapture(t)
	b := setupWith(t, 30*time.Second, behind(first))
	b.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT upstream_id, mode, 1, $1 FROM upstream_targets`, second.url())
	key := b.goodKey()
	b.eventually("both targets are called", func() bool {
		b.call("GET", "/shop/things/7", key)
		return len(first.calls()) > 0 && len(second.calls()) > 0
	})
	_ = first.listener.Close()
	first.on("/things", func(net.Conn, captured) bool { return false }) // also on connections that live
	for i := range 100 {
		for _, te := range []string{"", "trailers"} {
			header := []string{"TE", te}
			if te == "" {
				header = nil
			}
			if got := b.call("GET", "/shop/things", key, header...); got.status != 200 {
				t.Fatalf("call %d: %d %s", i, got.status, got.code)
			}
		}
	}
}

func TestAnUpstreamThatIsGoneIsGivenARestAndClientsFaultsNeverDoThat(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	for range 60 { // bodies that break off, in ways that the gateway forwards or not
		for _, raw := range []string{
			"POST /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
			"POST /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\nContent-Length: 100000\r\n\r\nabc",
			"GET /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", b.cfg.Listen)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, raw)
			_ = conn.Close()
		}
	}
	for range 50 {
		if got := b.call("GET", "/shop/things", key); got.status != 200 {
			t.Fatalf("after faults of clients: %d %s", got.status, got.code)
		}
	}
	_ = up.listener.Close()
	up.on("/things", func(net.Conn, captured) bool { return false })
	var last result
	b.eventually("the upstream is given a rest", func() bool { last = b.call("GET", "/shop/things", key); return last.status == 503 })
	if last.code != "upstream-unavailable" || last.header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", last.code, last.header.Get("Retry-After"))
	}
	b.stop()
	for id, e := range b.events() {
		if e.status == 503 {
			t.Errorf("%s was not forwarded, and is metered: %+v", id, e)
		}
	}
}

func TestAnAnswerMayTakeLongerThanTheTimeoutAsLongAsPartsCome(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	const parts = 12
	up.on("/things", func(conn net.Conn, _ captured) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range parts {
			time.Sleep(300 * time.Millisecond)
			if _, err := io.WriteString(conn, "8\r\ndata: 1\n\r\n"); err != nil {
				return false
			}
		}
		_, err := io.WriteString(conn, "0\r\n\r\n")
		return err == nil
	})
	b := setupWith(t, 3*time.Second, behind(up), called(once))
	silent := make(chan struct{})
	t.Cleanup(func() { close(silent) })
	up.on("/things/silent", func(net.Conn, captured) bool { <-silent; return false })
	key := b.goodKey()
	for _, te := range []string{"", "TE: trailers\r\n"} {
		t.Run("events "+te, func(t *testing.T) {
			t.Parallel()
			got := b.speaks("GET /shop/things HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
			if len(got) != 1 || got[0].status != 200 || !got[0].whole || strings.Count(got[0].body, "data") != parts {
				t.Errorf("%+v", got)
			}
		})
		t.Run("silence "+te, func(t *testing.T) {
			t.Parallel()
			got := b.speaks("GET /shop/things/silent HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
			if len(got) != 1 || got[0].status != 504 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestACallEndsWithTheTimeThatItsAPIGivesIt(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.on("/things", func(conn net.Conn, _ captured) bool {
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for err == nil { // for as long as somebody reads
			time.Sleep(20 * time.Millisecond)
			_, err = io.WriteString(conn, "8\r\ndata: 1\n\r\n")
		}
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(`{"timeouts": {"call": 700000000}}`))
	key := b.goodKey()
	for _, te := range []string{"", "TE: trailers\r\n"} {
		got := b.speaks("GET /shop/things HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
		if len(got) != 1 || got[0].status != 200 || got[0].whole {
			t.Errorf("%q: %+v", te, got)
		}
	}
}

func TestASocketIsForWhomMayCallAndEndsWithTheKey(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.on("/things/socket", func(conn net.Conn, r captured) bool {
		if len(r.values("upgrade")) == 0 {
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
			return err == nil
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		_, _ = io.Copy(conn, conn) // an echo
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(`{"websocket": true}`))
	key := b.goodKey()
	revoked, _ := b.addKey(b.app, token.Live, "revoked_at", "now()")
	open := func(key, protocol string) (net.Conn, *bufio.Reader, int) {
		conn, err := net.Dial("tcp", b.cfg.Listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = fmt.Fprintf(conn, "GET /shop/things/socket HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n", key, protocol)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, r, resp.StatusCode
	}
	for name, k := range map[string]string{"no key": "", "an unknown key": token.Mint(token.Live), "a revoked key": revoked} {
		if _, _, status := open(k, "websocket"); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if n := len(up.calls()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
	if _, _, status := open(key, "h2c"); status != 200 {
		t.Errorf("another protocol: %d", status)
	}
	conn, r, status := open(key, "websocket")
	if status != 101 {
		t.Fatalf("status %d", status)
	}
	for _, text := range []string{"hello", "again"} {
		_, _ = io.WriteString(conn, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	b.exec(`UPDATE keys SET revoked_at = now()`)
	if _, err := r.ReadByte(); err == nil {
		t.Error("bytes that nobody sent")
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the socket outlives its key")
	}
	b.audit(up)
	sockets := 0
	for _, e := range b.events() {
		if e.status == 101 {
			sockets++
		}
	}
	if sockets != 1 {
		t.Errorf("%d sockets are metered", sockets)
	}
}

// rolling is a client of two gateways. It keeps connections alive, or opens one
// for each call, and takes the other gateway only where it cannot connect.
type rolling struct {
	addrs [2]string
	keep  bool
	key   string
	conns [2]net.Conn
	turn  int
}

func (c *rolling) call() (id string, err error) {
	c.turn++
	for try := range 2 {
		i := (c.turn + try) % 2
		if c.conns[i] == nil {
			conn, err := net.Dial("tcp", c.addrs[i])
			if err != nil {
				continue
			}
			c.conns[i] = conn
		}
		return c.on(i)
	}
	return "", fmt.Errorf("nobody listens")
}

func (c *rolling) on(i int) (id string, err error) {
	conn := c.conns[i]
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(conn, "GET /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", c.key); err != nil {
		return "", fmt.Errorf("send to %s: %w", c.addrs[i], err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", fmt.Errorf("read from %s: %w", c.addrs[i], err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		return "", fmt.Errorf("%s from %s: %w", resp.Status, c.addrs[i], err)
	}
	if resp.Close || !c.keep {
		_ = conn.Close()
		c.conns[i] = nil
	}
	return resp.Header.Get("X-Request-Id"), nil
}

func TestRollingRestartsFailNoCallAndLoseNoUsage(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
	other := b.cfg
	other.Listen, other.PrivateListen, other.ID, other.DataDir = freePort(t), freePort(t), "other", t.TempDir()
	key := b.goodKey()
	sites := [2]gateway.Config{b.cfg, other}
	stops := [2]func(){b.stop}
	start := func(i int) {
		b.url = "http://" + sites[i].Listen
		b.start(sites[i])
		stops[i] = b.stop
	}
	start(1)
	b.eventually("the other one knows the key", func() bool { return b.call("GET", "/shop/things", key).status == 200 })
	end := make(chan struct{})
	var mu sync.Mutex
	answered := map[string]bool{}
	var failures []error
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			c := &rolling{addrs: [2]string{sites[0].Listen, sites[1].Listen}, keep: n%2 == 0, key: key}
			for {
				select {
				case <-end:
					return
				default:
				}
				id, err := c.call()
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
					c.conns = [2]net.Conn{}
				} else {
					answered[id] = true
				}
				mu.Unlock()
			}
		})
	}
	for i := range 20 {
		stops[i%2]()
		start(i % 2)
	}
	close(end)
	wg.Wait()
	stops[0]()
	stops[1]()
	if len(failures) > 0 {
		t.Errorf("%d of %d calls failed, such as: %v", len(failures), len(answered)+len(failures), failures[0])
	}
	metered := b.events()
	for id := range answered {
		if _, ok := metered[id]; !ok {
			t.Errorf("%s was answered and not metered", id)
		}
	}
	t.Logf("%d calls", len(answered))
}
