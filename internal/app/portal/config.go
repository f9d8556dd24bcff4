// Package portal is the portal as a program: its configuration and Run.
package portal

import (
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/app/settings"
	"tollgate/internal/billing/stripe"
)

// Config is read from the environment. Secrets are not printed.
type Config struct {
	Listen              string         `env:"PORTAL_LISTEN" envDefault:"127.0.0.1:8080"`
	PrivateListen       string         `env:"PORTAL_PRIVATE_LISTEN" envDefault:"127.0.0.1:8081"` // health in detail, metrics, profiling
	DatabaseURL         string         `env:"DATABASE_URL"`
	ProviderName        string         `env:"PROVIDER_NAME" envDefault:"Provider"`            // on invoices, until it is changed
	PublicURL           string         `env:"PORTAL_URL" envDefault:"http://127.0.0.1:8080"`  // as browsers reach the portal
	GatewayURL          string         `env:"GATEWAY_URL" envDefault:"http://127.0.0.1:8000"` // as developers reach the gateway
	Pepper              string         `env:"KEY_PEPPER"`                                     // the gateways'
	IdentitySecret      string         `env:"IDENTITY_SECRET"`                                // the gateways'
	StripeSecretKey     string         `env:"STRIPE_SECRET_KEY"`
	StripeWebhookSecret string         `env:"STRIPE_WEBHOOK_SECRET"`
	StripeBaseURL       string         `env:"STRIPE_BASE_URL"` // empty: Stripe's own
	StripeVersion       string         `env:"STRIPE_API_VERSION"`
	ImportNetworks      []netip.Prefix `env:"IMPORT_NETWORKS"`                 // private networks that documents may be fetched from; none by default
	UpstreamNetworks    []netip.Prefix `env:"UPSTREAM_NETWORKS" envDefault:""` // the gateways'; checked when an API is published
	RawCallsKept        int            `env:"RAW_CALLS_KEPT" envDefault:"400"` // days that single calls are stored at least; roll-ups stay for good
	DrainTimeout        time.Duration  `env:"DRAIN_TIMEOUT" envDefault:"30s"`
	LogLevel            slog.Level     `env:"LOG_LEVEL" envDefault:"INFO"`
	TestClock           bool           `env:"TEST_CLOCK"` // follow the movable clock; refused with a live Stripe key

	// Set by cmd/tollgate alone; no environment reaches them.
	Demo             bool
	Samples          []SampleAccount
	OwnListeners     []string // of the other programs in this process: no document is fetched from there
	GatewayListeners []string // of the gateway, where it runs in this process: no upstream is there
}

// SampleAccount is one of the demo's people.
type SampleAccount struct{ Who, Email, Password string }

// Validate reports everything that is wrong at once.
func (c Config) Validate() error {
	var wrong settings.Check
	need := wrong.Need
	wrong.Database("DATABASE_URL", c.DatabaseURL, "a PostgreSQL of version 15 or newer")
	need(len(c.Pepper) >= 16, "KEY_PEPPER must have at least 16 characters; keep it safe, keys are worthless without it")
	need(len(c.IdentitySecret) >= 16, "IDENTITY_SECRET must have at least 16 characters, the same as the gateways'")
	need(c.StripeSecretKey != "", "STRIPE_SECRET_KEY is missing")
	need(c.StripeWebhookSecret != "", "STRIPE_WEBHOOK_SECRET is missing: without it anybody could report payments")
	need(c.StripeSecretKey == "" || stripe.ValidKey(c.StripeSecretKey), "STRIPE_SECRET_KEY must be sk_test_…, sk_live_…, rk_test_… or rk_live_…")
	need(c.StripeWebhookSecret == "" || strings.HasPrefix(c.StripeWebhookSecret, "whsec_"), "STRIPE_WEBHOOK_SECRET must be whsec_…, of the webhook endpoint")
	need(c.StripeVersion == "" || stripe.ValidVersion(c.StripeVersion), "STRIPE_API_VERSION must be a date such as 2023-10-16, with a release name if it has one, not %q", c.StripeVersion)
	need(!c.TestClock || strings.Contains(c.StripeSecretKey, "_test_"), "TEST_CLOCK moves time for tests and is refused with a live STRIPE_SECRET_KEY")
	for name, value := range map[string]string{"PORTAL_URL": c.PublicURL, "GATEWAY_URL": c.GatewayURL} {
		u, err := url.Parse(value)
		need(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.HasSuffix(value, "/"), "%s must be an http or https address without a slash at its end, not %q", name, value)
	}
	need(c.RawCallsKept >= 62, "RAW_CALLS_KEPT must be at least 62 days, not %d: a period and its late calls are billed from single calls", c.RawCallsKept)
	need(c.DrainTimeout >= 0, "DRAIN_TIMEOUT must not be negative, as %s is", c.DrainTimeout)
	wrong.Listen("PORTAL_LISTEN", c.Listen)
	wrong.Listen("PORTAL_PRIVATE_LISTEN", c.PrivateListen)
	return wrong.Err()
}

// LogValue keeps secrets out of logs.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("listen", c.Listen), slog.String("private", c.PrivateListen), slog.String("public_url", c.PublicURL))
}
