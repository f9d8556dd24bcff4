// Package tollgate is everything on one machine in one process, to try
// Tollgate: a private PostgreSQL, portal, gateway, the sample API and simulated
// Stripe. It is the only program that knows sample accounts and a movable clock.
package tollgate

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"tollgate/internal/app/gateway"
	"tollgate/internal/app/portal"
	"tollgate/internal/demo"
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

// state is what the demo keeps between runs, readable by its owner alone.
type state struct {
	Pepper              string            `json:"pepper"`
	IdentitySecret      string            `json:"identity_secret"`
	StripeSecretKey     string            `json:"stripe_secret_key"`
	StripeWebhookSecret string            `json:"stripe_webhook_secret"`
	Passwords           map[string]string `json:"passwords"`
	Key                 string            `json:"key,omitempty"` // the developer's, so that the printed call works
	Seeded              bool              `json:"seeded"`
}

func stateFile(dir string) string { return filepath.Join(dir, "demo.json") }

// loadState reads what an earlier run kept, or makes fresh secrets.
func loadState(dir string) (*state, error) {
	data, err := os.ReadFile(stateFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		s := &state{Pepper: random(24), IdentitySecret: random(24), StripeSecretKey: "sk_test_" + random(18), StripeWebhookSecret: "whsec_" + random(24), Passwords: map[string]string{}}
		for _, p := range demo.People(func(string) string { return "" }) {
			s.Passwords[p.Who] = random(6)
		}
		return s, s.save(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the demo's secrets: %w", err)
	}
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): move the data directory away to start afresh", stateFile(dir), err)
	}
	return s, nil
}

func (s *state) save(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	tmp := stateFile(dir) + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("keep the demo's secrets: %w", err)
	}
	return os.Rename(tmp, stateFile(dir))
}

// random is n random bytes as text.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

func (s *state) people() []demo.Person {
	return demo.People(func(who string) string { return s.Passwords[who] })
}

// complete fills in what the demo decides itself: addresses on this machine,
// its own secrets, and the movable clock.
func (c *Config) complete(s *state, databaseURL string) {
	c.Portal.DatabaseURL, c.Gateway.DatabaseURL = databaseURL, databaseURL
	c.Portal.PublicURL, c.Gateway.PortalURL = "http://"+c.Portal.Listen, "http://"+c.Portal.Listen
	c.Portal.GatewayURL = "http://" + c.Gateway.Listen
	c.Portal.Pepper, c.Gateway.Pepper = s.Pepper, s.Pepper
	c.Portal.IdentitySecret, c.Gateway.IdentitySecret = s.IdentitySecret, s.IdentitySecret
	c.Portal.TestClock, c.Gateway.TestClock, c.Portal.Demo = true, true, true
	c.Gateway.DataDir = filepath.Join(c.DataDir, "gateway")
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
