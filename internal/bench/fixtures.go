package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/clock"
	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
)

// size is how much a database is filled with.
type size struct{ keys, routes int }

// used is how many keys the load uses at most, however many there are.
const used = 1000

// fixtures fills a database with APIs, one plan with a rate limit and a quota
// that are never reached, and applications with a subscription and a key each.
// It returns the keys that the load is to use, taken evenly from all.
func fixtures(ctx context.Context, url, upstream string, n size) (keys []string, err error) {
	if _, err := postgres.Migrate(ctx, url); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		keys, err = fill(ctx, tx, upstream, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fixtures: %w", err)
	}
	return keys, nil
}

func fill(ctx context.Context, tx pgx.Tx, upstream string, n size) ([]string, error) {
	now := clock.New().Real()
	id := func() uuid.UUID { return uuid.New() }
	up, api, version, product, plan, terms, org := id(), id(), id(), id(), id(), id(), id()
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO organizations (id, name, created_at) VALUES ($1, 'Acme', $2)`, org, now)
	b.Queue(`INSERT INTO upstreams (id, created_at) VALUES ($1, $2)`, up, now)
	b.Queue(`INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 0, $2)`, up, upstream)
	b.Queue(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'shop', 'Shop', 'public', $2)`, api, now)
	b.Queue(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ($1, $2, $3, '1', 'published', '/shop', 'Shop', 'OpenAPI 3.1.0', '{}', 1, $4)`, version, api, up, now)
	b.Queue(`INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES ($1, $2, 'things', 0, 'GET', '/things', '{}', '')`, id(), version)
	b.Queue(`INSERT INTO products (id, slug, name, created_at) VALUES ($1, 'shop', 'Shop', $2)`, product, now)
	b.Queue(`INSERT INTO product_versions VALUES ($1, $2)`, product, version)
	b.Queue(`INSERT INTO plans (id, product_id, slug, name, sale, position, created_at) VALUES ($1, $2, 'pro', 'Pro', 'self_serve', 0, $3)`, plan, product, now)
	b.Queue(`INSERT INTO plan_versions (id, plan_id, number, currency, recurring_fee, created_at) VALUES ($1, $2, 1, 'usd', 0, $3)`, terms, plan, now)
	b.Queue(`INSERT INTO plan_limits (plan_version_id, position, kind, calls, window_seconds) VALUES ($1, 0, 'rate', 1000000000, 60), ($1, 1, 'quota', 100000000000, 0)`, terms)
	for i := range n.routes - 1 {
		other := id()
		b.Queue(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
			VALUES ($1, $2, $3, $4, 'published', $5, 'Shop', 'OpenAPI 3.1.0', '{}', 1, $6)`, other, api, up, fmt.Sprint("v", i), fmt.Sprintf("/other%d", i), now)
		b.Queue(`INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES ($1, $2, 'things', 0, 'GET', '/things', '{}', '')`, id(), other)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	f := customers{org: org, terms: terms, product: product, now: now}
	for i := range n.keys {
		key := token.Mint(token.Live)
		if i%max(n.keys/used, 1) == 0 {
			f.keys = append(f.keys, key)
		}
		f.add(key)
	}
	return f.keys, f.store(ctx, tx)
}

// customers are rows to be copied.
type customers struct {
	org, terms, product uuid.UUID
	now                 time.Time
	keys                []string
	apps, rows, subs    [][]any
}

func (c *customers) add(key string) {
	app, hash := uuid.New(), token.Sum([]byte(pepper), key)
	c.apps = append(c.apps, []any{app, c.org, "app", c.now})
	c.rows = append(c.rows, []any{uuid.New(), c.org, app, "key", "live", "display", hash[:], c.now})
	c.subs = append(c.subs, []any{uuid.New(), c.org, app, c.terms, c.product, "active", 1, c.now.Add(-time.Hour), c.now.AddDate(0, 1, 0), c.now})
}

func (c *customers) store(ctx context.Context, tx pgx.Tx) error {
	for _, t := range []struct {
		name    string
		columns []string
		rows    [][]any
	}{
		{"applications", []string{"id", "org_id", "name", "created_at"}, c.apps},
		{"keys", []string{"id", "org_id", "application_id", "name", "mode", "display", "hash", "created_at"}, c.rows},
		{"subscriptions", []string{"id", "org_id", "application_id", "plan_version_id", "product_id", "state", "anchor_day", "period_start", "period_end", "created_at"}, c.subs},
	} {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return err
		}
	}
	return nil
}
