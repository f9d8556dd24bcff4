// Package portaltest runs the whole web app on a database of its own and with a
// simulated Stripe account, for tests that speak HTTP to it.
package portaltest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

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
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/stripesim/simtest"
	"tollgate/internal/subscriptions"
	"tollgate/internal/telemetry"
	"tollgate/internal/writeoff"
)

// GatewayURL is what pages say that the gateway's address is.
const GatewayURL = "https://gw.example"

// Portal is a running web app with the services below it.
type Portal struct {
	URL      string
	Handler  http.Handler
	Server   *portal.Server
	DB       *postgres.DB
	Clock    *clock.Clock
	Stripe   *simtest.Account
	Accounts *accounts.Service
	Catalog  *catalog.Service
	Plans    *plans.Service
	Billing  *billing.Service
	Queue    *jobs.Queue
}

func init() { gin.SetMode(gin.ReleaseMode) } // gin knows no other way to be quiet

// New starts the web app on a fresh database.
func New(t testing.TB) *Portal {
	t.Helper()
	p := &Portal{DB: pgtest.New(t), Clock: clock.Fixed(simtest.Start)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.Handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	p.URL, p.Stripe = srv.URL, simtest.New(t, simtest.Options{WebhookURL: srv.URL + "/webhooks/stripe"})
	screens := p.screens(t)
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	p.Server = portal.New(portal.Config{PublicURL: p.URL, FormTargets: []string{p.Stripe.URL}, IdentitySecret: []byte("0123456789abcdef"), Demo: true},
		portal.Parts{DB: p.DB, Clock: p.Clock, Accounts: p.Accounts, Logger: logger, Registry: prometheus.NewRegistry()}, screens.Routes())
	p.Handler = p.Server.Handler()
	return p
}

func (p *Portal) screens(t testing.TB) portal.Screens {
	t.Helper()
	pay, err := stripe.New(stripe.Config{SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret, BaseURL: p.Stripe.URL}, nil)
	must(t, err)
	p.Queue, err = jobs.NewQueue(p.DB.StaffPool())
	must(t, err)
	p.Accounts, err = accounts.New(p.DB, p.Clock)
	must(t, err)
	loopback := outbound.Networks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	p.Catalog, p.Plans = catalog.New(p.DB, p.Clock, p.Queue, catalog.Guards{Documents: loopback, Upstreams: loopback}), plans.New(p.DB, p.Clock)
	subs, inv := subscriptions.New(p.DB, p.Clock), invoices.New(p.DB, p.Clock)
	p.Billing = billing.New(billing.Parts{DB: p.DB, Clock: p.Clock, Stripe: pay, Accounts: p.Accounts, Plans: p.Plans, Subscriptions: subs, Invoices: inv, Queue: p.Queue, PublicURL: p.URL})
	healthy := telemetry.Part{Name: "database", Check: func(context.Context) (telemetry.State, string) { return telemetry.Healthy, "" }}
	return portal.Screens{
		Site:    &site.Pages{Catalog: p.Catalog, Plans: p.Plans, Subscriptions: subs, Clock: p.Clock, GatewayURL: GatewayURL, PublicURL: p.URL},
		Studio:  &studio.Pages{DB: p.DB, Catalog: p.Catalog, Plans: p.Plans, Accounts: p.Accounts, Subscriptions: subs, Clock: p.Clock},
		API:     &api.Handlers{DB: p.DB, Clock: p.Clock, Subscriptions: subs},
		Auth:    &site.Auth{Accounts: p.Accounts, Home: portal.Home},
		Account: &account.Pages{Accounts: p.Accounts, Billing: p.Billing},
		Console: &console.Console{DB: p.DB, Clock: p.Clock, Accounts: p.Accounts, Applications: applications.New(p.DB), Keys: keys.New(p.DB, p.Clock, []byte("a pepper for tests")), Subscriptions: subs,
			Plans: p.Plans, Billing: p.Billing, Invoices: inv, GatewayURL: GatewayURL},
		Finance:  &finance.Finance{Clock: p.Clock, Invoices: inv, Billing: p.Billing, CallsKept: 400},
		Ops:      &ops.Ops{DB: p.DB, Clock: p.Clock, Parts: []telemetry.Part{healthy}, WriteOffs: writeoff.New(p.DB, p.Clock)},
		Clock:    &ops.Clock{DB: p.DB, Clock: p.Clock, Mover: p},
		Webhooks: &ops.Webhooks{Billing: p.Billing},
	}
}

// Move implements ops.Mover.
func (p *Portal) Move(ctx context.Context, to time.Time) (billing.Done, error) {
	p.Stripe.Clock.Advance(to.Sub(p.Clock.Now()))
	p.Clock.MoveTo(to.Sub(p.Clock.Real()))
	return p.Billing.CatchUp(ctx)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
