package gateway_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

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

// An upstream that cannot be reached, or not safely, is 502: nothing is sent to
// it and nothing is billed.
func TestAnUpstreamThatCannotBeReachedSafelyIsNotCalled(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	secured := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS() // nobody trusts its certificate
	defer secured.Close()
	closed := newCapture(t)
	_ = closed.listener.Close()
	resets := newCapture(t)
	resets.on("/things", func(conn net.Conn, _ captured) bool { _ = conn.(*net.TCPConn).SetLinger(0); return false })
	for name, url := range map[string]string{
		"an untrusted certificate": secured.URL, "no such name": "http://nowhere.invalid:80", "nobody listens": closed.url(), "a reset": resets.url(), "credentials of a cloud machine": "http://169.254.169.254",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupWith(t, 30*time.Second, func(b *bundle) { b.target = url }, called(once))
			key := b.goodKey()
			for _, te := range [][]string{nil, {"TE", "trailers"}} {
				if got := b.call("GET", "/shop/things", key, te...); got.status != 502 || got.code != "upstream-unreachable" {
					t.Errorf("%d %s", got.status, got.code)
				}
			}
			b.stop()
			for id, e := range b.events() {
				if e.billable || e.status != 502 {
					t.Errorf("%s: %+v", id, e)
				}
			}
			if n := reached.Load(); n > 0 {
				t.Errorf("%d calls were sent", n)
			}
		})
	}
}
