package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tollgate/internal/app/gateway"
)

func TestAGatewayStartsWithNoSecretThatIsMissingOrShort(t *testing.T) {
	t.Parallel()
	good := gateway.Config{
		Listen: "127.0.0.1:8000", PrivateListen: "127.0.0.1:8001", ID: "test", DatabaseURL: "postgres://tollgate@127.0.0.1/tollgate", PortalURL: "http://portal.test", Pepper: pepper, IdentitySecret: secret,
		UpstreamTimeout: time.Second, SpoolSegmentSlots: 64, SpoolMaxSegments: 2,
	}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*gateway.Config)
		says   []string
	}{
		"no pepper":           {func(c *gateway.Config) { c.Pepper = "" }, []string{"KEY_PEPPER"}},
		"a short pepper":      {func(c *gateway.Config) { c.Pepper = "fifteen letters" }, []string{"KEY_PEPPER"}},
		"no identity secret":  {func(c *gateway.Config) { c.IdentitySecret = "" }, []string{"IDENTITY_SECRET"}},
		"everything at once":  {func(c *gateway.Config) { *c = gateway.Config{} }, []string{"KEY_PEPPER", "IDENTITY_SECRET", "DATABASE_URL", "GATEWAY_ID", "UPSTREAM_TIMEOUT", "GATEWAY_LISTEN"}},
		"a share of calls":    {func(c *gateway.Config) { c.TraceShare = 1.5 }, []string{"TRACE_SHARE"}},
		"an unknown policy":   {func(c *gateway.Config) { c.SpoolFull = "forget" }, []string{"SPOOL_FULL"}},
		"a limit below zero":  {func(c *gateway.Config) { c.FailedKeys = -1 }, []string{"FAILED_KEYS"}},
		"a body below zero":   {func(c *gateway.Config) { c.MaxRequestBody = -1 }, []string{"MAX_REQUEST_BODY"}},
		"another Redis":       {func(c *gateway.Config) { c.RedisURL = "http://127.0.0.1" }, []string{"REDIS_URL"}},
		"no time for a drain": {func(c *gateway.Config) { c.DrainTimeout = -1 }, []string{"DRAIN_TIMEOUT"}},
	} {
		cfg := good
		c.change(&cfg)
		err := cfg.Validate()
		for _, setting := range c.says {
			if err == nil || !strings.Contains(err.Error(), setting) {
				t.Errorf("%s: %v does not name %s", name, err, setting)
			}
		}
	}
	if text := fmt.Sprint(good.LogValue()); strings.Contains(text, pepper) || strings.Contains(text, secret) {
		t.Errorf("secrets are printed: %s", text)
	}
}
