package portal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/caarlos0/env/v11"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pool"
	"tollgate/internal/telemetry"
)

// Main serves, or with the argument “migrate” brings the database up to date;
// it returns the exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := env.ParseAs[Config]()
	if err == nil {
		err = command(ctx, cfg, args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal:", err)
		return 1
	}
	return 0
}

func command(ctx context.Context, cfg Config, args []string) error {
	switch {
	case len(args) == 0:
		return Run(ctx, cfg, telemetry.NewLogger(os.Stderr, cfg.LogLevel, "portal"), nil)
	case len(args) == 1 && args[0] == "migrate":
		if cfg.DatabaseURL == "" {
			return errors.New("DATABASE_URL is missing: the PostgreSQL to migrate, as its owner")
		}
		n, err := postgres.Migrate(ctx, cfg.DatabaseURL)
		if err == nil {
			fmt.Printf("%d migrations applied; the database is up to date.\n", n)
		}
		return err
	}
	return errors.New("usage: portal [migrate]")
}

func openOwner(ctx context.Context, url string) (*pgxpool.Pool, error) {
	return pool.Open(ctx, url, pool.Owner, 1)
}
