package gateway_test

import (
	"testing"
	"time"
)

func TestNoPathReachesAnotherAPI(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	key := b.goodKey()
	for _, path := range []string{
		"/shop/../admin", "/shop/./things", "/shop/%2e%2e/admin", "/shop/%2E%2e/admin", "/shop/.%2e/admin", "/shop%2fthings", "/shop%2Fthings", "/shop/things%5c..%5cadmin", "/shop/things%00",
		"/shop/things;x/..;/admin", "/shop/things;jsessionid=1", "/shop/things%3bx", "//shop/things", "//admin", "/shop//things", `/shop\things`, `/shop/..\admin`, "/shop/things/", "/SHOP/things", "/shopping", "/shop/things%0d%0aX:1",
		"/shop/things%0a", "/shop/things/%", "/shop/things/%zz", "/shop/things/%2", "/%73hop/../shop/things", "/shop/things/..", "/shop/things/.", "/shop/things/%252e%252e/x", "/shop/\x7f", "/shop/%7f", "/metrics", "/-/metrics", "/debug/pprof/", "/admin",
	} {
		for server, request := range map[string]string{
			"plain":    "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\nConnection: close\r\n\r\n",
			"standard": "GET " + path + " HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\nConnection: close\r\nTE: trailers\r\n\r\n",
			"absolute": "GET http://x" + path + " HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + "\r\nConnection: close\r\n\r\n",
		} {
			if got := b.speaks(request); len(got) != 1 || (got[0].status != 400 && got[0].status != 404) {
				t.Errorf("%s, %s: %v", server, path, statuses(got))
			}
		}
	}
	if calls := up.calls(); len(calls) > 0 {
		t.Errorf("the upstream saw %v", calls)
	}
	// what is decided on is what is forwarded
	for path, want := range map[string]string{
		"/shop/%74hings": "/things", "/%73hop/things": "/things", "/shop/things/%41": "/things/A", "/shop/things/%e4%b8%96": "/things/%E4%B8%96", "/shop/things/a%3Fb": "/things/a%3Fb", "/shop/things/a%23b": "/things/a%23b",
		"/shop/things/%2541": "/things/%2541", "/shop/things/a%20b": "/things/a%20b", "/shop/things/...": "/things/...", "/shop/things/.a": "/things/.a",
	} {
		for _, te := range []string{"", "TE: trailers\r\n"} {
			got := b.speaks("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
			calls := up.calls()
			if len(got) != 1 || got[0].status != 200 || len(calls) == 0 || calls[len(calls)-1].path() != want {
				t.Errorf("%s became %v, want %s", path, calls[max(0, len(calls)-1):], want)
			}
		}
	}
	for _, q := range []string{"a=1;b=2", "a=%zz", "a=%", "a=%2"} {
		for _, te := range []string{"", "TE: trailers\r\n"} {
			if got := b.speaks("GET /shop/things?" + q + " HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n"); len(got) != 1 || got[0].status != 400 {
				t.Errorf("%s: %v", q, statuses(got))
			}
		}
	}
	b.audit(up)
}
