package gateway_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// ledger is what clients know of their calls: the ids of those that were
// answered, by status.
type ledger struct {
	mu  sync.Mutex
	ids map[int]map[string]bool
}

// count is how many calls were answered with a status.
func (l *ledger) count(status int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ids[status])
}

// load lets four clients call without pause until end, which returns once all
// of their calls are answered.
func (b *bundle) load(key string) (l *ledger, end func()) {
	l = &ledger{ids: map[int]map[string]bool{}}
	ended := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				got := b.call("GET", "/shop/things", key)
				l.mu.Lock()
				if l.ids[got.status] == nil {
					l.ids[got.status] = map[string]bool{}
				}
				l.ids[got.status][got.header.Get("X-Request-Id")] = true
				l.mu.Unlock()
			}
		})
	}
	end = sync.OnceFunc(func() { close(ended); clients.Wait() })
	b.t.Cleanup(end)
	return l, end
}

// answersMore waits until n further calls of a load were answered with a status.
func (b *bundle) answersMore(l *ledger, n, status int) {
	b.t.Helper()
	before := l.count(status)
	b.eventually("calls are answered", func() bool { return l.count(status) >= before+n })
}

// settle holds the clients' ledger against what is stored after the gateway has
// ended: each call that was answered by the upstream once, and no other.
func (b *bundle) settle(l *ledger) {
	b.t.Helper()
	b.stop()
	stored := b.events() // complains of those that are stored twice
	for id := range l.ids[200] {
		if _, ok := stored[id]; !ok {
			b.t.Errorf("%s was answered and is not stored", id)
		}
		delete(stored, id)
	}
	for id := range stored {
		b.t.Errorf("%s is stored and was not answered", id)
	}
	b.t.Logf("%d calls", len(l.ids[200]))
}

// noneBut fails if a call of a load was answered with another status.
func (l *ledger) noneBut(t *testing.T, status int) {
	t.Helper()
	for other, ids := range l.ids {
		if other != status {
			t.Errorf("%d calls were answered with %d", len(ids), other)
		}
	}
}

// diary keeps what a gateway logs.
type diary struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

// says reports whether something was logged.
func (d *diary) says(what string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Contains(d.text.String(), what)
}

// logging keeps what the gateway logs in d.
func logging(d *diary) func(*bundle) {
	return func(b *bundle) { b.logs = slog.NewTextHandler(d, nil) }
}

// private is what the private listener answers.
func (b *bundle) private(path string) string {
	b.t.Helper()
	resp, err := http.Get("http://" + b.cfg.PrivateListen + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// metric is the value of a metric without labels.
func (b *bundle) metric(name string) (value int) {
	b.t.Helper()
	_, rest, found := strings.Cut(b.private("/metrics"), "\n"+name+" ")
	if _, err := fmt.Sscan(rest, &value); !found || err != nil {
		b.t.Fatalf("the metric %s is not there", name)
	}
	return value
}
