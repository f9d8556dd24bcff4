package gateway_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// gzipped compresses s.
func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(s))
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is compressed passes as it is, in both directions: nothing here expands it.
// Not parallel: it counts what the whole process allocates.
func TestWhatIsCompressedIsPassedOnUnread(t *testing.T) {
	up := newCapture(t)
	bomb := strings.Repeat(gzipped(t, strings.Repeat("0", 256<<10)), 400) // of many members: 100 MB
	small := gzipped(t, `{"usage":{"total":44}}`)
	gzip := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	up.says("/things/bomb", gzip(bomb))
	up.says("/things/chunks", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(bomb), bomb))
	up.says("/things/small", gzip(small))
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	b.exec(`UPDATE operations SET weight = 7, units_from = 'json:$.usage.total' WHERE path = '/things/{id}'`)
	key := b.goodKey()
	b.eventually("the operations are known", func() bool { return b.call("GET", "/shop/things/1", key).header.Get("X-RateLimit-Cost") == "7" })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	type size struct{ in, out int }
	want := map[string]size{} // by request id
	for _, te := range []string{"A: b", "TE: trailers"} {
		for path, body := range map[string]string{"bomb": bomb, "chunks": bomb, "small": small} {
			got := b.speaks(asked("GET /shop/things/"+path+" HTTP/1.1", "Host: x", "X-API-Key: "+key, te, "Connection: close"))
			if len(got) != 1 || got[0].status != 200 || got[0].body != body || got[0].header.Get("Content-Encoding") != "gzip" {
				t.Fatalf("%s, %s: %v", path, te, statuses(got))
			}
			want[got[0].header.Get("X-Request-Id")] = size{0, len(body)}
		}
		for _, body := range []string{small, bomb} {
			got := b.speaks(asked("POST /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, te, "Connection: close", "Content-Encoding: gzip", fmt.Sprintf("Content-Length: %d", len(body))) + body)
			calls := up.calls()
			last := calls[len(calls)-1]
			if len(got) != 1 || got[0].status != 200 || last.body != body || fmt.Sprint(last.values("content-encoding")) != "[gzip]" {
				t.Errorf("a body of %d, %s: %v, and the upstream got %d bytes, %q", len(body), te, statuses(got), len(last.body), last.values("content-encoding"))
			}
			want[got[0].header.Get("X-Request-Id")] = size{len(body), len(last.line)}
		}
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 50<<20 { // ten bombs as they are, and copies of them
		t.Errorf("%d MB were allocated for bodies of %d MB", (after.TotalAlloc-before.TotalAlloc)>>20, 7*len(bomb)>>20)
	}
	b.audit(up)
	events := b.events()
	for id, w := range want {
		if e := events[id]; e.in != w.in || e.out != w.out {
			t.Errorf("%s: %d bytes in and %d out are metered, want %+v", e.path, e.in, e.out, w)
		}
		if e := events[id]; e.path != "/things" && e.units != 7 {
			t.Errorf("%s: %d units: the operation's weight counts where the answer cannot be read", e.path, e.units)
		}
	}
}
