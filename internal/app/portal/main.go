package portal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/accounts"
	"tollgate/internal/app/settings"
	"tollgate/internal/clock"
	"tollgate/internal/permissions"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pool"
	"tollgate/internal/problem"
	"tollgate/internal/telemetry"
)

// Main serves, or does what its arguments say, and returns the exit code:
// “migrate” brings the database up to date, “staff EMAIL ROLE” makes a member of
// the provider's team.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := settings.Read[Config]()
	if len(args) == 0 { // serving needs more of the settings than the commands do
		err = errors.Join(err, cfg.Validate())
	}
	if err = settings.Wrong(err); err == nil {
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
	if len(args) == 3 && args[0] == "staff" {
		return addStaff(ctx, cfg, args[1], args[2])
	}
	return errors.New("usage: portal [migrate | staff EMAIL ROLE]")
}

// addStaff makes a person of the provider's team and prints their password, once.
func addStaff(ctx context.Context, cfg Config, email, role string) error {
	if !permissions.Staff(role) {
		return fmt.Errorf("the role must be product, finance, operator or admin, not %q", role)
	}
	db, err := postgres.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return fmt.Errorf("the portal's database (DATABASE_URL): %w", err)
	}
	defer db.Close()
	people, err := accounts.New(db, clock.New())
	if err != nil {
		return err
	}
	password := rand.Text()
	if _, err := people.AddStaff(ctx, accounts.SignUp{Email: email, Password: password}, cfg.ProviderName, role); err != nil {
		if fields := problem.As(err).Fields; len(fields) > 0 {
			return fmt.Errorf("%v", fields)
		}
		return err
	}
	fmt.Printf("%s may sign in at %s with the password %s\nIt is not shown again.\n", email, cfg.PublicURL, password)
	return nil
}

func openOwner(ctx context.Context, url string) (*pgxpool.Pool, error) {
	return pool.Open(ctx, url, pool.Owner, 1)
}
