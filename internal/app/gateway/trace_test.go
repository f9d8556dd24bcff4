package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"tollgate/internal/keys/token"
)

// spanSink is a collector that keeps what it is sent.
type spanSink struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
}

func newSpanSink(t *testing.T) *spanSink {
	s := &spanSink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var batch collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &batch); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, rs := range batch.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				s.spans = append(s.spans, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *spanSink) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range s.spans {
		names = append(names, span.GetName())
	}
	slices.Sort(names)
	return names
}

func TestACallIsTracedFromItsCallerToItsUpstream(t *testing.T) {
	t.Parallel()
	sink := newSpanSink(t)
	b := setupWith(t, 30*time.Second, func(b *bundle) { b.cfg.TraceEndpoint, b.cfg.TraceShare = sink.URL, 1 })
	b.subscribe(b.app, "active", 100, 100)
	key := b.key(b.app, token.Live)
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, path := range []string{"plain", "standard"} {
		before := len(b.upstream.calls())
		header := []string{"traceparent", caller}
		if path == "standard" {
			header = append(header, "TE", "trailers") // not plain
		}
		if r := b.call("GET", "/shop/things", key, header...); r.status != http.StatusOK {
			t.Fatal(r)
		}
		got := b.upstream.calls()[before].Header["Traceparent"]
		if len(got) != 1 || !strings.HasPrefix(got[0], caller[:36]) || got[0][36:52] == caller[36:52] {
			t.Errorf("%s: the upstream got %q for %q", path, got, caller)
		}
	}
	b.call("GET", "/shop/things", "tg_live_nonsense")
	b.stop() // sends what is left
	names := sink.names()
	for name, want := range map[string]int{"GET /things": 2, "key": 3, "limit": 2, "upstream": 2} {
		if n := len(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s != name })); n < want {
			t.Errorf("%d spans %q, want %d of %q", n, name, want, names)
		}
	}
	for _, span := range sink.spans {
		for _, a := range span.GetAttributes() {
			if strings.Contains(a.GetValue().GetStringValue(), key) {
				t.Errorf("the key is in span %s", span.GetName())
			}
		}
	}
}
