// Package stripesim is Stripe's API simulated over HTTP, with state: customers,
// Checkout in setup mode, payment methods, invoices, payments, refunds, events
// and signed webhooks. It moves no money. It exists so that the product can be
// tried and tested without an account, through the real SDK by base URL alone.
package stripesim

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Config says how one simulated Stripe account behaves.
type Config struct {
	// SecretKey is the only API key that is accepted, sk_test_….
	SecretKey string
	// WebhookURL receives events. Empty: events are kept but delivered nowhere.
	WebhookURL string
	// WebhookSecret signs deliveries. Required when WebhookURL is set.
	WebhookSecret string
	// PublicURL is where people's browsers reach Handler, without a trailing slash.
	PublicURL string
	// Dir holds the state. Empty: state lives in memory only.
	Dir string
	// Now is the account's clock.
	Now func() time.Time
	// Logger receives failures that no answer can carry.
	Logger *slog.Logger
	// RetryDelay is the wait after a first failed delivery; it doubles from
	// there up to an hour. Zero means one second.
	RetryDelay time.Duration
}

// Validate reports every fault of the configuration at once.
func (c Config) Validate() error {
	var errs []error
	if !strings.HasPrefix(c.SecretKey, "sk_test_") || len(c.SecretKey) < len("sk_test_")+8 {
		errs = append(errs, errors.New("stripesim: SecretKey must start with sk_test_ and have at least 8 characters more"))
	}
	if c.WebhookURL != "" && c.WebhookSecret == "" {
		errs = append(errs, errors.New("stripesim: WebhookSecret is required with WebhookURL"))
	}
	if c.WebhookURL != "" && !isWebURL(c.WebhookURL) {
		errs = append(errs, errors.New("stripesim: WebhookURL must be an absolute http or https address"))
	}
	if !isWebURL(c.PublicURL) || strings.HasSuffix(c.PublicURL, "/") {
		errs = append(errs, errors.New("stripesim: PublicURL must be an absolute http or https address without a trailing slash"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("stripesim: Now is required"))
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("stripesim: Logger is required"))
	}
	return errors.Join(errs...)
}

// LogValue shows the configuration without its secrets.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("webhook_url", c.WebhookURL),
		slog.String("public_url", c.PublicURL),
		slog.String("dir", c.Dir),
	)
}

// Server is one simulated account. Create it with New.
type Server struct {
	cfg      Config
	store    *store
	idem     *inFlight
	faults   *faults
	recorder *recorder
	webhooks *webhooks
	handler  http.Handler
}

// New opens the account kept in cfg.Dir, or starts an empty one.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.RetryDelay <= 0 {
		cfg.RetryDelay = time.Second
	}
	st, err := openStore(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		store:    st,
		idem:     &inFlight{keys: map[string]bool{}},
		faults:   &faults{},
		recorder: &recorder{},
		webhooks: newWebhooks(cfg),
	}
	if err := s.prune(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	s.handler = s.routes()
	return s, nil
}

// eventLifetime is how long Stripe keeps events.
const eventLifetime = 30 * day

// prune forgets what Stripe would have forgotten by now.
func (s *Server) prune() error {
	now := s.cfg.Now().Unix()
	return s.store.update(func(t *tx) bool {
		each(t, func(a savedAnswer) bool {
			if now-a.Created >= day {
				t.delete(a.recordID())
			}
			return true
		})
		each(t, func(e event) bool {
			if now-e.Created >= eventLifetime {
				t.delete(e.ID)
			}
			return true
		})
		each(t, func(d delivery) bool {
			if _, ok := t.lookup(d.Event); !ok {
				t.delete(d.ID)
			}
			return true
		})
		return true
	})
}

// Handler serves the API under /v1/, the hosted pages under /checkout/ and
// /invoices/, and the control API under /_sim/.
func (s *Server) Handler() http.Handler { return s.handler }

// SetWebhook changes where events are delivered and how they are signed, for
// callers that learn their own address only after New.
func (s *Server) SetWebhook(endpoint, secret string) error {
	if endpoint != "" && (!isWebURL(endpoint) || secret == "") {
		return errors.New("stripesim: a webhook needs an absolute http or https address and a secret")
	}
	s.webhooks.setEndpoint(endpoint, secret)
	return nil
}

// Close releases the state file. Call it after Run has returned and the
// server that uses Handler has shut down.
func (s *Server) Close() error { return s.store.close() }

// Run delivers webhooks until ctx ends, then waits for deliveries in flight.
// What is undelivered by then is kept and delivered by the next Run.
func (s *Server) Run(ctx context.Context) error {
	return s.deliver(ctx)
}

func isWebURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// guarded is a value behind its own lock.
type guarded[T any] struct {
	mu sync.Mutex
	v  T
}

func (g *guarded[T]) get() T {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.v
}

func (g *guarded[T]) set(v T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.v = v
}
