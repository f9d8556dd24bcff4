// Package gateway is the gateway as a program: its configuration and Run.
package gateway

import (
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"tollgate/internal/app/settings"
	"tollgate/internal/metering/spool"
	"tollgate/internal/quota/shared"
)

// Config is read from the environment. Secrets are not printed.
type Config struct {
	Listen            string         `env:"GATEWAY_LISTEN" envDefault:"127.0.0.1:8000"`
	PrivateListen     string         `env:"GATEWAY_PRIVATE_LISTEN" envDefault:"127.0.0.1:8001"` // health in detail, metrics, profiling
	ID                string         `env:"GATEWAY_ID" envDefault:"gateway-1"`                  // unique among gateways
	DatabaseURL       string         `env:"DATABASE_URL"`
	DataDir           string         `env:"GATEWAY_DATA_DIR" envDefault:"/var/lib/tollgate/gateway"` // spool and the copy of the view
	PortalURL         string         `env:"PORTAL_URL" envDefault:"http://127.0.0.1:8080"`
	Pepper            string         `env:"KEY_PEPPER"`      // the portal's
	IdentitySecret    string         `env:"IDENTITY_SECRET"` // the portal's
	UpstreamNetworks  []netip.Prefix `env:"UPSTREAM_NETWORKS" envDefault:""`
	TrustedProxies    []netip.Prefix `env:"TRUSTED_PROXIES" envDefault:""`  // whose X-Forwarded-For is believed
	RedisURL          string         `env:"REDIS_URL"`                      // rate limits shared by gateways; empty: each counts alone
	RedisMode         shared.Mode    `env:"REDIS_MODE" envDefault:"leased"` // exact or leased
	RedisGateways     int64          `env:"REDIS_GATEWAYS" envDefault:"1"`  // until Redis has told
	FailedKeys        int            `env:"FAILED_KEYS" envDefault:"60"`    // wrong keys per minute and address; 0: any number
	UpstreamTimeout   time.Duration  `env:"UPSTREAM_TIMEOUT" envDefault:"60s"`
	MaxRequestBody    int64          `env:"MAX_REQUEST_BODY" envDefault:"104857600"` // bytes; 0: any number
	SpoolSegmentSlots int64          `env:"SPOOL_SEGMENT_SLOTS" envDefault:"65536"`  // 256 bytes each
	SpoolMaxSegments  int            `env:"SPOOL_MAX_SEGMENTS" envDefault:"256"`
	SpoolFull         spool.Policy   `env:"SPOOL_FULL" envDefault:"refuse"` // refuse or serve calls that cannot be recorded
	DrainTimeout      time.Duration  `env:"DRAIN_TIMEOUT" envDefault:"30s"`
	TraceEndpoint     string         `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`   // a collector of traces, such as http://127.0.0.1:4318; empty: none
	TraceShare        float64        `env:"TRACE_SHARE" envDefault:"0.01"` // of calls that are traced, 0 to 1
	LogLevel          slog.Level     `env:"LOG_LEVEL" envDefault:"INFO"`
	TestClock         bool           `env:"TEST_CLOCK"` // follow the movable clock; for tests, never with real money
}

// Validate reports everything that is wrong at once.
func (c Config) Validate() error {
	var wrong settings.Check
	need := wrong.Need
	wrong.Database("DATABASE_URL", c.DatabaseURL, "the PostgreSQL that the portal uses")
	need(len(c.Pepper) >= 16, "KEY_PEPPER must have at least 16 characters, the same as the portal's")
	need(len(c.IdentitySecret) >= 16, "IDENTITY_SECRET must have at least 16 characters, the same as the portal's")
	need(strings.HasPrefix(c.PortalURL, "http"), "PORTAL_URL must be the portal's public address")
	need(c.SpoolSegmentSlots >= 64, "SPOOL_SEGMENT_SLOTS must be at least 64")
	need(c.SpoolMaxSegments >= 2, "SPOOL_MAX_SEGMENTS must be at least 2")
	need(c.SpoolFull == "" || c.SpoolFull == spool.Refuse || c.SpoolFull == spool.Serve, "SPOOL_FULL must be refuse or serve, not %q", c.SpoolFull)
	need(c.RedisMode == "" || c.RedisMode == shared.Exact || c.RedisMode == shared.Leased, "REDIS_MODE must be exact or leased, not %q", c.RedisMode)
	need(c.RedisURL == "" || strings.HasPrefix(c.RedisURL, "redis://") || strings.HasPrefix(c.RedisURL, "rediss://"), "REDIS_URL must be like redis://user:password@host:6379/0")
	need(c.FailedKeys >= 0, "FAILED_KEYS must not be negative")
	need(c.TraceShare >= 0 && c.TraceShare <= 1, "TRACE_SHARE must be between 0 and 1, not %g", c.TraceShare)
	need(c.TraceEndpoint == "" || strings.HasPrefix(c.TraceEndpoint, "http"), "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https address")
	need(c.ID != "", "GATEWAY_ID is missing: a name of its own for each gateway")
	need(c.UpstreamTimeout > 0, "UPSTREAM_TIMEOUT must be more than 0, not %s", c.UpstreamTimeout)
	need(c.MaxRequestBody >= 0, "MAX_REQUEST_BODY must not be negative: 0 is no limit")
	need(c.DrainTimeout >= 0, "DRAIN_TIMEOUT must not be negative, as %s is", c.DrainTimeout)
	wrong.Listen("GATEWAY_LISTEN", c.Listen)
	wrong.Listen("GATEWAY_PRIVATE_LISTEN", c.PrivateListen)
	return wrong.Err()
}

// LogValue keeps secrets out of logs.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", c.ID), slog.String("listen", c.Listen), slog.String("private", c.PrivateListen),
		slog.String("data_dir", c.DataDir), slog.String("portal", c.PortalURL))
}
