package stripesim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	deliveryWorkers  = 4
	deliveryTimeout  = 10 * time.Second
	maxDeliveryTries = 20
	maxRetryDelay    = time.Hour
)

// delivery is one event's way to the configured endpoint.
type delivery struct {
	ID         string
	Event      string
	Type       string
	Status     string // pending, delivered or failed
	Attempts   int
	LastStatus int
	LastError  string
}

func (d delivery) recordID() string { return d.ID }
func (delivery) recordKind() string { return "delivery" }

// webhooks is where events go and which deliveries are under way.
type webhooks struct {
	client   *http.Client
	wake     chan struct{}
	endpoint guarded[webhookEndpoint]
	held     guarded[bool]

	mu   sync.Mutex
	busy map[string]bool // ids in flight or waiting for a retry
}

type webhookEndpoint struct{ url, secret string }

func newWebhooks(cfg Config) *webhooks {
	w := &webhooks{
		client: &http.Client{
			Timeout:       deliveryTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		wake: make(chan struct{}, 1),
		busy: map[string]bool{},
	}
	w.endpoint.v = webhookEndpoint{cfg.WebhookURL, cfg.WebhookSecret}
	return w
}

func (w *webhooks) configured() bool { return w.endpoint.get().url != "" }

func (w *webhooks) setEndpoint(url, secret string) {
	w.endpoint.set(webhookEndpoint{url, secret})
	w.nudge()
}

func (w *webhooks) hold(on bool) {
	w.held.set(on)
	w.nudge()
}

// nudge makes Run look for deliveries.
func (w *webhooks) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *webhooks) setBusy(id string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if on {
		w.busy[id] = true
		return
	}
	delete(w.busy, id)
}

func (w *webhooks) isBusy(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy[id]
}

// deliver sends pending events until ctx ends.
func (s *Server) deliver(ctx context.Context) error {
	var work sync.WaitGroup
	slots := make(chan struct{}, deliveryWorkers)
	timers := map[string]*time.Timer{}
	var mu sync.Mutex // guards timers
	defer func() {
		work.Wait()
		mu.Lock()
		defer mu.Unlock()
		for id, t := range timers {
			t.Stop()
			s.webhooks.setBusy(id, false)
		}
	}()
	later := func(d delivery) {
		mu.Lock()
		defer mu.Unlock()
		timers[d.ID] = time.AfterFunc(s.retryDelay(d.Attempts), func() {
			mu.Lock()
			delete(timers, d.ID)
			mu.Unlock()
			s.webhooks.setBusy(d.ID, false)
			s.webhooks.nudge()
		})
	}
	for {
		for _, d := range s.pendingDeliveries() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			s.webhooks.setBusy(d.ID, true)
			work.Go(func() {
				defer func() { <-slots }()
				if after := s.attempt(context.WithoutCancel(ctx), d); after.Status == "pending" {
					later(after)
					return
				}
				s.webhooks.setBusy(d.ID, false)
			})
		}
		select {
		case <-s.webhooks.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// retryDelay doubles with each attempt.
func (s *Server) retryDelay(attempts int) time.Duration {
	delay := s.cfg.RetryDelay
	for i := 1; i < attempts && delay < maxRetryDelay; i++ {
		delay *= 2
	}
	return min(delay, maxRetryDelay)
}

func (s *Server) pendingDeliveries() []delivery {
	if s.webhooks.held.get() || !s.webhooks.configured() {
		return nil
	}
	var out []delivery
	s.store.view(func(t *tx) {
		each(t, func(d delivery) bool {
			if d.Status == "pending" && !s.webhooks.isBusy(d.ID) {
				out = append(out, d)
			}
			return true
		})
	})
	return out
}

// attempt posts the event once and stores how that went.
func (s *Server) attempt(ctx context.Context, d delivery) delivery {
	status, err := s.post(ctx, d.Event)
	d.Attempts++
	d.LastStatus, d.LastError = status, ""
	switch {
	case err == nil:
		d.Status = "delivered"
	case d.Attempts >= maxDeliveryTries:
		d.Status, d.LastError = "failed", err.Error()
	default:
		d.LastError = err.Error()
	}
	if err := s.store.update(func(t *tx) bool { t.put(d); return true }); err != nil {
		s.cfg.Logger.Error("simulated Stripe could not store a delivery", "error", err)
	}
	return d
}

// post sends one event, signed as of now. Any answer but 2xx is an error.
func (s *Server) post(ctx context.Context, eventID string) (int, error) {
	var e event
	found := false
	s.store.view(func(t *tx) { e, found = find[event](t, eventID) })
	if !found {
		return 0, fmt.Errorf("no event %s", eventID)
	}
	payload, err := json.MarshalIndent(viewer{public: s.cfg.PublicURL}.event(e), "", "  ")
	if err != nil {
		return 0, err
	}
	to := s.webhooks.endpoint.get()
	if to.url == "" {
		return 0, errors.New("no webhook is configured")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(payload))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (simulated)")
	req.Header.Set("Stripe-Signature", signatureHeader(payload, to.secret, s.cfg.Now()))
	res, err := s.webhooks.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // lets the connection be used again
	if res.StatusCode/100 != 2 {
		return res.StatusCode, fmt.Errorf("the endpoint answered %d", res.StatusCode)
	}
	return res.StatusCode, nil
}

func signatureHeader(payload []byte, secret string, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(payload)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
