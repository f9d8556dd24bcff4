// Package tollgate is everything on one machine in one process, to try
// Tollgate: a private PostgreSQL, portal, gateway, the sample API and simulated
// Stripe. It is the only program that knows sample accounts and a movable clock.
package tollgate

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"tollgate/internal/app/gateway"
	"tollgate/internal/app/portal"
	"tollgate/internal/app/settings"
)

// Config is read from the environment; the portal's and gateway's settings
// apply too.
type Config struct {
	DataDir      string `env:"TOLLGATE_DATA_DIR" envDefault:".data"`
	PostgresPort int    `env:"TOLLGATE_POSTGRES_PORT" envDefault:"0"` // 0: any free one
	SampleListen string `env:"SAMPLE_LISTEN" envDefault:"127.0.0.1:8002"`
	StripeListen string `env:"STRIPE_SIM_LISTEN" envDefault:"127.0.0.1:8003"`
	Portal       portal.Config
	Gateway      gateway.Config

	simulate bool // Stripe is simulated: no account of one's own is set
}

// Decided are the settings of portal and gateway that the demo decides itself
// and does not read.
var Decided = []string{"DRAIN_TIMEOUT", "GATEWAY_DATA_DIR", "GATEWAY_ID", "GATEWAY_URL", "IDENTITY_SECRET", "KEY_PEPPER", "LOG_LEVEL",
	"PORTAL_URL", "PROVIDER_NAME", "STRIPE_BASE_URL", "TEST_CLOCK"}

// Validate reports everything that is wrong at once.
func (c Config) Validate() error {
	needless := c.Portal.StripeSecretKey == "" && c.Portal.StripeWebhookSecret != ""
	databaseURL := c.Portal.DatabaseURL
	if databaseURL == "" {
		databaseURL = "postgres://127.0.0.1/"
	}
	c.complete(newState(), databaseURL, "") // what the demo decides itself is not wrong
	c.Portal.PublicURL, c.Portal.GatewayURL = "http://127.0.0.1", "http://127.0.0.1"
	var wrong settings.Check
	wrong.Need(!needless, "STRIPE_SECRET_KEY is missing, while STRIPE_WEBHOOK_SECRET is set: set both, or none to simulate Stripe")
	wrong.Need(c.PostgresPort >= 0 && c.PostgresPort <= 65535, "TOLLGATE_POSTGRES_PORT must be a port of at most 65535, not %d", c.PostgresPort)
	wrong.Listen("SAMPLE_LISTEN", c.SampleListen)
	wrong.Listen("STRIPE_SIM_LISTEN", c.StripeListen)
	for _, l := range c.listeners() {
		wrong.Need(!strings.HasSuffix(l.addr, ":0"), "%s must have a port other than 0, which the demo can print", l.setting)
	}
	return errors.Join(c.Portal.Validate(), c.Gateway.Validate(), wrong.Err())
}

type listener struct{ addr, setting string }

func (c Config) listeners() []listener {
	return []listener{
		{c.Portal.Listen, "PORTAL_LISTEN"}, {c.Portal.PrivateListen, "PORTAL_PRIVATE_LISTEN"}, {c.Gateway.Listen, "GATEWAY_LISTEN"},
		{c.Gateway.PrivateListen, "GATEWAY_PRIVATE_LISTEN"}, {c.SampleListen, "SAMPLE_LISTEN"}, {c.StripeListen, "STRIPE_SIM_LISTEN"},
	}
}

// complete fills in what the demo decides itself: addresses on this machine,
// its own secrets, and the movable clock. home is the folder of what belongs to
// the database.
func (c *Config) complete(s *state, databaseURL, home string) {
	c.Portal.DatabaseURL, c.Gateway.DatabaseURL = databaseURL, databaseURL
	c.Portal.PublicURL, c.Gateway.PortalURL = "http://"+c.Portal.Listen, "http://"+c.Portal.Listen
	c.Portal.GatewayURL = "http://" + c.Gateway.Listen
	c.Portal.Pepper, c.Gateway.Pepper = s.Pepper, s.Pepper
	c.Portal.IdentitySecret, c.Gateway.IdentitySecret = s.IdentitySecret, s.IdentitySecret
	c.Portal.TestClock, c.Gateway.TestClock, c.Portal.Demo = true, true, true
	c.Gateway.DataDir = filepath.Join(home, "gateway")
	c.Gateway.UpstreamNetworks = append(c.Gateway.UpstreamNetworks, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	c.Portal.ImportNetworks = append(c.Portal.ImportNetworks, netip.MustParsePrefix("127.0.0.0/8"))
	c.Portal.UpstreamNetworks = c.Gateway.UpstreamNetworks
	c.Portal.GatewayListeners = []string{c.Gateway.Listen, c.Gateway.PrivateListen}
	c.Portal.OwnListeners = []string{c.Gateway.Listen, c.Gateway.PrivateListen, c.StripeListen}
	c.Portal.DrainTimeout, c.Gateway.DrainTimeout = 10*time.Second, 10*time.Second
	if c.simulate = c.Portal.StripeSecretKey == ""; c.simulate {
		c.Portal.StripeSecretKey, c.Portal.StripeWebhookSecret, c.Portal.StripeBaseURL = s.StripeSecretKey, s.StripeWebhookSecret, "http://"+c.StripeListen
	}
	for _, p := range s.people() {
		c.Portal.Samples = append(c.Portal.Samples, portal.SampleAccount{Who: p.Who, Email: p.Email, Password: p.Password})
	}
}
