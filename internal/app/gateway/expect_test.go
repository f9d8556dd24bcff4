package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/keys/token"
)

// servers are what may come first on a connection, so that the next request is
// read by one or the other of the gateway's two servers.
func servers(key string) map[string]string {
	return map[string]string{
		"alone":          "",
		"behind a plain": asked("GET /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key),
		"handed over":    asked("GET /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Upgrade: nothing", "Connection: Upgrade"),
	}
}

// Whoever asks before sending a body is told of a refusal, and not to go on.
func TestARefusedCallerIsNotToldToSendItsBody(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	other := b.application()
	b.subscribe(other, "active", 1, 0)
	limited := b.key(other, token.Live)
	if got := b.call("GET", "/shop/things", limited); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	var all sync.WaitGroup // at once: net/http waits before it closes a connection
	good := 1
	for name, c := range map[string]struct {
		path, header string
		status       int
	}{
		"no key":            {"/shop/things", "A: b", 401},
		"an unknown key":    {"/shop/things", "X-API-Key: " + token.Mint(token.Live), 401},
		"two keys":          {"/shop/things", "X-API-Key: " + key + "\r\nAuthorization: Bearer " + limited, 400},
		"over its limit":    {"/shop/things", "X-API-Key: " + limited, 429},
		"no such operation": {"/shop/nowhere", "X-API-Key: " + key, 404},
		"a head too large":  {"/shop/things", "X-API-Key: " + key + "\r\nX-Large: " + strings.Repeat("a", 64<<10), 431},
	} {
		for server, before := range servers(key) {
			for framing, body := range map[string]string{"Content-Length: 54": smuggled, "Transfer-Encoding: chunked": "5\r\nabcde\r\n0\r\n\r\n"} {
				want := []int{c.status}
				if before != "" {
					want = []int{200, c.status}
				}
				good += 2 * (len(want) - 1)
				head := before + asked("POST "+c.path+" HTTP/1.1", "Host: x", c.header, framing, "Expect: 100-continue")
				all.Go(func() { // it waits for an answer: without a body the connection cannot go on
					if got := statuses(b.speaks(head)); !slices.Equal(got, want) {
						t.Errorf("%s, %s, %s: answers %v, want %v", name, server, framing, got, want)
					}
				})
				all.Go(func() { // it does not wait: its body is no request
					got := statuses(b.speaks(head + body + asked("GET /shop/things/last HTTP/1.1", "Host: x", "Connection: close")))
					if !slices.Equal(got, want) && !slices.Equal(got, append(slices.Clone(want), 401)) {
						t.Errorf("%s, %s, %s, with a body: answers %v, want %v", name, server, framing, got, want)
					}
				})
			}
		}
		if status, _ := b.overH2(stream{fields: expecting(c.path, c.header), open: true}); c.status != 431 && status != fmt.Sprint(c.status) {
			t.Errorf("%s, HTTP/2: the first answer is %s, want %d", name, status, c.status)
		}
	}
	all.Wait()
	if n := len(up.calls()); n != good {
		t.Errorf("the upstream saw %d calls, want %d", n, good)
	}
	for _, r := range up.calls() {
		if r.method() == "POST" || strings.Contains(r.line, "smuggled") {
			t.Errorf("the upstream saw %s", r.line)
		}
	}
	b.audit(up)
}

func TestAGoodCallerIsToldToSendItsBodyAndItArrivesOnce(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	for server, before := range servers(key) {
		conn, err := net.Dial("tcp", b.cfg.Listen)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		r := bufio.NewReader(conn)
		_, _ = io.WriteString(conn, before)
		if before != "" {
			if a, err := readAnswer(r, "GET"); err != nil || a.status != 200 {
				t.Fatalf("%s: %+v, %v", server, a, err)
			}
		}
		_, _ = io.WriteString(conn, asked("POST /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Content-Length: 3", "Expect: 100-continue"))
		if a, err := readAnswer(r, "POST"); err != nil || a.status != 100 {
			t.Errorf("%s: %d, %v, want 100", server, a.status, err)
		}
		_, _ = io.WriteString(conn, "abc")
		if a, err := readAnswer(r, "POST"); err != nil || a.status != 200 {
			t.Errorf("%s: %d, %v", server, a.status, err)
		}
		calls := up.calls()
		if last := calls[len(calls)-1]; last.method() != "POST" || last.body != "abc" {
			t.Errorf("%s: the upstream saw %s with %q", server, last.line, last.body)
		}
	}
	b.audit(up)
}

// A refused caller that goes on sending is cut off.
func TestABodyWithoutAnEndIsNotReadForARefusedCaller(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	part := strings.Repeat("x", 64<<10)
	for name, c := range map[string]struct{ framing, part string }{
		"a length": {"Content-Length: 99999999999", part},
		"chunks":   {"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", len(part), part)},
	} {
		for _, expect := range []string{"A: b", "Expect: 100-continue"} {
			conn, err := net.Dial("tcp", b.cfg.Listen)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, err = io.WriteString(conn, asked("POST /shop/things HTTP/1.1", "Host: x", c.framing, expect))
			sent := 0
			for ; err == nil && sent < 256<<20; sent += len(c.part) {
				_, err = io.WriteString(conn, c.part)
			}
			if sent > 32<<20 { // what the kernel's buffers hold, and little more
				t.Errorf("%s, %s: %d MB were taken", name, expect, sent>>20)
			}
		}
	}
	if n := len(up.calls()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
}
