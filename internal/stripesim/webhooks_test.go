package stripesim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"tollgate/internal/stripesim/simtest"
)

// hook is a webhook endpoint that refuses its first deliveries.
type hook struct {
	mu     sync.Mutex
	refuse int
	got    []string
	seen   chan string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ev struct{ ID string }
	if err := json.NewDecoder(r.Body).Decode(&ev); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse > 0 {
		h.refuse--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.got = append(h.got, ev.ID)
	h.seen <- ev.ID
}

func startHook(t *testing.T, refuse int) (*hook, string) {
	t.Helper()
	h := &hook{refuse: refuse, seen: make(chan string, 1000)}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return h, srv.URL
}

func eventIDs(t *testing.T, a *simtest.Account) []string {
	t.Helper()
	var out []string
	for _, d := range a.Deliveries() {
		out = append(out, d.Event)
	}
	return out
}

func TestEventsAreDeliveredUntilAccepted(t *testing.T) {
	t.Parallel()
	h, url := startHook(t, 3)
	a := simtest.New(t, simtest.Options{WebhookURL: url})
	ok(t, a, "POST", "/v1/customers", "name=Ada")
	want := eventIDs(t, a)
	if got := <-h.seen; len(want) != 1 || got != want[0] {
		t.Errorf("got %s, want %v", got, want)
	}
	for { // the last state is stored after the endpoint has answered
		d := a.Deliveries()[0]
		if d.Status == "delivered" {
			if d.Attempts != 4 {
				t.Errorf("%d attempts", d.Attempts)
			}
			return
		}
	}
}

func TestEventsCanBeHeldRepeatedAndReordered(t *testing.T) {
	t.Parallel()
	h, url := startHook(t, 0)
	a := simtest.New(t, simtest.Options{WebhookURL: url})
	a.Hold(true)
	ok(t, a, "POST", "/v1/customers", "name=1")
	ok(t, a, "POST", "/v1/customers", "name=2")
	ids := eventIDs(t, a)
	if statuses := a.Deliver(ids[1], ids[0], ids[0]); !slices.Equal(statuses, []int{200, 200, 200}) {
		t.Errorf("statuses %v", statuses)
	}
	if want := []string{ids[1], ids[0], ids[0]}; !slices.Equal(h.got, want) {
		t.Errorf("got %v, want %v", h.got, want)
	}
	a.Hold(false)
	for range 5 {
		<-h.seen
	}
}

func TestUndeliveredEventsSurviveARestart(t *testing.T) {
	t.Parallel()
	h, url := startHook(t, 0)
	dir := t.TempDir()
	a := simtest.New(t, simtest.Options{Dir: dir, WebhookURL: url})
	a.Hold(true)
	ok(t, a, "POST", "/v1/customers", "name=Ada")
	want := eventIDs(t, a)[0]
	a.Stop()
	simtest.New(t, simtest.Options{Dir: dir, WebhookURL: url})
	if got := <-h.seen; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestControlAPIAnswersLoopbackNamesOnly(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	for host, want := range map[string]int{"localhost": 200, "127.0.0.1:80": 200, "[::1]:80": 200, "rebind.example": 404, "rebind.example:80": 404} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/_sim/requests", nil)
		req.Host, req.RemoteAddr = host, "127.0.0.1:1234"
		a.Server.Handler().ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%s: %d", host, rec.Code)
		}
		req.RemoteAddr = "192.0.2.1:1234"
		rec = httptest.NewRecorder()
		a.Server.Handler().ServeHTTP(rec, req)
		if rec.Code != 404 {
			t.Errorf("%s from elsewhere: %d", host, rec.Code)
		}
	}
}

func TestOldEventsAreForgottenAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := simtest.New(t, simtest.Options{Dir: dir})
	ok(t, a, "POST", "/v1/customers", "name=Ada")
	a.Stop()
	for _, c := range []struct{ days, want int }{{29, 1}, {31, 0}} {
		b := simtest.New(t, simtest.Options{Dir: dir, Start: simtest.Start.AddDate(0, 0, c.days)})
		if n := len(ok(t, b, "GET", "/v1/events", "")["data"].([]any)); n != c.want {
			t.Errorf("after %d days there are %d events", c.days, n)
		}
		b.Stop()
	}
}
