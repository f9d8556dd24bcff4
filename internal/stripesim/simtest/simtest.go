// Package simtest starts a simulated Stripe account for tests and works it
// from outside: its Checkout page, its failures, its webhooks.
package simtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/stripesim"
)

const (
	// SecretKey is the account's API key.
	SecretKey = "sk_test_simulated0account"
	// WebhookSecret signs the account's events.
	WebhookSecret = "whsec_simulated0account"
)

// Card numbers that the simulated bank knows.
const (
	CardWorks        = "4242 4242 4242 4242"
	CardDeclinedPay  = "4000 0000 0000 0341"
	CardDeclinedSave = "4000 0000 0000 0002"
)

// Start is when the account's clock starts.
var Start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Clock is a clock that moves only when told.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Account is a running simulation.
type Account struct {
	URL    string
	Clock  *Clock
	Server *stripesim.Server

	t    testing.TB
	stop func()
}

// Options change what New starts. The zero value is an account in memory
// without a webhook.
type Options struct {
	Dir        string // keeps the state
	WebhookURL string
	Start      time.Time // of the clock; zero: Start
}

// New starts an account that ends with the test.
func New(t testing.TB, o Options) *Account {
	t.Helper()
	if o.Start.IsZero() {
		o.Start = Start
	}
	a := &Account{Clock: &Clock{at: o.Start}, t: t}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	a.URL = srv.URL
	s, err := stripesim.New(stripesim.Config{
		SecretKey: SecretKey, WebhookURL: o.WebhookURL, WebhookSecret: WebhookSecret,
		PublicURL: srv.URL, Dir: o.Dir, Now: a.Clock.Now,
		Logger: slog.New(slog.DiscardHandler), RetryDelay: time.Millisecond,
	})
	if err != nil {
		srv.Close()
		t.Fatal(err)
	}
	a.Server, handler = s, s.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	a.stop = sync.OnceFunc(func() {
		srv.CloseClientConnections()
		srv.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("simulated Stripe: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("simulated Stripe: %v", err)
		}
	})
	t.Cleanup(a.stop)
	return a
}

// Stop ends the account before the test does.
func (a *Account) Stop() { a.stop() }

// Fault orders a failure for the next call of path, for example
// Fault("/v1/invoices/*/pay", "500_after_apply", 1).
func (a *Account) Fault(path, kind string, times int) {
	a.t.Helper()
	a.Control(http.MethodPost, "/_sim/faults", map[string]any{"path": path, "kind": kind, "times": times}, nil)
}

// Request is one API request that the account received.
type Request struct {
	Method         string `json:"method"`
	Path           string `json:"path"`
	Query          string `json:"query"`
	Body           string `json:"body"`
	IdempotencyKey string `json:"idempotency_key"`
	Version        string `json:"version"`
	Status         int    `json:"status"`
	Answer         string `json:"answer"`
}

// Requests returns what the account was asked, oldest first.
func (a *Account) Requests() []Request {
	a.t.Helper()
	var out []Request
	a.Control(http.MethodGet, "/_sim/requests", nil, &out)
	return out
}

// Delivery is one event's way to the webhook.
type Delivery struct {
	Event    string `json:"event"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	Attempts int    `json:"attempts"`
}

// Deliveries returns the deliveries of all events, oldest first.
func (a *Account) Deliveries() []Delivery {
	a.t.Helper()
	var out []Delivery
	a.Control(http.MethodGet, "/_sim/deliveries", nil, &out)
	return out
}

// Hold keeps events back until Hold(false).
func (a *Account) Hold(on bool) {
	a.t.Helper()
	a.Control(http.MethodPost, "/_sim/webhooks", map[string]any{"hold": on}, nil)
}

// Deliver sends the events now, in this order, and returns the webhook's
// statuses. Naming one twice delivers it twice.
func (a *Account) Deliver(events ...string) []int {
	a.t.Helper()
	var results []struct {
		Status int `json:"status"`
	}
	a.Control(http.MethodPost, "/_sim/deliver", map[string]any{"events": events}, &results)
	out := make([]int, len(results))
	for i, r := range results {
		out[i] = r.Status
	}
	return out
}

// SubmitCheckout types a card into a Checkout page as a browser would. It
// returns the status and where the page leads.
func (a *Account) SubmitCheckout(pageURL, cardNumber string) (status int, location string) {
	a.t.Helper()
	form := url.Values{"number": {cardNumber}, "expiry": {"12 / 30"}, "cvc": {"123"}, "name": {"Ada Example"}}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, pageURL, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, res.Header.Get("Location")
}

// API calls the account's API directly and returns status and answer.
func (a *Account) API(method, path, form string, header ...string) (int, map[string]any) {
	a.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form)
	} else if form != "" {
		path += "?" + form
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.URL+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+SecretKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	var out map[string]any
	dec := json.NewDecoder(res.Body)
	dec.UseNumber() // amounts stay whole
	if err := dec.Decode(&out); err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, out
}

// Control calls the simulation's own API.
func (a *Account) Control(method, path string, in, out any) {
	a.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, a.URL+path, bytes.NewReader(raw))
	if err != nil {
		a.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		msg, _ := io.ReadAll(res.Body)
		a.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, msg)
	}
	if out != nil {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			a.t.Fatal(err)
		}
	}
}
