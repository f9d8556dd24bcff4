package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
)

func TestOnlyPlainRequestsAreRead(t *testing.T) {
	t.Parallel()
	head := func(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }
	for name, c := range map[string]struct {
		in   string
		want Verdict
	}{
		"a call":                      {head("GET /a/b?x=1&y=%20 HTTP/1.1", "Host: api.test", "Accept: */*"), Plain},
		"a body of known length":      {head("POST /a HTTP/1.1", "Host: a", "Content-Length: 3"), Plain},
		"the end of the connection":   {head("GET / HTTP/1.1", "Host: a", "Connection: close"), Plain},
		"half a head":                 {"GET / HTTP/1.1\r\nHost: a\r\n", Partial},
		"half a line":                 {"GE", Partial},
		"nothing":                     {"", Partial},
		"HTTP/2":                      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Standard},
		"TLS":                         {"\x16\x03\x01", Standard},
		"HTTP/1.0":                    {head("GET / HTTP/1.0", "Host: a"), Standard},
		"another method":              {head("TRACE / HTTP/1.1", "Host: a"), Standard},
		"an absolute target":          {head("GET http://b/ HTTP/1.1", "Host: a"), Standard},
		"no host":                     {head("GET / HTTP/1.1", "Accept: */*"), Standard},
		"two hosts":                   {head("GET / HTTP/1.1", "Host: a", "Host: b"), Standard},
		"chunks":                      {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"), Standard},
		"chunks by another name":      {head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked"), Standard},
		"both lengths":                {head("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked"), Standard},
		"two lengths":                 {head("POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Content-Length: 3"), Standard},
		"a signed length":             {head("POST / HTTP/1.1", "Host: a", "Content-Length: +3"), Standard},
		"a length in hex":             {head("POST / HTTP/1.1", "Host: a", "Content-Length: 0x3"), Standard},
		"a negative length":           {head("POST / HTTP/1.1", "Host: a", "Content-Length: -1"), Standard},
		"a large body":                {head("POST / HTTP/1.1", "Host: a", "Content-Length: 65537"), Standard},
		"a continuation line":         {head("GET / HTTP/1.1", "Host: a", "X: y", " z"), Standard},
		"a bare line feed":            {"GET / HTTP/1.1\nHost: a\r\n\r\n", Standard},
		"a carriage return in a name": {head("GET / HTTP/1.1", "Host: a", "X\r: y"), Standard},
		"a null byte":                 {head("GET / HTTP/1.1", "Host: a", "X: \x00"), Standard},
		"a header without a name":     {head("GET / HTTP/1.1", "Host: a", ": x"), Standard},
		"an expectation":              {head("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 1"), Standard},
		"an upgrade":                  {head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket"), Standard},
		"a connection that names":     {head("GET / HTTP/1.1", "Host: a", "Connection: close, X-Consumer-Id"), Standard},
		"a backslash":                 {head(`GET /a\b HTTP/1.1`, "Host: a"), Standard},
		"a semicolon":                 {head("GET /a;b HTTP/1.1", "Host: a"), Standard},
		"a broken escape":             {head("GET /a%2 HTTP/1.1", "Host: a"), Standard},
		"too many headers":            {head(append([]string{"GET / HTTP/1.1", "Host: a"}, slices.Repeat([]string{"X: y"}, 65)...)...), Standard},
	} {
		var r Request
		if _, v := r.Parse([]byte(c.in)); v != c.want {
			t.Errorf("%s: %v, want %v", name, v, c.want)
		}
	}
}

// FuzzRequest holds that what is read here net/http reads in the same way.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET /a%20b?x=[1] HTTP/1.1\r\nHost: api.test:80\r\nX-A: b, c\r\n\r\n"))
	f.Add([]byte("POST /a HTTP/1.1\r\nhost:a\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabcGET / HTTP/1.1\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		size, v := r.Parse(b)
		if v != Plain {
			return
		}
		rest := bytes.NewReader(b)
		buffered := bufio.NewReader(rest)
		std, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatalf("%q is plain to us and to net/http %v", b[:size], err)
		}
		if read := len(b) - rest.Len() - buffered.Buffered(); read != size {
			t.Fatalf("the head of %q has %d bytes to us and %d to net/http", b, size, read)
		}
		target := r.Path
		if std.URL.RawQuery != r.Query || std.URL.EscapedPath() != target && std.URL.Path != target {
			t.Fatalf("target: %q ? %q, and to net/http %q ? %q", r.Path, r.Query, std.URL.EscapedPath(), std.URL.RawQuery)
		}
		if std.Method != r.Method || std.Host != r.Host || std.Close != r.Close || std.ContentLength != r.Length || len(std.TransferEncoding) != 0 {
			t.Fatalf("%+v, and to net/http %+v", r, std)
		}
		ours := http.Header{}
		for _, h := range r.Headers {
			ours.Add(h.Name, h.Value)
		}
		std.Header.Del("Connection")
		std.Header.Del("Content-Length")
		compareHeaders(t, ours, std.Header)
	})
}

func compareHeaders(t *testing.T, ours, std http.Header) {
	t.Helper()
	if len(ours) != len(std) {
		t.Fatalf("headers %q, and to net/http %q", ours, std)
	}
	for name, values := range std {
		if !slices.Equal(ours[name], values) {
			t.Fatalf("header %s is %q, and to net/http %q", name, ours[name], values)
		}
	}
}

// FuzzResponse holds that an answer that passes here has the same length and
// headers to net/http.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nab"))
	f.Add([]byte("HTTP/1.0 404 \r\nConnection: x-drop, keep-alive\r\nX-Drop: 1\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Response
		size, v, err := r.Parse(b)
		if err != nil || v != Plain || r.Status < 200 {
			return
		}
		std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			return // net/http is stricter with answers that we only pass on
		}
		if std.StatusCode != r.Status {
			t.Fatalf("%q is %d, and to net/http %d", b[:size], r.Status, std.StatusCode)
		}
		if !r.Bodiless("GET") && (r.Chunked != (len(std.TransferEncoding) > 0) || (!r.Chunked && std.ContentLength != r.Length)) {
			t.Fatalf("%q has length %d %v, and to net/http %d %v", b[:size], r.Length, r.Chunked, std.ContentLength, std.TransferEncoding)
		}
		for _, h := range r.Headers {
			if !slices.Contains(std.Header.Values(h.Name), h.Value) {
				t.Fatalf("%q: header %q is unknown to net/http", b[:size], h)
			}
		}
	})
}

// FuzzChunks holds that a chunked body is the same to us as to net/http, however
// its bytes arrive.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), 1)
	f.Add([]byte("3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"), 4)
	f.Add([]byte("a\r\n0123456789\r\n00\r\n\r\nrest"), 100)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		ours, rest, ok := unchunk(b, min(max(step, 1), len(b)+1))
		if !ok {
			return
		}
		std, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b[:len(b)-rest])))
		if err != nil || !bytes.Equal(std, ours) {
			t.Fatalf("%q is %q, and to net/http %q, %v", b, ours, std, err)
		}
	})
}

// unchunk feeds b in pieces.
func unchunk(b []byte, step int) (data []byte, rest int, ok bool) {
	var c Chunks
	for len(b) > 0 {
		piece := b[:min(step, len(b))]
		b = b[len(piece):]
		for len(piece) > 0 {
			part, left, done, err := c.Next(piece)
			if err != nil {
				return nil, 0, false
			}
			data = append(data, part...)
			if done {
				return data, len(left) + len(b), true
			}
			piece = left
		}
	}
	return nil, 0, false
}

func TestChunksThatAreFramedWronglyAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"3\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n", "-1\r\n", "\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n",
		"ffffffffffffffff\r\n", "0\r\nX: \x00\r\n\r\n", "3;\x00\r\nabc\r\n", "0\r\n" + strings.Repeat("X: y\r\n", 5000) + "\r\n",
	} {
		if data, _, ok := unchunk([]byte(bad), len(bad)); ok {
			t.Errorf("%.40q was read as %q", bad, data)
		}
	}
}

func TestAnswersThatMayMeanTwoThingsAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n\n\r\n",
		"ICY 200 OK\r\nX: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", MaxAnswerHead),
	} {
		var r Response
		if _, _, err := r.Parse([]byte(bad)); err == nil {
			t.Errorf("%.60q passed", bad)
		}
	}
}
