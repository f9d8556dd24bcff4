package tollgate

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"tollgate/internal/app/serve"
	"tollgate/internal/app/settings"
	"tollgate/internal/clock"
	"tollgate/internal/demo/elements"
	"tollgate/internal/stripesim"
	"tollgate/internal/telemetry"
)

type commands struct {
	Run       runCmd       `cmd:"" default:"1" help:"Everything on this machine, with sample data (the default)."`
	StripeSim stripeSimCmd `cmd:"" name:"stripe-sim" help:"Simulated Stripe alone."`
	SampleAPI sampleCmd    `cmd:"" name:"sample-api" help:"The sample API alone."`
}

// Main runs a command until a signal and returns the exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var cli commands
	k := kong.Parse(&cli, kong.Name("tollgate"), kong.Description("A developer portal and API monetization system, on one machine, to try."))
	if err := k.Run(&ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tollgate:", err)
		return 1
	}
	return 0
}

type runCmd struct{}

// Run implements kong's command.
func (runCmd) Run(ctx *context.Context) error {
	cfg, err := settings.Read[Config](Decided...)
	if err := settings.Wrong(err, cfg.Validate()); err != nil {
		return err
	}
	log.SetOutput(io.Discard) // net/http's client writes what upstreams send there
	return Run(*ctx, cfg, os.Stdout)
}

type sampleCmd struct {
	Listen string `default:"127.0.0.1:8002" env:"SAMPLE_LISTEN" help:"Address."`
}

// Run implements kong's command.
func (c sampleCmd) Run(ctx *context.Context) error {
	return serveAlone(*ctx, c.Listen, elements.Handler())
}

type stripeSimCmd struct {
	Listen        string `default:"127.0.0.1:8003" env:"STRIPE_SIM_LISTEN" help:"Address."`
	SecretKey     string `required:"" env:"STRIPE_SECRET_KEY" help:"The only key that is accepted, sk_test_…."`
	WebhookURL    string `required:"" env:"STRIPE_WEBHOOK_URL" help:"Where events are delivered."`
	WebhookSecret string `required:"" env:"STRIPE_WEBHOOK_SECRET" help:"Signs deliveries."`
	Dir           string `env:"STRIPE_SIM_DIR" help:"Keeps the state; none: in memory."`
}

// Run implements kong's command.
func (c stripeSimCmd) Run(ctx *context.Context) error {
	sim, err := stripesim.New(stripesim.Config{
		SecretKey: c.SecretKey, WebhookURL: c.WebhookURL, WebhookSecret: c.WebhookSecret, PublicURL: "http://" + c.Listen, Dir: c.Dir,
		Now: clock.New().Real, Logger: telemetry.NewLogger(os.Stderr, 0, "stripe-sim"),
	})
	if err != nil {
		return err
	}
	defer func() { _ = sim.Close() }()
	group, inner := errgroup.WithContext(*ctx)
	group.Go(func() error { return ignoreCancel(sim.Run(inner)) })
	group.Go(func() error { return serveAlone(inner, c.Listen, sim.Handler()) })
	return group.Wait()
}

func serveAlone(ctx context.Context, addr string, h http.Handler) error {
	l, err := serve.Listen(addr, "--listen")
	if err != nil {
		return err
	}
	return serve.Until(ctx, 2*time.Second, serve.Server{Listener: l, Handler: h})
}
