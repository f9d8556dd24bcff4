// Package stripe is the only place that speaks to Stripe: customers, saved
// cards, invoices with integer amounts, payments, refunds and webhooks. It
// keeps no state and decides nothing about money; it makes each call exact,
// repeatable and honest about its outcome.
//
// Only endpoints, parameters and answer members are used that exist in API
// version 2023-10-16 and in current ones.
package stripe

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
)

const (
	// DefaultBaseURL is Stripe itself.
	DefaultBaseURL = "https://api.stripe.com"

	requestTimeout = 20 * time.Second
	maxAnswerBytes = 8 << 20
	// networkRetries is how often the SDK repeats a call by itself, with the
	// same key. Its pauses ignore the context, so there is one at most.
	networkRetries = 1
)

// Config says which Stripe account is used, and where.
type Config struct {
	// SecretKey is sk_test_…, sk_live_…, or a restricted rk_… key.
	SecretKey string
	// WebhookSecret is the endpoint's signing secret, whsec_….
	WebhookSecret string
	// BaseURL replaces Stripe's address. Empty: DefaultBaseURL. Plain http is
	// accepted on loopback only, and a live key goes to Stripe only.
	BaseURL string
	// APIVersion replaces the SDK's own version, for example 2026-08-26.dahlia.
	APIVersion string
}

var apiVersionPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$`)

// Validate reports every fault of the configuration at once.
func (c Config) Validate() error {
	var errs []error
	if !ValidKey(c.SecretKey) {
		errs = append(errs, errors.New("stripe: the secret key must be sk_test_…, sk_live_…, rk_test_… or rk_live_…"))
	}
	if !strings.HasPrefix(c.WebhookSecret, "whsec_") || len(c.WebhookSecret) < len("whsec_")+8 {
		errs = append(errs, errors.New("stripe: the webhook secret must be whsec_…; without one anybody could send events"))
	}
	if err := c.validateBaseURL(); err != nil {
		errs = append(errs, err)
	}
	if c.APIVersion != "" && !ValidVersion(c.APIVersion) {
		errs = append(errs, fmt.Errorf("stripe: %q is not an API version", c.APIVersion))
	}
	return errors.Join(errs...)
}

// ValidVersion reports whether v is the name of a version of Stripe's API, such
// as 2023-10-16 or 2026-08-26.dahlia.
func ValidVersion(v string) bool { return apiVersionPattern.MatchString(v) }

// ValidKey reports whether key has the form of a secret or restricted key.
func ValidKey(key string) bool {
	for _, prefix := range []string{"sk_test_", "sk_live_", "rk_test_", "rk_live_"} {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			return len(rest) >= 8 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
		}
	}
	return false
}

func (c Config) validateBaseURL() error {
	if c.BaseURL == "" || c.BaseURL == DefaultBaseURL {
		return nil
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(c.BaseURL, "/") {
		return errors.New("stripe: the base URL must be scheme and host, without a trailing slash")
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return errors.New("stripe: the base URL must be https, or http on loopback")
	}
	if c.live() {
		return errors.New("stripe: a live key is sent to Stripe itself only, remove the base URL")
	}
	return nil
}

func (c Config) live() bool {
	return strings.HasPrefix(c.SecretKey, "sk_live_") || strings.HasPrefix(c.SecretKey, "rk_live_")
}

// LogValue shows the configuration without its secrets.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Bool("live", c.live()),
		slog.String("base_url", c.BaseURL),
		slog.String("api_version", c.APIVersion),
	)
}

// String is LogValue for fmt.
func (c Config) String() string { return c.LogValue().String() }

// GoString is LogValue for fmt's %#v.
func (c Config) GoString() string { return c.String() }

// Client calls Stripe for one account. It is safe for concurrent use.
type Client struct {
	api           *client.API
	webhookSecret string
}

// New makes a client. hc gives the transport and timeout (nil: defaults); it
// is copied, redirects are never followed.
func New(cfg Config, hc *http.Client) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, version := cfg.BaseURL, cfg.APIVersion
	if base == "" {
		base = DefaultBaseURL
	}
	if version == "" {
		version = stripego.APIVersion
	}
	backend := stripego.GetBackendWithConfig(stripego.APIBackend, &stripego.BackendConfig{
		EnableTelemetry:   stripego.Bool(false),
		HTTPClient:        httpClient(hc, version),
		LeveledLogger:     &stripego.LeveledLogger{Level: stripego.LevelNull},
		MaxNetworkRetries: stripego.Int64(networkRetries),
		URL:               stripego.String(base),
	})
	// All three, or the SDK fills the others from its global defaults.
	api := client.New(cfg.SecretKey, &stripego.Backends{API: backend, Connect: backend, Uploads: backend})
	return &Client{api: api, webhookSecret: cfg.WebhookSecret}, nil
}

func httpClient(hc *http.Client, version string) *http.Client {
	var out http.Client
	if hc != nil {
		out = *hc
	}
	if out.Timeout == 0 {
		out.Timeout = requestTimeout
	}
	next := out.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out.Transport = versioned{next: next, version: version}
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &out
}

// versioned sets the API version here because the SDK's list calls cannot,
// and bounds the answer because the SDK reads it whole.
type versioned struct {
	next    http.RoundTripper
	version string
}

// RoundTrip implements http.RoundTripper.
func (t versioned) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Stripe-Version", t.version)
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = boundedBody{Reader: io.LimitReader(res.Body, maxAnswerBytes), Closer: res.Body}
	return res, nil
}

type boundedBody struct {
	io.Reader
	io.Closer
}
