package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"tollgate/internal/app/serve"
	"tollgate/internal/app/settings"
	"tollgate/internal/clock"
	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/outbound"
	"tollgate/internal/postgres/pool"
	"tollgate/internal/proxy"
	"tollgate/internal/quota/lease"
	"tollgate/internal/quota/memory"
	"tollgate/internal/quota/shared"
	"tollgate/internal/snapshot"
	"tollgate/internal/telemetry"
	"tollgate/internal/upstream/check"
	"tollgate/internal/wire"
)

// program is the running gateway.
type program struct {
	cfg      Config
	logger   *slog.Logger
	clock    *clock.Clock
	pool     *pgxpool.Pool
	views    *snapshot.Holder
	spool    *spool.Spool
	shipper  *metering.Shipper
	refusals *metering.Refusals
	leases   *lease.Postgres
	wallet   *lease.Wallet
	limiter  proxy.Limiter
	limits   func(context.Context) // keeps limiter going
	shared   *shared.Limiter       // nil: limits are counted alone
	proxy    *proxy.Gateway        // set before anything is served
	registry *prometheus.Registry
	watch    *wire.Watch
	tracer   trace.Tracer // nil: calls are not traced
	started  time.Time
}

// Run serves until ctx ends, then drains: calls first, then their usage. It
// starts without a database if a copy of the view is on disk. ready, if not
// nil, is called once calls are answered.
func Run(ctx context.Context, cfg Config, logger *slog.Logger, ready func()) error {
	if err := settings.Wrong(cfg.Validate()); err != nil {
		return err
	}
	p, err := assemble(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer p.pool.Close()
	defer p.watch.Close()
	if cfg.TraceEndpoint != "" {
		var flush func(context.Context) error
		if p.tracer, flush, err = telemetry.NewTracer(ctx, cfg.TraceEndpoint, cfg.TraceShare, "gateway", cfg.ID); err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = flush(ctx) // a collector that is gone must not hold up the end
		}()
	}
	defer func() { _ = p.spool.Close() }()

	public, err := serve.Listen(cfg.Listen, "GATEWAY_LISTEN")
	if err != nil {
		return err
	}
	private, err := serve.Listen(cfg.PrivateListen, "GATEWAY_PRIVATE_LISTEN")
	if err != nil {
		return errors.Join(err, public.Close())
	}
	return p.serve(ctx, public, private, ready)
}

func assemble(ctx context.Context, cfg Config, logger *slog.Logger) (*program, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, cfg.folderError(err)
	}
	db, err := pool.Open(context.WithoutCancel(ctx), cfg.DatabaseURL, pool.Staff, 12)
	if err != nil {
		return nil, err
	}
	p := &program{cfg: cfg, logger: logger, clock: clock.New(), pool: db, refusals: metering.NewRefusals(), registry: telemetry.NewRegistry()}
	p.started, p.watch = p.clock.Real(), wire.NewWatch(p.clock.Steady)
	p.spool, err = spool.New(spool.Config{Dir: filepath.Join(cfg.DataDir, "spool"), SegmentSlots: cfg.SpoolSegmentSlots, MaxSegments: cfg.SpoolMaxSegments, Full: cfg.SpoolFull})
	if err != nil {
		db.Close()
		return nil, cfg.folderError(err)
	}
	if p.limiter, p.limits, err = p.newLimiter(); err != nil {
		db.Close()
		return nil, err
	}
	holder, err := folderID(cfg.DataDir)
	if err != nil {
		db.Close()
		return nil, cfg.folderError(err)
	}
	p.leases = &lease.Postgres{Pool: db, Gateway: holder, Process: uuid.New(), Now: p.clock.Real}
	p.wallet = lease.New(p.leases, time.Second, p.clock.Steady)
	p.shipper = metering.NewShipper(p.spool, db, cfg.ID, p.clock.Now, logger, p.registry)
	p.views = snapshot.NewHolder(db, filepath.Join(cfg.DataDir, "view.gob"), logger, func(v *snapshot.View) {
		if cfg.TestClock {
			p.clock.MoveTo(v.ClockOffset)
		}
		if g := p.proxy; g != nil {
			g.CloseEnded(v)
		}
	})
	return p, nil
}

// serve runs the background work and the listeners, and takes them down in order.
func (p *program) serve(ctx context.Context, public, private net.Listener, ready func()) error {
	p.proxy = p.gateway(public, private)
	if err := p.views.Refresh(ctx); err != nil {
		p.logger.Warn("starting with what is known", "error", err, "view_on_disk", p.views.View() != nil)
	}
	p.settle(ctx)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, background := errgroup.WithContext(background)
	checks := check.New(p.views.Groups(), p.proxy.Transport(), p.clock.Steady)
	beside := newBackground(p)
	for _, w := range []work{{"view", p.views.Run}, {"shipping", p.shipper.Run}, {"disk", p.keepUsage}, {"upkeep", p.keepUp}, {"limits", p.limits}, {"health checks", checks.Run}} {
		group.Go(func() error { beside.keep(background, w); return nil })
	}
	if ready != nil {
		ready()
	}
	err := serve.Until(ctx, p.cfg.DrainTimeout,
		serve.Server{Listener: public, Handler: p.handler(p.proxy), Plain: p.proxy, Watch: p.watch, Drain: p.proxy.CloseSockets},
		serve.Server{Listener: private, Handler: telemetry.Private(p.parts(), p.registry)},
	)
	stop()
	return errors.Join(err, group.Wait(), p.drain(ctx))
}

// gateway is the request path.
func (p *program) gateway(public, private net.Listener) *proxy.Gateway {
	own := []netip.AddrPort{netip.MustParseAddrPort(public.Addr().String()), netip.MustParseAddrPort(private.Addr().String())}
	return proxy.New(proxy.Config{
		PortalURL: p.cfg.PortalURL, Pepper: []byte(p.cfg.Pepper), IdentitySecret: []byte(p.cfg.IdentitySecret),
		Timeout: p.cfg.UpstreamTimeout, Upstreams: outbound.Networks(p.cfg.UpstreamNetworks, own), TrustedProxies: p.cfg.TrustedProxies,
		MaxBody: p.cfg.MaxRequestBody,
	}, proxy.Parts{
		Clock: p.clock, Views: p.views, Limiter: p.limiter, Failures: memory.NewFailures(p.cfg.FailedKeys), Wallet: p.wallet, Spool: p.spool,
		Refusals: p.refusals, Logger: p.logger, Registry: p.registry, Watch: p.watch, Tracer: p.tracer,
	})
}

// handler is what net/http serves on the public listener: the request path, and
// two addresses for load balancers.
func (p *program) handler(g *proxy.Gateway) http.Handler {
	ready := telemetry.Readiness(p.parts())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			telemetry.Liveness(w, r)
		case "/readyz":
			ready(w, r)
		case "/-/limits":
			g.ServeLimits(w, r)
		default:
			g.ServeHTTP(w, r)
		}
	})
}

// keepUsage brings usage to the disk itself, whatever the database does.
func (p *program) keepUsage(ctx context.Context) {
	everyHalfSecond(ctx, func(int) {
		if err := p.spool.Sync(); err != nil {
			p.logger.Error("usage could not be brought to disk", "error", err)
		}
	})
}

// everyHalfSecond calls do, with how often it has, until ctx ends.
func everyHalfSecond(ctx context.Context, do func(n int)) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do(n)
		}
	}
}

// keepUp flushes refusals, forgets passed windows and tells the operator that
// this gateway lives.
func (p *program) keepUp(ctx context.Context) {
	everyHalfSecond(ctx, func(n int) {
		if err := p.refusals.Flush(ctx, p.pool); err != nil {
			p.logger.Debug("refusals not stored", "error", err)
		}
		if n%10 == 0 {
			p.heartbeat(ctx)
			p.settle(ctx)
			p.wallet.Sweep(p.clock.Now())
			if err := p.wallet.GiveBack(ctx); err != nil {
				p.logger.Debug("ended quota leases not given back", "error", err)
			}
			p.proxy.Rest()
			if v := p.views.View(); v != nil {
				p.proxy.CloseEnded(v)
			}
		}
	})
}

// settle gives back what earlier runs leased and did not spend, once all that
// they recorded has been shipped.
func (p *program) settle(ctx context.Context) {
	for _, pending := range p.spool.Pending() {
		if pending.Sealed {
			if _, err := p.shipper.ShipPending(ctx); err != nil {
				return // tried again with the next heartbeat
			}
			break
		}
	}
	if err := p.leases.SettleEarlier(ctx); err != nil {
		p.logger.Debug("quota leases of earlier runs not settled", "error", err)
	}
}

func (p *program) heartbeat(ctx context.Context) {
	version := int64(0)
	if v := p.views.View(); v != nil {
		version = v.Version
	}
	parts, err := json.Marshal(p.report(ctx))
	if err == nil {
		_, err = p.pool.Exec(ctx, `
			INSERT INTO gateways (id, address, view_version, spool_pending, seen_at, started_at, parts) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET address = $2, view_version = $3, spool_pending = $4, seen_at = $5, started_at = $6, parts = $7`,
			p.cfg.ID, p.cfg.Listen, version, len(p.spool.Pending()), p.clock.Real(), p.started, parts)
	}
	if err != nil {
		p.logger.Debug("heartbeat not stored", "error", err)
	}
}

// drain ships what is left after the last call. What cannot be shipped stays on
// disk for the next start.
func (p *program) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := p.shipper.Drain(ctx); err != nil {
		p.logger.Warn("usage stays in the spool until the next start", "error", err)
		return nil
	}
	if err := errors.Join(p.refusals.Flush(ctx, p.pool), p.leases.SettleOwn(ctx)); err != nil {
		p.logger.Warn("not everything could be handed back", "error", err)
	}
	return nil
}
