package metering

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// QuotaUsed counts the calls that have arrived of a subscription in [from, to)
// and that used its quota: live ones that were answered below 500, whether or
// not the plan bills that class of answers. Of billed classes those count that
// were billed; of others it cannot be told whose answer was cut short.
func QuotaUsed(ctx context.Context, tx pgx.Tx, subscription uuid.UUID, billed []int16, from, to time.Time) (calls int64, err error) {
	first, last := wholeHours(from, to)
	const single = `SELECT 1 FROM usage_events WHERE subscription_id = $1 AND mode = 'live' AND status BETWEEN 100 AND 499 AND (billable OR NOT status / 100 = ANY($6)) AND `
	err = tx.QueryRow(ctx, `
		SELECT coalesce(sum(calls), 0)::bigint FROM (
			SELECT CASE WHEN status / 100 = ANY($6) THEN billable_calls ELSE calls END AS calls
			FROM usage_hourly WHERE subscription_id = $1 AND mode = 'live' AND status BETWEEN 100 AND 499 AND hour >= $4 AND hour < $5
			UNION ALL `+single+`at >= $2 AND at < $4
			UNION ALL `+single+`at >= $5 AND at < $3) counted`,
		subscription, from, to, first, last, billed).Scan(&calls)
	if err != nil {
		return 0, fmt.Errorf("count what a quota has used: %w", err)
	}
	return calls, nil
}
