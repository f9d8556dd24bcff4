package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

// raw sends bytes as they are and returns the answer.
func (b *bundle) raw(request string) *http.Response {
	b.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatalf("no answer: %v", err)
	}
	b.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestARefusedCallerNeedNotSendItsBodyFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if resp := b.raw("POST /shop/things HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); resp.StatusCode != 401 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestAnUploadThatStallsDoesNotOutlastTheTimeout(t *testing.T) {
	t.Parallel()
	b := setupWith(t, time.Second)
	b.subscribe(b.app, "active", 0, 0)
	key := b.key(b.app, token.Live)
	resp := b.raw("POST /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\nContent-Length: 1000\r\n\r\nabc")
	if resp.StatusCode != 504 && resp.StatusCode != 400 {
		t.Errorf("status %d", resp.StatusCode)
	}
	b.metered(1)
	if n := b.billable(); n != 0 {
		t.Errorf("%d billable calls", n)
	}
}

func TestAnAnswerThatTheUpstreamBreaksOffIsNotBilled(t *testing.T) {
	t.Parallel()
	b := setupWith(t, 2*time.Second)
	b.subscribe(b.app, "active", 0, 10)
	key := b.key(b.app, token.Live)
	b.upstream.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 1000))
		w.(http.Flusher).Flush()
		if r.URL.Path == "/things/slow" {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	})
	for _, path := range []string{"/shop/things/dies", "/shop/things/slow"} {
		resp := b.raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\n\r\n")
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Errorf("%s: the client cannot tell that the answer is not whole", path)
		}
	}
	b.metered(2)
	if n := b.billable(); n != 0 {
		t.Errorf("%d billable calls", n)
	}
	b.upstream.Config.Handler = http.NotFoundHandler()
	if got := b.call("GET", "/shop/things", key); got.header.Get("X-Quota-Remaining") != "9" {
		t.Errorf("they cost quota: %s remain", got.header.Get("X-Quota-Remaining"))
	}
}

func TestEarlyHintsLeaveTheRequestIDAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 0, 0)
	key := b.key(b.app, token.Live)
	b.upstream.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "the upstream's own")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "ok")
	})
	got := b.call("GET", "/shop/things", key)
	if ids := got.header.Values("X-Request-Id"); len(ids) != 1 || uuid.Validate(ids[0]) != nil {
		t.Errorf("request ids %q", ids)
	}
}

func TestTestKeysReachOnlyAnUpstreamForTests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(b.app, "active", 0, 0)
	key := b.key(b.app, token.Test)
	if got := b.call("GET", "/shop/things", key); got.status != 403 || got.code != "no-test-mode" {
		t.Errorf("%+v", got)
	}
	if n := len(b.upstream.calls()); n != 0 {
		t.Errorf("%d calls reached the live upstream", n)
	}
	b.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT upstream_id, 'test', position, url || '/sandbox' FROM upstream_targets WHERE mode = 'live'`)
	b.eventually("test calls go to the sandbox", func() bool {
		return b.call("GET", "/shop/things", key).body == "GET /sandbox/things"
	})
}

func TestAPrivateAPIIsUnknownToStrangers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`UPDATE apis SET visibility = 'private'`)
	b.subscribe(b.app, "active", 0, 0)
	if got := b.call("GET", "/shop/things", b.key(b.app, token.Live)); got.status != 200 {
		t.Errorf("a subscriber got %d %s", got.status, got.code)
	}
	stranger := b.key(b.application(), token.Live)
	if got, nowhere := b.call("GET", "/shop/things", stranger), b.call("GET", "/nowhere", stranger); got.status != 404 || got.code != nowhere.code || strings.Contains(got.body, "shop") {
		t.Errorf("%+v", got)
	}
	b.stop()
	if n := b.metered(1); n != 1 {
		t.Errorf("%d calls are metered", n)
	}
}
