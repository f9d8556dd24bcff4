package portal

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"tollgate/internal/app/serve"
	"tollgate/internal/app/settings"
	"tollgate/internal/billing"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/keys/token"
	"tollgate/internal/portal"
	"tollgate/internal/postgres"
	"tollgate/internal/telemetry"
)

// Run serves until ctx ends, then lets requests and jobs finish. The database
// must be migrated. ready, if not nil, is called with the portal's services
// once pages are answered.
func Run(ctx context.Context, cfg Config, logger *slog.Logger, ready func(*Services)) error {
	if err := settings.Wrong(cfg.Validate()); err != nil {
		return err
	}
	db, err := postgres.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return fmt.Errorf("the portal's database: %w", err)
	}
	defer db.Close()
	if err := checkInstallation(ctx, db, cfg); err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	registry := telemetry.NewRegistry()
	s, err := assemble(cfg, db, logger)
	if err != nil {
		return err
	}
	return s.serve(ctx, registry, ready)
}

// checkInstallation refuses to serve a demo's database as if it were real, and
// a key pepper that is not the one that keys were stored with.
func checkInstallation(ctx context.Context, db *postgres.DB, cfg Config) error {
	return db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		var demo bool
		var stored []byte
		if err := tx.PGX.QueryRow(ctx, `SELECT demo, pepper_check FROM installation FOR UPDATE`).Scan(&demo, &stored); err != nil {
			return fmt.Errorf("the database is not migrated (run “portal migrate”): %w", err)
		}
		if demo && !cfg.Demo {
			return errors.New("this database belongs to a demo, with sample accounts in it: use an empty database")
		}
		sum := PepperCheck(cfg.Pepper)
		if stored != nil && !hmac.Equal(stored, sum) {
			return errors.New("KEY_PEPPER is not the one that this database's keys were stored with: every key would stop working. Restore the old value")
		}
		_, err := tx.PGX.Exec(ctx, `UPDATE installation SET pepper_check = $1, demo = $2`, sum, cfg.Demo)
		return err
	})
}

// PepperCheck is what a database keeps of the pepper that its keys were stored with.
func PepperCheck(pepper string) []byte {
	sum := token.Sum([]byte(pepper), "pepper check")
	return sum[:]
}

func (s *Services) serve(ctx context.Context, registry *prometheus.Registry, ready func(*Services)) error {
	public, err := serve.Listen(s.cfg.Listen, "PORTAL_LISTEN")
	if err != nil {
		return err
	}
	private, err := serve.Listen(s.cfg.PrivateListen, "PORTAL_PRIVATE_LISTEN")
	if err != nil {
		return errors.Join(err, public.Close())
	}
	app := portal.New(portal.Config{
		PublicURL: s.cfg.PublicURL, FormTargets: s.cfg.formTargets(), IdentitySecret: []byte(s.cfg.IdentitySecret), Demo: s.cfg.Demo,
	}, portal.Parts{DB: s.DB, Clock: s.Clock, Accounts: s.Accounts, Logger: s.logger, Registry: registry}, s.screens().Routes())

	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, background := errgroup.WithContext(background)
	group.Go(func() error { return s.Queue.Work(background, s.workers(), s.logger) })
	if s.cfg.TestClock {
		group.Go(func() error { s.Clock.Follow(background, time.Second, s.clockOffset); return nil })
	}
	if ready != nil {
		go ready(s)
	}
	err = serve.Until(ctx, s.cfg.DrainTimeout,
		serve.Server{Listener: public, Handler: withHealth(app.Handler(), s.parts())},
		serve.Server{Listener: private, Handler: telemetry.Private(s.parts(), registry)},
	)
	stop()
	return errors.Join(err, group.Wait())
}

// workers says who does which background work.
func (s *Services) workers() *jobs.Workers {
	w := jobs.NewWorkers()
	s.Billing.Register(w)
	s.Catalog.Register(w)
	every := time.Minute
	if s.cfg.TestClock {
		every = 5 * time.Second
	}
	jobs.Every(w, every, func() river.JobArgs { return billing.CatchUpJob{} })
	jobs.Every(w, time.Hour, func() river.JobArgs { return billing.LateJob{} })
	jobs.Handle(w, func(ctx context.Context, _ forgetJob) error { return s.Accounts.Forget(ctx) })
	jobs.Every(w, time.Hour, func() river.JobArgs { return forgetJob{} })
	jobs.Handle(w, func(ctx context.Context, _ invoices.DropCallsJob) error {
		_, dropping := s.Invoices.DropCalls(ctx, s.cfg.RawCallsKept)
		late, err := s.Invoices.Unbilled(ctx, s.cfg.RawCallsKept)
		for _, u := range late {
			s.logger.Warn("late calls that are on no invoice keep their day from being dropped",
				"day", u.Day.UTC().Format(time.DateOnly), "calls", u.Calls, "customer", u.Customer, "subscription", u.Subscription, "ended_at", u.EndedAt)
		}
		return errors.Join(dropping, err)
	})
	jobs.Every(w, 6*time.Hour, func() river.JobArgs { return invoices.DropCallsJob{} })
	return w
}

// forgetJob removes what nobody needs any more of sessions and sign-ins.
type forgetJob struct{}

// Kind implements river.JobArgs.
func (forgetJob) Kind() string { return "accounts.forget" }

func (s *Services) clockOffset(ctx context.Context) (offset time.Duration, err error) {
	err = s.DB.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		var seconds int64
		err := tx.PGX.QueryRow(ctx, `SELECT offset_seconds FROM business_clock`).Scan(&seconds)
		offset = time.Duration(seconds) * time.Second
		return err
	})
	return offset, err
}
