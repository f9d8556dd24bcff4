// Package pool opens plain pgx connections in one of Tollgate's database roles.
// It stands apart from package postgres so that the gateway needs no ORM.
package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A Role is a database role from migration 1.
type Role string

// The roles: App is bound to one organization by row-level security; Staff sees
// all organizations; Owner is whoever the URL names and is used to migrate.
const (
	App   Role = "tollgate_app"
	Staff Role = "tollgate_staff"
	Owner Role = ""
)

// Config parses a PostgreSQL URL for connections in the given role.
func Config(url string, role Role) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if role != Owner {
		cfg.ConnConfig.RuntimeParams["role"] = string(role)
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	return cfg, nil
}

// Open connects lazily: it succeeds while the database is down.
func Open(ctx context.Context, url string, role Role, maxConns int32) (*pgxpool.Pool, error) {
	cfg, err := Config(url, role)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = maxConns
	return pgxpool.NewWithConfig(ctx, cfg)
}
