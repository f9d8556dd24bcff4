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
	Process uuid.UUID        // this run of the gateway
	Now     func() time.Time // real time
}

// Take implements Store: granted ≤ total by construction, because the row is
// locked while the slice is cut.
func (s *Postgres) Take(ctx context.Context, a Account, total, want int64) (g Grant, err error) {
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
		if g.Calls = quota.Slice(total, g.Left, want); g.Calls == 0 {
			return nil
		}
		g.Left -= g.Calls
		if _, err := tx.Exec(ctx, `UPDATE quota_grants SET granted = granted + $3 WHERE subscription_id = $1 AND period_start = $2`, a.Subscription, a.Start, g.Calls); err != nil {
			return err
		}
		now := s.Now()
		return tx.QueryRow(ctx, `
			INSERT INTO quota_leases (subscription_id, period_start, period_end, gateway, process, granted, taken_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			a.Subscription, a.Start, a.End, s.Gateway, s.Process, g.Calls, now, now.Add(Lifetime)).Scan(&g.Lease)
	})
	if err != nil {
		return Grant{}, fmt.Errorf("take a quota slice: %w", err)
	}
	return g, nil
}

// GiveBack implements Store. It sets what was kept instead of subtracting what
// was not, so that repeating it changes nothing, and leaves alone what was
// settled or written off. A lease whose kept calls are all metered is settled.
func (s *Postgres) GiveBack(ctx context.Context, ended []Ended) (open []int64, err error) {
	ids, kept := make([]int64, len(ended)), make([]int64, len(ended))
	for i, e := range ended {
		ids[i], kept[i] = e.Lease, e.Kept
	}
	rows, err := s.Pool.Query(ctx, `
		WITH old AS (
			SELECT q.id, q.subscription_id, q.period_start, q.granted, b.kept FROM unnest($1::bigint[], $2::bigint[]) AS b (id, kept) JOIN quota_leases q USING (id)
			WHERE NOT q.settled AND q.granted >= b.kept ORDER BY q.id FOR UPDATE OF q
		), lowered AS (
			UPDATE quota_leases q SET granted = old.kept, settled = q.spent >= old.kept FROM old WHERE q.id = old.id RETURNING q.id, q.settled
		), given AS (`+raise(`-sum(granted - kept)::bigint`, `old WHERE granted > kept`)+`)
		SELECT id FROM lowered WHERE NOT settled`, ids, kept)
	if err == nil {
		open, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if err != nil {
		return nil, fmt.Errorf("give back quota leases: %w", err)
	}
	return open, nil
}

// raise changes what is granted of accounts by a sum over leases. Whoever locks
// both leases and grants locks leases first.
func raise(by, leases string) string {
	return `
		UPDATE quota_grants g SET granted = greatest(g.granted + s.calls, 0)
		FROM (SELECT subscription_id, period_start, ` + by + ` AS calls FROM ` + leases + ` GROUP BY 1, 2) s
		WHERE g.subscription_id = s.subscription_id AND g.period_start = s.period_start`
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
		)`+raise(`-sum(unspent)::bigint`, `open`), s.Gateway, s.Process)
	if err != nil {
		return fmt.Errorf("settle quota leases: %w", err)
	}
	return nil
}
