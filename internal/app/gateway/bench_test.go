package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"tollgate/internal/keys/token"
)

// BenchmarkCall compares a call through the gateway, with everything on, to one
// through a bare httputil.ReverseProxy, turn by turn in the same run. The
// metric ×bare is the ratio of the times.
func BenchmarkCall(b *testing.B) {
	g := setup(b)
	g.subscribe(g.app, "active", 1_000_000_000, 1_000_000_000)
	key := g.key(g.app, token.Live)
	target, err := url.Parse(g.upstream.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }})
	defer bare.Close()
	get := func(url string) time.Duration {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		started := time.Now()
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
		return time.Since(started)
	}
	get(bare.URL + "/things")
	var ours, theirs time.Duration
	for b.Loop() {
		ours += get(g.url + "/shop/things")
		theirs += get(bare.URL + "/things")
	}
	b.ReportMetric(float64(ours)/float64(theirs), "×bare")
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs/call")
	b.ReportMetric(0, "ns/op") // both calls together: means nothing
}
