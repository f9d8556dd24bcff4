package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is a request over HTTP/2, written without any of a client's care.
type stream struct {
	fields   []hpack.HeaderField
	body     string
	open     bool // nothing of the body is sent yet
	trailers []hpack.HeaderField
}

func field(name, value string) hpack.HeaderField { return hpack.HeaderField{Name: name, Value: value} }

// expecting is a head that asks before it sends its body. More headers are in
// lines.
func expecting(path, lines string) []hpack.HeaderField {
	fields := []hpack.HeaderField{
		field(":method", "POST"), field(":scheme", "http"), field(":authority", "x"), field(":path", path), field("content-length", "3"), field("expect", "100-continue"),
	}
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		fields = append(fields, field(strings.ToLower(name), value))
	}
	return fields
}

// overH2 sends s with prior knowledge on a connection of its own. Status 0 is a
// stream or a connection that was refused as malformed.
func (b *bundle) overH2(s stream) (status, id string) {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.cfg.Listen)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		b.t.Fatal(err)
	}
	_, _ = io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	write := func(fields []hpack.HeaderField, end bool) {
		block.Reset()
		for _, hf := range fields {
			_ = enc.WriteField(hf)
		}
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bytes.Clone(block.Bytes()), EndHeaders: true, EndStream: end})
	}
	_ = f.WriteSettings()
	write(s.fields, s.body == "" && s.trailers == nil && !s.open)
	if s.body != "" {
		_ = f.WriteData(1, s.trailers == nil, []byte(s.body))
	}
	if s.trailers != nil {
		write(s.trailers, true)
	}
	for {
		got, err := f.ReadFrame()
		switch got := got.(type) {
		case nil:
			if !errors.Is(err, io.EOF) && errors.Is(err, io.ErrNoProgress) {
				b.t.Error(err)
			}
			return "0", ""
		case *http2.MetaHeadersFrame:
			for _, hf := range got.Fields {
				if hf.Name == "x-request-id" {
					id = hf.Value
				}
			}
			return got.PseudoValue("status"), id
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "0", ""
		}
	}
}

func TestOverHTTP2EachCallThatReachesTheUpstreamWasAskedForOnItsOwn(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	key := b.goodKey()
	with := func(method string, more ...hpack.HeaderField) []hpack.HeaderField {
		return append([]hpack.HeaderField{field(":method", method), field(":scheme", "http"), field(":authority", "x"), field(":path", "/shop/things"), field("x-api-key", key)}, more...)
	}
	for _, c := range []struct {
		name string
		s    stream
		want string
	}{
		{"a good one", stream{fields: with("GET")}, "200"},
		{"a good one with a body", stream{fields: with("POST", field("content-length", "3")), body: "abc"}, "200"},
		{"without a key", stream{fields: with("GET")[:4]}, "401"},
		{"connection", stream{fields: with("GET", field("connection", "x-request-id"))}, "0 400"},
		{"keep-alive", stream{fields: with("GET", field("keep-alive", "timeout=5"))}, "0 400"},
		{"transfer-encoding", stream{fields: with("POST", field("transfer-encoding", "chunked")), body: "0\r\n\r\n" + smuggled}, "0 400"},
		{"upgrade", stream{fields: with("GET", field("upgrade", "websocket"))}, "0 400"},
		{"te", stream{fields: with("GET", field("te", "gzip"))}, "0 400"},
		{"CR LF in a value", stream{fields: with("GET", field("x-a", "b\r\nX-Consumer-Id: forged"))}, "0"},
		{"LF in a value", stream{fields: with("GET", field("x-a", "b\nX-Consumer-Id: forged"))}, "0"},
		{"NUL in a value", stream{fields: with("GET", field("x-a", "b\x00c"))}, "0"},
		{"CR LF in a name", stream{fields: with("GET", field("x-a: b\r\nx-consumer-id", "forged"))}, "0"},
		{"a colon in a name", stream{fields: with("GET", field("x-a: b", "c"))}, "0"},
		{"capitals in a name", stream{fields: with("GET", field("X-Consumer-Id", "forged"))}, "0"},
		{"CR LF in the method", stream{fields: append([]hpack.HeaderField{field(":method", "GET / HTTP/1.1\r\nX: ")}, with("GET")[1:]...)}, "0 400 405"},
		{"CR LF in the path", stream{fields: append(with("GET")[:3:3], field(":path", "/shop/things HTTP/1.1\r\nX-Consumer-Id: forged\r\nX:"), field("x-api-key", key))}, "0 400"},
		{"a space in the path", stream{fields: append(with("GET")[:3:3], field(":path", "/shop/things HTTP/1.1"), field("x-api-key", key))}, "0 400 404"},
		{"two methods", stream{fields: with("GET", field(":method", "POST"))}, "0"},
		{"two paths", stream{fields: append([]hpack.HeaderField{field(":path", "/shop/fail")}, with("GET")...)}, "0"},
		{"a path behind a header", stream{fields: append(with("GET")[:3:3], field("x-api-key", key), field(":path", "/shop/things"))}, "0"},
		{"no path", stream{fields: append(with("GET")[:3:3], field("x-api-key", key))}, "0"},
		{"a star for a path", stream{fields: append(with("OPTIONS")[:3:3], field(":path", "*"), field("x-api-key", key))}, "0 200 400"},
		{"an address for a path", stream{fields: append(with("GET")[:3:3], field(":path", "http://elsewhere/shop/things"), field("x-api-key", key))}, "0 400 200"},
		{"another host in Host", stream{fields: with("GET", field("host", "elsewhere"))}, "200 400 0"},
		{"two lengths", stream{fields: with("POST", field("content-length", "3"), field("content-length", "54")), body: "abc" + smuggled}, "0 400"},
		{"a body longer than its length", stream{fields: with("POST", field("content-length", "3")), body: "abc" + smuggled}, "0 400 502"},
		{"a body shorter than its length", stream{fields: with("POST", field("content-length", "300")), body: "abc"}, "0 400"},
		{"two lengths, the first of which is right", stream{fields: with("POST", field("content-length", "3"), field("content-length", "54")), body: "abc"}, "0 400"},
		{"a length with a sign", stream{fields: with("POST", field("content-length", "+3")), body: "abc"}, "0 400"},
		{"identity", stream{fields: with("GET", field("x-consumer-id", "forged"), field("x_consumer_id", "forged"), field("tollgate-identity", "forged"), field("x-forwarded-for", "1.2.3.4"), field("x-http-method-override", "forged"))}, "200"},
		{"trailers named like identity", stream{fields: with("POST", field("trailer", "x-consumer-id, tollgate-identity")), body: "abc", trailers: []hpack.HeaderField{field("x-consumer-id", "forged"), field("tollgate-identity", "forged")}}, "200"},
		{"CONNECT", stream{fields: []hpack.HeaderField{field(":method", "CONNECT"), field(":authority", "x:80"), field("x-api-key", key)}}, "0 405 400"},
		{"a socket", stream{fields: with("CONNECT", field(":protocol", "websocket"))}, "0 405"},
		{"TRACE", stream{fields: with("TRACE")}, "405"},
		{"a header of 64 KB", stream{fields: with("GET", field("x-a", strings.Repeat("a", 64<<10)))}, "0 431"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := len(up.calls())
			status, id := b.overH2(c.s)
			if !strings.Contains(" "+c.want+" ", " "+status+" ") {
				t.Errorf("status %s, want one of %s", status, c.want)
			}
			seen := up.calls()[at:]
			if status == "200" && c.name != "a star for a path" {
				if len(seen) != 1 || fmt.Sprint(seen[0].values("x-request-id")) != "["+id+"]" {
					t.Errorf("the upstream saw %v for %s", seen, id)
				}
			} else if len(seen) != 0 {
				t.Errorf("the upstream saw %v, and the client got %s", seen, status)
			}
		})
	}
	b.audit(up)
}
