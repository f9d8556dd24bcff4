package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tollgate/internal/keys/token"
)

// bounded lets an upstream take bodies of n bytes, and shows at once when the
// gateway holds a failure against it.
func bounded(n int) func(*bundle) {
	return called(fmt.Sprintf(`{"max_body": %d, "breaker": {"percent": 1, "calls": 1}, "retry": {"attempts": 3}}`, n))
}

// chunks frames a body in chunks of at most size bytes.
func chunks(body string, size int) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(body), size) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	return b.String() + "0\r\n\r\n"
}

func TestABodyUpToItsBoundPassesAndALargerOneIsRefused(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{1000, 64 << 10, 200_000} { // what is read whole, its edge, what is streamed
		t.Run(strconv.Itoa(bound), func(t *testing.T) {
			t.Parallel()
			up := newCapture(t)
			b := setupWith(t, 30*time.Second, behind(up), bounded(bound))
			b.subscribe(b.app, "active", 0, 1000)
			key := b.key(b.app, token.Live)
			good := 0
			for name, c := range map[string]struct {
				head string
				size int // of chunks; 0: a length
			}{
				"a length": {"A: b", 0}, "a length, through net/http": {"TE: trailers", 0}, "chunks": {"A: b", 4 << 10}, "one chunk": {"A: b", 1 << 20},
				"what is compressed, counted as it is sent": {"Content-Encoding: gzip", 0},
			} {
				for over, want := range []int{200, 413} {
					body := strings.Repeat("a", bound+over)
					framing, sent := fmt.Sprintf("Content-Length: %d", len(body)), body
					if c.size > 0 {
						framing, sent = "Transfer-Encoding: chunked", chunks(body, c.size)
					}
					seen := len(up.calls())
					got := b.speaks(asked("POST /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Connection: close", c.head, framing) + sent)
					if len(got) != 1 || got[0].status != want {
						t.Errorf("%s, %d over: %v, want %d", name, over, statuses(got), want)
						continue
					}
					now := up.calls()
					if want == 200 {
						good++
						if len(now) != seen+1 || now[seen].body != body {
							t.Errorf("%s: the upstream saw %d calls", name, len(now)-seen)
						}
						if left := got[0].header.Get("X-Quota-Remaining"); left != strconv.Itoa(1000-good) {
							t.Errorf("%s: %s calls left after %d", name, left, good)
						}
						continue
					}
					if len(now) != seen {
						t.Errorf("%s: the upstream saw a whole request", name)
					}
					if text := got[0].body; !strings.Contains(text, `"code":"body-too-large"`) || !strings.Contains(text, sizes[bound]) {
						t.Errorf("%s: %s", name, text)
					}
				}
			}
			b.audit(up)
			for id, e := range b.events() {
				if e.billable != (e.status == 200) {
					t.Errorf("%s: %+v", id, e)
				}
			}
			up.mu.Lock()
			defer up.mu.Unlock()
			if n := len(up.seen) + len(up.cut); n > good+2 { // a declared length never gets there
				t.Errorf("%d requests were begun", n)
			}
		})
	}
}

// sizes are how bounds are said.
var sizes = map[int]string{1000: "larger than 1000 B,", 64 << 10: "larger than 64 KiB,", 200_000: "larger than 200000 B,"}

func TestABodyTooLargeIsNotAskedFor(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), bounded(1000))
	key := b.goodKey()
	for server, before := range servers(key) {
		got := statuses(b.speaks(before + asked("POST /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Content-Length: 1001", "Expect: 100-continue")))
		if len(got) == 0 || got[len(got)-1] != 413 || slices.Contains(got, 100) {
			t.Errorf("%s: %v, want 413 and no 100", server, got)
		}
	}
	b.audit(up)
}

// A connection goes on behind a refused body that had been read.
func TestACallFollowsARefusedBodyOnItsConnection(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), bounded(1000))
	key := b.goodKey()
	got := b.speaks(asked("POST /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Content-Length: 1001") + strings.Repeat("a", 1001) +
		asked("GET /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Connection: close"))
	if !slices.Equal(statuses(got), []int{413, 200}) {
		t.Errorf("%v", statuses(got))
	}
	b.audit(up)
}

// overPlainH2 sends HTTP/2 with prior knowledge.
func overPlainH2(t *testing.T) *http.Transport {
	t.Helper()
	client := &http.Transport{Protocols: &http.Protocols{}}
	client.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func (b *bundle) post(ctx context.Context, key string, body io.Reader, length int64) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", b.url+"/shop/things", io.NopCloser(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.ContentLength = length
	r.Header.Set("X-Api-Key", key)
	return r
}

func TestOverHTTP2ABodyIsHeldToItsBound(t *testing.T) {
	t.Parallel()
	const bound = 100_000
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), bounded(bound))
	key := b.goodKey()
	client := overPlainH2(t)
	for over, want := range []int{200, 413} {
		for name, declared := range map[string]bool{"a length": true, "none": false} {
			body, length, seen := strings.Repeat("a", bound+over), int64(-1), len(up.calls())
			if declared {
				length = int64(len(body))
			}
			resp, err := client.RoundTrip(b.post(t.Context(), key, strings.NewReader(body), length))
			if err != nil {
				t.Errorf("%s, %d over: %v", name, over, err)
				continue
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want || resp.ProtoMajor != 2 {
				t.Errorf("%s, %d over: %s %d, want %d", name, over, resp.Proto, resp.StatusCode, want)
			}
			if n := len(up.calls()) - seen; (n == 1) != (want == 200) {
				t.Errorf("%s, %d over: the upstream saw %d whole requests", name, over, n)
			}
		}
	}
	client.CloseIdleConnections()
	b.audit(up)
}

func TestAnAnswerThatHadBegunEndsWithABodyThatGrowsTooLarge(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	heard := make(chan string, 1)
	go func() { // answers at once, and goes on reading
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			if req, err := http.ReadRequest(r); err == nil && req.Method == "POST" {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
				_, err = io.Copy(io.Discard, req.Body)
				heard <- fmt.Sprint(err)
			} else {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
			_ = conn.Close()
		}
	}()
	b := setupWith(t, 30*time.Second, func(b *bundle) { b.target = "http://" + l.Addr().String() }, bounded(1000))
	key := b.goodKey()
	client := overPlainH2(t)
	body, more := io.Pipe()
	go func() { _, _ = io.WriteString(more, strings.Repeat("a", 1000)) }()
	resp, err := client.RoundTrip(b.post(t.Context(), key, body, -1))
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(more, "a")
	if rest, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer looks whole: %q", rest)
	}
	_ = more.Close()
	_ = resp.Body.Close()
	if end := <-heard; end == fmt.Sprint(nil) {
		t.Error("the upstream saw a whole request")
	}
	if got := b.call("GET", "/shop/things", key); got.status != 200 {
		t.Errorf("the upstream is blamed: %d %s", got.status, got.code)
	}
	client.CloseIdleConnections()
	b.stop()
	billed := 0
	for _, e := range b.events() {
		if e.billable {
			billed++
		}
	}
	if billed != 1 {
		t.Errorf("%d calls are billed, want the good one", billed)
	}
}

func TestAnAPIsOwnBoundGoesBeforeTheGateways(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) { b.cfg.MaxRequestBody = 1000 })
	key := b.goodKey()
	status := func(size int) int {
		conn := b.line()
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, asked("POST /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, fmt.Sprintf("Content-Length: %d", size))+strings.Repeat("a", size))
		a, err := readAnswer(conn.r, "POST")
		if err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		return a.status
	}
	if a, z := status(1000), status(1001); a != 200 || z != 413 {
		t.Errorf("the gateway's: %d and %d", a, z)
	}
	for _, c := range []struct {
		policy     string
		pass, fail int
	}{{`{"max_body": 2000}`, 2000, 2001}, {`{"max_body": 500}`, 500, 501}, {`{"max_body": -1}`, 300_000, 0}} {
		b.exec(`UPDATE upstreams SET policy = $1`, c.policy)
		b.eventually(c.policy+" is in force", func() bool { return status(c.pass) == 200 && (c.fail == 0 || status(c.fail) == 413) })
	}
	b.audit(up)
}
