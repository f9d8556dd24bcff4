package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"tollgate/internal/postgres/pool"
	"tollgate/migrations"
)

// Migrate brings the schema at url up to date as its owner, under an advisory
// lock, and reports how many migrations it applied.
func Migrate(ctx context.Context, url string) (int, error) {
	p, err := pool.Open(ctx, url, pool.Owner, 4)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	db := stdlib.OpenDBFromPool(p)
	defer func() { _ = db.Close() }()
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return 0, fmt.Errorf("migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files, goose.WithSessionLocker(locker))
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return len(applied), fmt.Errorf("migrate: %w", err)
	}
	jobs, err := migrateJobs(ctx, p)
	return len(applied) + jobs, err
}

// migrateJobs brings the job queue's own tables up to date.
func migrateJobs(ctx context.Context, p *pgxpool.Pool) (int, error) {
	m, err := rivermigrate.New(riverpgxv5.New(p), nil)
	if err != nil {
		return 0, fmt.Errorf("read job migrations: %w", err)
	}
	res, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return 0, fmt.Errorf("migrate jobs: %w", err)
	}
	return len(res.Versions), nil
}
