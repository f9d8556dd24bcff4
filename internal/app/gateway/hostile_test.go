package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// bothPaths are requests for a path that the two servers of the gateway take.
var bothPaths = map[string]string{
	"plain":    "%s /shop/things/%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: close\r\n\r\n",
	"standard": "%s /shop/things/%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: close\r\nExpect-Nothing: 1\r\nTE: trailers\r\n\r\n",
}

func TestAHostileUpstreamHarmsItsOwnCallAlone(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	key := b.goodKey()
	hints := strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 20_000)
	many := strings.Repeat("X-A: b\r\n", 200)
	for _, c := range []struct {
		name, answer string
		status       int  // for the client; 0: 502, or cut off where it had begun
		whole        bool // the client has a whole answer
		body         string
		never        string // must not be found in what the client gets
	}{
		{"a bare CR in a value", "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: forged\r\nContent-Length: 2\r\n\r\nok", 0, true, "", "forged"},
		{"a NUL in a value", "HTTP/1.1 200 OK\r\nX-A: b\x00forged\r\nContent-Length: 2\r\n\r\nok", 0, true, "", "forged"},
		{"a space in a name", "HTTP/1.1 200 OK\r\nX A: forged\r\nContent-Length: 2\r\n\r\nok", 0, true, "", "forged"},
		{"two different lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nok", 502, true, "", ""},
		{"a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0, true, "", ""},
		{"chunks within another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, true, "", ""},
		{"chunks twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, true, "", ""},
		{"a coding that is unknown", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nforged", 502, true, "", "forged"},
		{"a folded header", "HTTP/1.1 200 OK\r\nX-A: b\r\n c: d\r\nContent-Length: 2\r\n\r\nok", 0, true, "", ""},
		{"a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 502, true, "", ""},
		{"a status that is no number", "HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok", 502, true, "", ""},
		{"no HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n\r\n", 502, true, "", ""},
		{"a flood of early hints", hints, 502, true, "", ""},
		{"a header of 10 MB", "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 10<<20) + "\r\nContent-Length: 2\r\n\r\nok", 502, true, "", ""},
		{"limits of its own", "HTTP/1.1 200 OK\r\nX-RateLimit-Limit: 666\r\nRateLimit: \"x\";r=666\r\nx-quota-remaining: 666\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nok", 200, true, "ok", "666"},
		{"a request id of its own", "HTTP/1.1 200 OK\r\nx-request-id: forged\r\nX-Request-ID: forged\r\nContent-Length: 2\r\n\r\nok", 200, true, "ok", "forged"},
		{"a switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nforged", 502, true, "", "forged"},
		{"a switch without a protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\nforged", 502, true, "", "forged"},
		{"an end in the middle of the head", "HTTP/1.1 200 OK\r\nX-A: forged", 502, true, "", "forged"},
		{"an end in the middle of the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", 200, false, "", ""},
		{"an end in the middle of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", 200, false, "", ""},
		{"an end before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 200, false, "", ""},
		{"a chunk with a sign", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n+2\r\nforged\r\n0\r\n\r\n", 200, false, "", "forged"},
		{"trailers named like ours", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-RateLimit-Limit: 666\r\nX-Request-Id: 666\r\nContent-Length: 666\r\n\r\n", 200, true, "ok", "666"},
		{"bytes behind the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", 200, true, "ok", "forged"},
		{"a body where there is none", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nforged", 204, true, "", "forged"},
		{"no length, to the end", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, true, "all of it", ""},
		{"an old protocol", "HTTP/1.0 200 OK\r\n\r\nall of it", 200, true, "all of it", ""},
		{"two hundred headers", "HTTP/1.1 200 OK\r\n" + many + "Content-Length: 2\r\n\r\nok", 200, true, "ok", ""},
	} {
		path := "/things/" + strings.ReplaceAll(c.name, " ", "-")
		up.on(path, func(conn net.Conn, _ captured) bool {
			go func() { _, _ = io.Copy(io.Discard, conn) }() // unread bytes would make the end a reset
			_, _ = io.WriteString(conn, c.answer)
			return false
		})
		for server, request := range bothPaths {
			t.Run(server+"/"+c.name, func(t *testing.T) {
				got := b.speaks(fmt.Sprintf(request, "GET", strings.ReplaceAll(c.name, " ", "-"), key))
				final := got
				for len(final) > 0 && final[0].status < 200 {
					final = final[1:]
				}
				if len(final) != 1 {
					t.Fatalf("answers %v", statuses(got))
				}
				a := final[0]
				if want := c.status; (want == 0 && a.status != 502 && a.status != 200) || (want != 0 && a.status != want) {
					t.Errorf("status %d, want %d", a.status, want)
				}
				if a.whole != c.whole || (c.body != "" && a.body != c.body) {
					t.Errorf("body %q, whole %t", a.body, a.whole)
				}
				if c.never != "" && (strings.Contains(fmt.Sprint(a.header), c.never) || strings.Contains(a.body, c.never)) {
					t.Errorf("the client got %v %q", a.header, a.body)
				}
				if id := a.header.Values("X-Request-Id"); len(id) != 1 {
					t.Errorf("request ids %q", id)
				}
			})
		}
	}
	b.audit(up)
}

// What an upstream sends that nobody asked for must never be taken for the
// answer to the next caller.
func TestBytesLeftBehindAnAnswerDoNotAnswerTheNextCall(t *testing.T) {
	t.Parallel()
	const late = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	for _, c := range []struct{ name, method, head string }{
		{"a body of an answer to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"},
		{"a body of an answer that has none", "GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"a body of an answer that says nothing has changed", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			up := newCapture(t)
			b := setupWith(t, 30*time.Second, behind(up))
			key := b.goodKey()
			sent, answered := make(chan struct{}), make(chan struct{})
			up.on("/things/first", func(conn net.Conn, _ captured) bool {
				_, _ = io.WriteString(conn, c.head)
				<-answered // the client has its answer; the connection rests
				_, err := io.WriteString(conn, late)
				close(sent)
				return err == nil
			})
			b.exec(`INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES (gen_random_uuid(), $1, 'head', 9, 'HEAD', '/things/{id}', '{}', '')`, b.version)
			conn, err := net.Dial("tcp", b.cfg.Listen)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			r := bufio.NewReader(conn)
			b.eventually("HEAD is known", func() bool {
				resp := b.call("HEAD", "/shop/things/known", key)
				return resp.status == 200
			})
			_, _ = fmt.Fprintf(conn, "%s /shop/things/first HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", c.method, key)
			if a, err := readAnswer(r, c.method); err != nil || a.status >= 400 {
				t.Fatalf("%+v, %v", a, err)
			}
			close(answered)
			<-sent
			_, _ = fmt.Fprintf(conn, "GET /shop/things/second HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", key)
			if a, err := readAnswer(r, "GET"); err != nil || a.status != 200 || a.body != "GET /things/second HTTP/1.1" {
				t.Errorf("the next call got %d %q, %v", a.status, a.body, err)
			}
			b.audit(up)
		})
	}
}
