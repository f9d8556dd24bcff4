package ops

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/jobs"
	"tollgate/internal/postgres"
)

func (s *state) read(ctx context.Context, tx *postgres.Tx) (err error) {
	if err := s.readGateways(ctx, tx); err != nil {
		return fmt.Errorf("read gateways: %w", err)
	}
	err = tx.PGX.QueryRow(ctx, `
		SELECT max(received_at), count(*), coalesce(sum(events) FILTER (WHERE received_at > (SELECT max(received_at) FROM usage_batches) - interval '24 hours'), 0)::bigint FROM usage_batches`).
		Scan(&s.shipments.last, &s.shipments.batches, &s.shipments.calls)
	if err != nil {
		return fmt.Errorf("read shipments: %w", err)
	}
	if s.jobs, err = jobs.Counts(ctx, tx); err != nil {
		return err
	}
	rows, err := tx.PGX.Query(ctx, `SELECT type, object_id, outcome, received_at, applied_at FROM stripe_events ORDER BY received_at DESC, id LIMIT 20`)
	if err != nil {
		return fmt.Errorf("read webhooks: %w", err)
	}
	s.events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e event, err error) {
		return e, row.Scan(&e.kind, &e.object, &e.outcome, &e.received, &e.applied)
	})
	return err
}

func (s *state) readGateways(ctx context.Context, tx *postgres.Tx) error {
	if err := tx.PGX.QueryRow(ctx, `SELECT version FROM view_version`).Scan(&s.newest); err != nil {
		return err
	}
	rows, err := tx.PGX.Query(ctx, `
		SELECT g.id, g.view_version, g.spool_pending, g.seen_at, b.last, g.parts FROM gateways g
		LEFT JOIN (SELECT s.gateway, max(b.received_at) AS last FROM usage_batches b JOIN usage_segments s ON s.id = b.segment_id GROUP BY 1) b ON b.gateway = g.id
		ORDER BY g.id LIMIT 200`)
	if err != nil {
		return err
	}
	s.gateways, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g gateway, err error) {
		return g, row.Scan(&g.id, &g.version, &g.pending, &g.seen, &g.shipped, &g.parts)
	})
	return err
}
