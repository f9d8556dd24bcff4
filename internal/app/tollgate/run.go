package tollgate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"tollgate/internal/app/gateway"
	"tollgate/internal/app/portal"
	"tollgate/internal/app/serve"
	"tollgate/internal/clock"
	"tollgate/internal/demo"
	"tollgate/internal/demo/elements"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/private"
	"tollgate/internal/stripesim"
	"tollgate/internal/telemetry"
)

// Run brings everything up, prints how to use it, and takes it down in order
// when ctx ends: the programs first, the database last.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	say := newProgress(out)
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	cfg.DataDir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "tollgate.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = log.Close() }()
	st, err := loadState(dir)
	if err != nil {
		return err
	}
	if err := cfg.checkPorts(); err != nil {
		return err
	}
	databaseURL, stopDatabase, err := startDatabase(ctx, cfg, telemetry.NewLogger(log, slog.LevelInfo, "postgres"), say)
	if err != nil {
		return err
	}
	defer stopDatabase()
	applied, err := postgres.Migrate(ctx, databaseURL)
	if err != nil {
		return err
	}
	say.step("database ready, %d migrations applied", applied)
	cfg.complete(st, databaseURL)
	err = runAll(ctx, cfg, st, log, say)
	say.line("Stopped.")
	return err
}

// checkPorts notices a port in use before anything is started.
func (c *Config) checkPorts() error {
	var errs []error
	for _, p := range []struct{ addr, setting string }{
		{c.Portal.Listen, "PORTAL_LISTEN"}, {c.Portal.PrivateListen, "PORTAL_PRIVATE_LISTEN"}, {c.Gateway.Listen, "GATEWAY_LISTEN"},
		{c.Gateway.PrivateListen, "GATEWAY_PRIVATE_LISTEN"}, {c.SampleListen, "SAMPLE_LISTEN"}, {c.StripeListen, "STRIPE_SIM_LISTEN"},
	} {
		l, err := serve.Listen(p.addr, p.setting)
		if err == nil {
			err = l.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// startDatabase uses DATABASE_URL, or runs a private cluster.
func startDatabase(ctx context.Context, cfg Config, logger *slog.Logger, say *progress) (url string, stop func(), err error) {
	if cfg.Portal.DatabaseURL != "" {
		say.step("using the database of DATABASE_URL")
		return cfg.Portal.DatabaseURL, func() {}, nil
	}
	say.step("starting a private PostgreSQL")
	cluster, err := private.Start(ctx, private.Config{Dir: filepath.Join(cfg.DataDir, "postgres"), Port: cfg.PostgresPort, Logger: logger})
	if err != nil {
		return "", nil, err
	}
	return cluster.URL, func() {
		if err := cluster.Stop(); err != nil {
			say.line("%v", err)
		}
	}, nil
}

// runAll runs the programs side by side until ctx ends or one of them fails.
func runAll(ctx context.Context, cfg Config, st *state, log io.Writer, say *progress) error {
	group, ctx := errgroup.WithContext(ctx)
	gatewayReady, portalReady := make(chan struct{}), make(chan *portal.Services, 1)
	business := clock.New()

	sim, err := startStripe(ctx, group, cfg, st, business, telemetry.NewLogger(log, slog.LevelInfo, "stripe-sim"))
	if err != nil {
		return err
	}
	defer sim()
	sample, err := serve.Listen(cfg.SampleListen, "SAMPLE_LISTEN")
	if err != nil {
		return err
	}
	group.Go(func() error {
		return serve.Until(ctx, time.Second, serve.Server{Listener: sample, Handler: elements.Handler()})
	})
	group.Go(func() error {
		return gateway.Run(ctx, cfg.Gateway, telemetry.NewLogger(log, slog.LevelInfo, "gateway"), func() { close(gatewayReady) })
	})
	group.Go(func() error {
		return portal.Run(ctx, cfg.Portal, telemetry.NewLogger(log, slog.LevelInfo, "portal"), func(s *portal.Services) { portalReady <- s })
	})
	group.Go(func() error {
		select {
		case s := <-portalReady:
			return welcome(ctx, cfg, st, s, business, gatewayReady, say)
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

// startStripe runs the simulator, unless an account at Stripe is set.
func startStripe(ctx context.Context, group *errgroup.Group, cfg Config, st *state, business *clock.Clock, logger *slog.Logger) (stop func(), err error) {
	if !cfg.simulate {
		return func() {}, nil
	}
	sim, err := stripesim.New(stripesim.Config{
		SecretKey: st.StripeSecretKey, WebhookURL: cfg.Portal.PublicURL + "/webhooks/stripe", WebhookSecret: st.StripeWebhookSecret,
		PublicURL: "http://" + cfg.StripeListen, Dir: filepath.Join(cfg.DataDir, "stripe"), Now: business.Real, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("simulated Stripe: %w", err)
	}
	l, err := serve.Listen(cfg.StripeListen, "STRIPE_SIM_LISTEN")
	if err != nil {
		return nil, err
	}
	group.Go(func() error {
		return serve.Until(ctx, 2*time.Second, serve.Server{Listener: l, Handler: sim.Handler()})
	})
	group.Go(func() error { return ignoreCancel(sim.Run(ctx)) })
	return func() { _ = sim.Close() }, nil
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// welcome makes the sample data of a first run and prints how to use the demo.
func welcome(ctx context.Context, cfg Config, st *state, s *portal.Services, business *clock.Clock, gatewayReady <-chan struct{}, say *progress) error {
	business.MoveTo(s.Clock.Offset())
	if !st.Seeded {
		say.step("making sample data")
		key, err := demo.Seeder{
			Accounts: s.Accounts, Catalog: s.Catalog, Plans: s.Plans, Keys: s.Keys, Billing: s.Billing,
			SampleURL: "http://" + cfg.SampleListen, PortalURL: cfg.Portal.PublicURL, Simulated: cfg.simulate,
		}.Seed(ctx, st.people())
		if err != nil {
			return fmt.Errorf("make sample data: %w. To start afresh, move %s away", err, cfg.DataDir)
		}
		st.Key, st.Seeded = key, true
		if err := st.save(cfg.DataDir); err != nil {
			return err
		}
	}
	select {
	case <-gatewayReady:
	case <-ctx.Done():
		return nil
	}
	if err := await(ctx, "http://"+cfg.Gateway.Listen+"/readyz", "http://"+cfg.Portal.Listen+"/readyz"); err != nil {
		return err
	}
	say.ready(cfg, st)
	return nil
}

// await polls until every address answers 200.
func await(ctx context.Context, urls ...string) error {
	client := &http.Client{Timeout: time.Second}
	for _, url := range urls {
		for {
			resp, err := client.Get(url)
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					break
				}
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}
