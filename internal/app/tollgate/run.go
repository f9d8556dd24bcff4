package tollgate

import (
	"context"
	"encoding/json"
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
	err = run(ctx, cfg, log, say)
	if ctx.Err() == nil && err != nil {
		return err
	}
	say.line("Stopped.")
	return err
}

// run starts the database and then the programs. A stop during the start is
// not a failure.
func run(ctx context.Context, cfg Config, log io.Writer, say *progress) (err error) {
	st, err := loadState(cfg.DataDir)
	if err != nil {
		return err
	}
	if err := cfg.checkPorts(); err != nil {
		return err
	}
	db, err := openDatabase(ctx, cfg, telemetry.NewLogger(log, slog.LevelInfo, "postgres"), say)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, db.stop()) }()
	if err := db.prepare(ctx, cfg.DataDir, st, say); err != nil {
		return unlessStopped(ctx, db.explain(err))
	}
	cfg.complete(st, db.url, db.home)
	return db.explain(runAll(ctx, cfg, st, db, log, say))
}

// unlessStopped is err, but nil when somebody stopped us meanwhile: whatever
// was under way failed because of that.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// checkPorts notices a port in use, or one set twice, before anything is started.
func (c *Config) checkPorts() error {
	var errs []error
	for _, p := range c.listeners() {
		l, err := serve.Listen(p.addr, p.setting)
		errs = append(errs, err)
		if err == nil {
			defer func() { _ = l.Close() }() // all are held until the last is known
		}
	}
	return errors.Join(errs...)
}

// runAll runs the programs side by side until ctx ends or one of them fails.
func runAll(ctx context.Context, cfg Config, st *state, db *database, log io.Writer, say *progress) error {
	group, ctx := errgroup.WithContext(ctx)
	gatewayReady, portalReady := make(chan struct{}), make(chan *portal.Services, 1)
	business := clock.New()

	sim, err := startStripe(ctx, group, cfg, st, db.home, business, telemetry.NewLogger(log, slog.LevelInfo, "stripe-sim"))
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
		return ignoreCancel(gateway.Run(ctx, cfg.Gateway, telemetry.NewLogger(log, slog.LevelInfo, "gateway"), func() { close(gatewayReady) }))
	})
	group.Go(func() error {
		return ignoreCancel(portal.Run(ctx, cfg.Portal, telemetry.NewLogger(log, slog.LevelInfo, "portal"), func(s *portal.Services) { portalReady <- s }))
	})
	group.Go(func() error {
		select {
		case s := <-portalReady:
			return unlessStopped(ctx, welcome(ctx, cfg, st, db, s, business, gatewayReady, say))
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

// startStripe runs the simulator, unless an account at Stripe is set.
func startStripe(ctx context.Context, group *errgroup.Group, cfg Config, st *state, home string, business *clock.Clock, logger *slog.Logger) (stop func(), err error) {
	if !cfg.simulate {
		return func() {}, nil
	}
	sim, err := stripesim.New(stripesim.Config{
		SecretKey: st.StripeSecretKey, WebhookURL: cfg.Portal.PublicURL + "/webhooks/stripe", WebhookSecret: st.StripeWebhookSecret,
		PublicURL: "http://" + cfg.StripeListen, Dir: filepath.Join(home, "stripe"), Now: business.Real, Logger: logger,
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
func welcome(ctx context.Context, cfg Config, st *state, db *database, s *portal.Services, business *clock.Clock, gatewayReady <-chan struct{}, say *progress) error {
	business.MoveTo(s.Clock.Offset())
	if !db.found.whole {
		say.step("making sample data")
		err := demo.Seeder{
			Accounts: s.Accounts, Catalog: s.Catalog, Plans: s.Plans, Keys: s.Keys, Billing: s.Billing,
			SampleURL: "http://" + cfg.SampleListen, PortalURL: cfg.Portal.PublicURL, Simulated: cfg.simulate,
			KeepKey: func(key string) error { st.Keys[db.found.id] = key; return st.save(cfg.DataDir) },
		}.Seed(ctx, st.people())
		if err != nil {
			return fmt.Errorf("make sample data: %w", err)
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
	key := st.Keys[db.found.id]
	awaitKey(ctx, "http://"+cfg.Gateway.Listen+"/-/limits", key)
	say.ready(cfg, st, key)
	return nil
}

// awaitKey waits, for at most ten seconds, until the gateway knows the key and
// its subscription, so that the printed call works from the first moment on.
func awaitKey(ctx context.Context, limits, key string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for key != "" && ctx.Err() == nil && !subscribed(ctx, limits, key) {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// subscribed reports whether the gateway lists a subscription of the key's.
func subscribed(ctx context.Context, limits, key string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, limits, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	var known struct{ Subscriptions []json.RawMessage }
	return json.NewDecoder(resp.Body).Decode(&known) == nil && len(known.Subscriptions) > 0
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
