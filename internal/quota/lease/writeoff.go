package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Doubt is how long after its expiry a lease is left alone: the clocks of
// gateways and of who writes off may be apart by as much.
const Doubt = 5 * time.Minute

// Held is a lease that its gateway neither spent nor gave back, as far as is
// known. It counts as spent.
type Held struct {
	Lease        int64
	Subscription uuid.UUID
	PeriodStart  time.Time
	PeriodEnd    time.Time
	Gateway      string    // id of the data folder that holds its usage
	Granted      int64     // calls
	Spent        int64     // of these, as metered so far
	ExpiresAt    time.Time // real time
	WrittenOffAt *time.Time
	Late         int64 // calls that were metered after it was written off
}

const heldColumns = `id, subscription_id, period_start, period_end, gateway, granted, spent, expires_at, written_off_at, late`

// Errors of writing off.
var (
	ErrNotHeld    = errors.New("there is no such lease, or it was settled already")
	ErrNotExpired = errors.New("the lease has not expired: its gateway may still be spending it")
)

// Expired lists leases that expired before the real time now and of which
// something may come back to a quota whose period lasts at the business time
// today, oldest first, at most 1,000.
func Expired(ctx context.Context, tx pgx.Tx, now, today time.Time) ([]Held, error) {
	return list(ctx, tx, `NOT settled AND spent < granted AND expires_at <= $1 AND period_end > $2 ORDER BY expires_at, id LIMIT 1000`, now.Add(-Doubt), today)
}

// WrittenOff lists leases that were written off since a moment, newest first,
// at most 1,000, each with the calls that were metered all the same.
func WrittenOff(ctx context.Context, tx pgx.Tx, since time.Time) ([]Held, error) {
	return list(ctx, tx, `written_off_at >= $1 ORDER BY written_off_at DESC, id LIMIT 1000`, since)
}

func list(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]Held, error) {
	rows, err := tx.Query(ctx, `SELECT `+heldColumns+` FROM quota_leases WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list quota leases: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Held])
}

// WriteOff gives up on hearing more of a lease and gives back what was not
// metered of it. now is real time. Calls that are metered later are counted
// against the quota then, and against the lease as late. It returns ErrNotHeld
// or ErrNotExpired.
func WriteOff(ctx context.Context, tx pgx.Tx, lease int64, now time.Time) (Held, error) {
	rows, err := tx.Query(ctx, `SELECT `+heldColumns+` FROM quota_leases WHERE id = $1 AND NOT settled FOR UPDATE`, lease)
	if err != nil {
		return Held{}, fmt.Errorf("write off a quota lease: %w", err)
	}
	h, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Held])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Held{}, ErrNotHeld
	case err != nil:
		return Held{}, fmt.Errorf("write off a quota lease: %w", err)
	case h.ExpiresAt.Add(Doubt).After(now):
		return h, ErrNotExpired
	}
	_, err = tx.Exec(ctx, `
		WITH off AS (
			UPDATE quota_leases SET settled = true, written_off_at = $2 WHERE id = $1
			RETURNING subscription_id, period_start, greatest(granted - spent, 0) AS unspent
		)`+raise(`-sum(unspent)::bigint`, `off`), lease, now)
	if err != nil {
		return h, fmt.Errorf("write off a quota lease: %w", err)
	}
	h.WrittenOffAt = &now
	return h, nil
}
