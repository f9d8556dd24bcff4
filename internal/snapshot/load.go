package snapshot

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// CurrentVersion asks which version the database's view has.
func CurrentVersion(ctx context.Context, pool *pgxpool.Pool) (v int64, err error) {
	err = pool.QueryRow(ctx, `SELECT version FROM view_version`).Scan(&v)
	return v, err
}

// Load reads the whole view as of one moment.
func Load(ctx context.Context, pool *pgxpool.Pool) (*Data, error) {
	d := &Data{}
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, pool, opts, func(tx pgx.Tx) error {
		var offset int64
		if err := tx.QueryRow(ctx, `SELECT version, (SELECT offset_seconds FROM business_clock) FROM view_version`).Scan(&d.Version, &offset); err != nil {
			return fmt.Errorf("view version: %w", err)
		}
		d.ClockOffset = time.Duration(offset) * time.Second
		return d.loadRows(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("load the gateway's view: %w", err)
	}
	return d, nil
}

func (d *Data) loadRows(ctx context.Context, tx pgx.Tx) (err error) {
	if d.Keys, err = query[Key](ctx, tx, `SELECT id, org_id, application_id, mode, hash, expires_at FROM keys WHERE revoked_at IS NULL`); err != nil {
		return err
	}
	if d.Versions, err = query[Version](ctx, tx, `
		SELECT v.id, a.slug, v.host, v.path_prefix, u.live_url, u.test_url, u.sign_identity, a.visibility = 'private'
		FROM api_versions v JOIN apis a ON a.id = v.api_id JOIN upstreams u ON u.id = v.upstream_id
		WHERE v.lifecycle IN ('published', 'deprecated')`); err != nil {
		return err
	}
	if d.Operations, err = query[Operation](ctx, tx, `
		SELECT o.id, o.version_id, o.method, o.path, o.weight FROM operations o JOIN api_versions v ON v.id = o.version_id
		WHERE v.lifecycle IN ('published', 'deprecated')`); err != nil {
		return err
	}
	if d.Subscriptions, err = query[Subscription](ctx, tx, `
		SELECT s.id, s.org_id, s.application_id, s.product_id, s.plan_version_id, p.name, r.slug, s.state, s.period_start, s.period_end, s.anchor_day, o.time_zone, s.cancel_at_end
		FROM subscriptions s JOIN plan_versions pv ON pv.id = s.plan_version_id JOIN plans p ON p.id = pv.plan_id JOIN products r ON r.id = s.product_id
		JOIN organizations o ON o.id = s.org_id
		WHERE s.state IN ('active', 'unpaid')`); err != nil {
		return err
	}
	if d.Limits, err = query[Limit](ctx, tx, `SELECT plan_version_id, kind, calls, window_seconds, hard FROM plan_limits ORDER BY plan_version_id, position`); err != nil {
		return err
	}
	d.Sales, err = query[Sale](ctx, tx, `SELECT product_id, version_id FROM product_versions`)
	return err
}

// query collects rows whose columns stand in the order of T's fields.
func query[T any](ctx context.Context, tx pgx.Tx, sql string) ([]T, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}
