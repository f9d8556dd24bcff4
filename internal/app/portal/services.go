package portal

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"tollgate/internal/accounts"
	"tollgate/internal/applications"
	"tollgate/internal/billing"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/catalog"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/keys"
	"tollgate/internal/outbound"
	"tollgate/internal/plans"
	"tollgate/internal/portal"
	"tollgate/internal/portal/account"
	"tollgate/internal/portal/api"
	"tollgate/internal/portal/console"
	"tollgate/internal/portal/finance"
	"tollgate/internal/portal/ops"
	"tollgate/internal/portal/site"
	"tollgate/internal/portal/studio"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
	"tollgate/internal/telemetry"
	"tollgate/internal/writeoff"
	"tollgate/web/page"
)

// Services are the portal's use cases, assembled once.
type Services struct {
	cfg    Config
	logger *slog.Logger

	DB            *postgres.DB
	Clock         *clock.Clock
	Queue         *jobs.Queue
	Accounts      *accounts.Service
	Applications  *applications.Service
	Keys          *keys.Service
	Catalog       *catalog.Service
	Plans         *plans.Service
	Subscriptions *subscriptions.Service
	Invoices      *invoices.Service
	Billing       *billing.Service
}

func assemble(cfg Config, db *postgres.DB, logger *slog.Logger) (*Services, error) {
	s := &Services{cfg: cfg, logger: logger, DB: db, Clock: clock.New()}
	if cfg.TestClock {
		if offset, err := s.clockOffset(context.Background()); err == nil {
			s.Clock.MoveTo(offset)
		}
	}
	var err error
	if s.Queue, err = jobs.NewQueue(db.StaffPool()); err != nil {
		return nil, err
	}
	if s.Accounts, err = accounts.New(db, s.Clock); err != nil {
		return nil, err
	}
	gateway, err := stripe.New(stripe.Config{SecretKey: cfg.StripeSecretKey, WebhookSecret: cfg.StripeWebhookSecret, BaseURL: cfg.StripeBaseURL, APIVersion: cfg.StripeVersion}, nil)
	if err != nil {
		return nil, fmt.Errorf("stripe: %w", err)
	}
	s.Applications = applications.New(db)
	s.Keys = keys.New(db, s.Clock, []byte(cfg.Pepper))
	s.Catalog = catalog.New(db, s.Clock, s.Queue, catalog.Guards{Documents: guard(cfg.ImportNetworks, slices.Concat(cfg.OwnListeners, []string{cfg.Listen, cfg.PrivateListen})), Upstreams: guard(cfg.UpstreamNetworks, cfg.GatewayListeners)})
	s.Plans = plans.New(db, s.Clock)
	s.Subscriptions = subscriptions.New(db, s.Clock)
	s.Invoices = invoices.New(db, s.Clock)
	s.Billing = billing.New(billing.Parts{DB: db, Clock: s.Clock, Stripe: gateway, Accounts: s.Accounts, Plans: s.Plans, Subscriptions: s.Subscriptions,
		Invoices: s.Invoices, Queue: s.Queue, PublicURL: cfg.PublicURL})
	return s, nil
}

func (s *Services) screens() portal.Screens {
	var samples []page.SamplePerson
	for _, a := range s.cfg.Samples {
		samples = append(samples, page.SamplePerson{Who: a.Who, Email: a.Email, Password: a.Password})
	}
	screens := portal.Screens{
		Auth: &site.Auth{Accounts: s.Accounts, Samples: samples, Home: portal.Home},
		Site: &site.Pages{Catalog: s.Catalog, Plans: s.Plans, Subscriptions: s.Subscriptions, Clock: s.Clock, GatewayURL: s.cfg.GatewayURL, PublicURL: s.cfg.PublicURL},
		Console: &console.Console{DB: s.DB, Clock: s.Clock, Accounts: s.Accounts, Applications: s.Applications, Keys: s.Keys, Subscriptions: s.Subscriptions,
			Plans: s.Plans, Billing: s.Billing, Invoices: s.Invoices, GatewayURL: s.cfg.GatewayURL, CallsKept: s.cfg.RawCallsKept},
		Account:  &account.Pages{Accounts: s.Accounts, Billing: s.Billing},
		Studio:   &studio.Pages{DB: s.DB, Catalog: s.Catalog, Plans: s.Plans, Accounts: s.Accounts, Subscriptions: s.Subscriptions, Clock: s.Clock},
		Finance:  &finance.Finance{Billing: s.Billing, Invoices: s.Invoices, Clock: s.Clock, CallsKept: s.cfg.RawCallsKept},
		Ops:      &ops.Ops{DB: s.DB, Clock: s.Clock, Parts: s.parts(), WriteOffs: writeoff.New(s.DB, s.Clock)},
		Webhooks: &ops.Webhooks{Billing: s.Billing},
		API:      &api.Handlers{DB: s.DB, Clock: s.Clock, Subscriptions: s.Subscriptions},
	}
	if s.cfg.Demo {
		screens.Clock = &ops.Clock{DB: s.DB, Clock: s.Clock, Mover: s}
	}
	return screens
}

// formTargets are the origins that our forms may lead to.
func (c Config) formTargets() []string {
	targets := []string{"https://checkout.stripe.com"}
	if u, err := url.Parse(c.StripeBaseURL); err == nil && u.Host != "" {
		targets = []string{u.Scheme + "://" + u.Host}
	}
	return targets
}

// Move moves business time forward, for everybody who follows it, and does
// what became due. Demo mode only.
func (s *Services) Move(ctx context.Context, to time.Time) (billing.Done, error) {
	offset := to.Sub(s.Clock.Real()).Truncate(time.Second)
	conn, err := openOwner(ctx, s.cfg.DatabaseURL)
	if err != nil {
		return billing.Done{}, err
	}
	defer conn.Close()
	if _, err := conn.Exec(ctx, `UPDATE business_clock SET offset_seconds = greatest(offset_seconds, $1)`, int64(offset/time.Second)); err != nil {
		return billing.Done{}, fmt.Errorf("move the clock: %w", err)
	}
	s.Clock.MoveTo(offset)
	return s.Billing.CatchUp(ctx)
}

// withHealth answers load balancers beside the pages.
func withHealth(pages http.Handler, parts []telemetry.Part) http.Handler {
	ready := telemetry.Readiness(parts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			telemetry.Liveness(w, r)
		case "/readyz":
			ready(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

func (s *Services) parts() []telemetry.Part {
	ask := func(sql string, before time.Duration, detail string, bad telemetry.State) func(context.Context) (telemetry.State, string) {
		return func(ctx context.Context) (telemetry.State, string) {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			var ok bool
			if err := s.DB.StaffPool().QueryRow(ctx, sql, s.Clock.Real().Add(-before)).Scan(&ok); err != nil || !ok {
				return bad, detail
			}
			return telemetry.Healthy, ""
		}
	}
	return []telemetry.Part{
		{Name: "database", Check: ask(`SELECT $1::timestamptz IS NOT NULL`, 0, "the database does not answer", telemetry.Down)},
		{Name: "jobs", Check: ask(`SELECT NOT EXISTS (SELECT FROM river_job WHERE state = 'discarded' OR (state = 'retryable' AND attempt > 3 AND created_at < $1))`, time.Minute, "background work keeps failing", telemetry.Degraded)},
		{Name: "stripe", Check: ask(`SELECT NOT EXISTS (SELECT FROM stripe_events WHERE applied_at IS NULL AND received_at < $1)`, 10*time.Minute, "webhooks wait to be applied", telemetry.Degraded)},
		{Name: "gateways", Check: ask(`SELECT EXISTS (SELECT FROM gateways WHERE seen_at > $1)`, 30*time.Second, "no gateway has reported for 30 seconds", telemetry.Degraded)},
	}
}

// guard allows public addresses and the networks that an operator has named, but
// none of the given listeners.
func guard(networks []netip.Prefix, listeners []string) *outbound.Guard {
	var own []netip.AddrPort
	for _, listen := range listeners {
		if a, err := netip.ParseAddrPort(listen); err == nil {
			own = append(own, a)
		}
	}
	return outbound.Networks(networks, own)
}
