package lease

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/quota"
)

// Postgres grants slices from one row per subscription and period.
type Postgres struct {
	Pool    *pgxpool.Pool
	Gateway string
	Process uuid.UUID // this run of the gateway
	Now     func() time.Time
}

// Take implements Store: granted ≤ total by construction, because the row is
// locked while the slice is cut.
func (s *Postgres) Take(ctx context.Context, a Account, total int64) (g Grant, err error) {
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		var granted int64
		err := tx.QueryRow(ctx, `
			INSERT INTO quota_grants (subscription_id, period_start) VALUES ($1, $2)
			ON CONFLICT (subscription_id, period_start) DO UPDATE SET granted = quota_grants.granted
			RETURNING granted`, a.Subscription, a.Start).Scan(&granted)
		if err != nil {
			return err
		}
		g.Left = max(total-granted, 0)
		if g.Calls = quota.Slice(total, g.Left); g.Calls == 0 {
			return nil
		}
		g.Left -= g.Calls
		if _, err := tx.Exec(ctx, `UPDATE quota_grants SET granted = granted + $3 WHERE subscription_id = $1 AND period_start = $2`, a.Subscription, a.Start, g.Calls); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO quota_leases (subscription_id, period_start, gateway, process, granted, taken_at)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			a.Subscription, a.Start, s.Gateway, s.Process, g.Calls, s.Now()).Scan(&g.Lease)
	})
	if err != nil {
		return Grant{}, fmt.Errorf("take a quota slice: %w", err)
	}
	return g, nil
}

// SettleEarlier gives back what earlier runs of this gateway took and did not
// spend. Call it when all their usage has been shipped: what was spent is known then.
func (s *Postgres) SettleEarlier(ctx context.Context) error { return s.settle(ctx, `process <> $2`) }

// SettleOwn gives back what this run did not spend. Call it last, after its usage was shipped.
func (s *Postgres) SettleOwn(ctx context.Context) error { return s.settle(ctx, `process = $2`) }

func (s *Postgres) settle(ctx context.Context, which string) error {
	_, err := s.Pool.Exec(ctx, `
		WITH open AS (
			UPDATE quota_leases SET settled = true WHERE gateway = $1 AND NOT settled AND `+which+`
			RETURNING subscription_id, period_start, greatest(granted - spent, 0) AS unspent
		), back AS (
			SELECT subscription_id, period_start, sum(unspent)::bigint AS unspent FROM open GROUP BY 1, 2
		)
		UPDATE quota_grants g SET granted = g.granted - back.unspent FROM back
		WHERE g.subscription_id = back.subscription_id AND g.period_start = back.period_start`, s.Gateway, s.Process)
	if err != nil {
		return fmt.Errorf("settle quota leases: %w", err)
	}
	return nil
}
