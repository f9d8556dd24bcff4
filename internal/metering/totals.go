package metering

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// PeriodTotals sums what was counted for a subscription in a period, for reconciliation.
type PeriodTotals struct {
	Received, Billable, Test, Unanswered int64
	Late                                 int64 // billable, in later batches than those named
}

// byKind counts calls by why they are billed or not.
const byKind = `count(*) AS received, count(*) FILTER (WHERE billable) AS billable, count(*) FILTER (WHERE mode = 'test') AS test,
	count(*) FILTER (WHERE NOT billable AND mode <> 'test') AS unanswered`

// Totals counts the calls of each of several periods, by why they are billed or
// not. Of days whose single calls are gone it knows what was stored of them; no
// call of those is late.
func Totals(ctx context.Context, tx pgx.Tx, periods []Bounds) ([]PeriodTotals, error) {
	var subs []uuid.UUID
	var from, to []time.Time
	var last []int64
	for _, b := range periods {
		subs, from, to, last = append(subs, b.Subscription), append(from, b.From), append(to, b.To), append(last, b.BatchTo)
	}
	rows, err := tx.Query(ctx, `
		SELECT t.received + k.received, t.billable + k.billable, t.test + k.test, t.unanswered + k.unanswered, t.late
		FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) WITH ORDINALITY AS p (subscription_id, starts_at, ends_at, last_batch, n)
		CROSS JOIN LATERAL (
			SELECT `+byKind+`, count(*) FILTER (WHERE billable AND batch_id > p.last_batch) AS late
			FROM usage_events WHERE subscription_id = p.subscription_id AND at >= p.starts_at AND at < p.ends_at) t
		CROSS JOIN LATERAL (
			SELECT `+sumOf("received")+` AS received, `+sumOf("billable")+` AS billable, `+sumOf("test")+` AS test, `+sumOf("unanswered")+` AS unanswered
			FROM usage_kept_periods WHERE subscription_id = p.subscription_id AND period_start = p.starts_at) k
		ORDER BY p.n`, subs, from, to, last)
	if err != nil {
		return nil, fmt.Errorf("period totals: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[PeriodTotals])
}

// keepTotals stores what is counted of each billing period on a day. Calls that
// came after an earlier dropping of the day are added to what it stored.
func keepTotals(ctx context.Context, tx pgx.Tx, day time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO usage_kept_periods AS k (subscription_id, period_start, org_id, day, received, billable, test, unanswered)
		SELECT p.subscription_id, p.starts_at, p.org_id, $1::date, `+byKind+`
		FROM billing_periods p JOIN usage_events e ON e.subscription_id = p.subscription_id AND e.at >= p.starts_at AND e.at < p.ends_at
		WHERE e.at >= $2 AND e.at < $3 AND p.starts_at < $3 AND p.ends_at > $2
		GROUP BY p.subscription_id, p.starts_at, p.org_id
		ON CONFLICT (subscription_id, period_start, day) DO UPDATE SET received = k.received + excluded.received, billable = k.billable + excluded.billable,
			test = k.test + excluded.test, unanswered = k.unanswered + excluded.unanswered`,
		day.UTC().Format(time.DateOnly), day, day.AddDate(0, 0, 1))
	if err != nil {
		return fmt.Errorf("keep a day's totals: %w", err)
	}
	return nil
}
