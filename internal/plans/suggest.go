package plans

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
)

// What Suggest looks at, at most.
const (
	SuggestCallers = 1000                // subscriptions: a sample where there are more
	SuggestDays    = 30                  // of roll-ups
	SuggestHours   = 3                   // the busiest of each subscription, whose single calls are looked at
	SuggestCalls   = 1_000_000           // single calls
	suggestEvents  = 14 * 24 * time.Hour // how far back single calls are looked for
)

// Peak is how much subscriptions called at their busiest in one window, in
// calls as rates count them: by weight.
type Peak struct {
	Window             time.Duration
	Callers            int64 // subscriptions with calls
	P50, P95, P99, Max int64 // of their peaks
}

// Suggested is a limit that 99 of 100 subscriptions would not have met: P99,
// rounded up to the next 1, 2 or 5 with zeros.
func (p Peak) Suggested() int64 { return roundUp(p.P99) }

func roundUp(n int64) int64 {
	for step := int64(1); ; step *= 10 {
		for _, m := range []int64{1, 2, 5} {
			if m*step >= n {
				return m * step
			}
		}
	}
}

// Suggest works out subscriptions' peaks per second, minute, hour and day, from
// live calls that were forwarded: of one plan, or of all plans of a product when
// plan is nil. Hours and days come from roll-ups. Seconds and minutes come from
// the busiest hours' single calls; they are left out where a single hour has
// more than SuggestCalls.
func (s *Service) Suggest(ctx context.Context, product uuid.UUID, plan *uuid.UUID) (peaks []Peak, err error) {
	now := s.clock.Now()
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, suggest, product, plan, now.AddDate(0, 0, -SuggestDays), now.Add(-suggestEvents), SuggestCallers, SuggestHours, SuggestCalls)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p Peak
			var seconds int64
			if err := rows.Scan(&seconds, &p.Callers, &p.P50, &p.P95, &p.P99, &p.Max); err != nil {
				return err
			}
			p.Window = time.Duration(seconds) * time.Second
			peaks = append(peaks, p)
		}
		return rows.Err()
	})
	return peaks, err
}

const suggest = `
	WITH callers AS MATERIALIZED (
		SELECT s.id FROM subscriptions s WHERE s.product_id = $1 AND s.state IN ('active', 'unpaid')
			AND ($2::uuid IS NULL OR s.plan_version_id IN (SELECT id FROM plan_versions WHERE plan_id = $2))
		ORDER BY md5(s.id::text) LIMIT $5),
	hours AS MATERIALIZED (
		SELECT e.subscription_id, e.hour, sum(e.calls * o.weight)::bigint AS n, sum(e.calls)::bigint AS calls
		FROM usage_hourly e JOIN callers c ON c.id = e.subscription_id JOIN operations o ON o.id = e.operation_id
		WHERE e.hour >= $3 AND e.mode = 'live' GROUP BY 1, 2),
	ranked AS (SELECT *, row_number() OVER (PARTITION BY subscription_id ORDER BY n DESC, hour) AS rank FROM hours WHERE hour >= $4),
	chosen AS MATERIALIZED (
		SELECT subscription_id, hour FROM (
			SELECT *, sum(calls) OVER (ORDER BY rank, n DESC, subscription_id ROWS UNBOUNDED PRECEDING) AS total FROM ranked WHERE rank <= $6) r
		WHERE total <= $7),
	seconds AS MATERIALIZED (
		SELECT e.subscription_id, date_trunc('second', e.at) AS at, sum(o.weight)::bigint AS n
		FROM chosen c JOIN usage_events e ON e.subscription_id = c.subscription_id AND e.at >= c.hour AND e.at < c.hour + interval '1 hour' JOIN operations o ON o.id = e.operation_id
		WHERE e.mode = 'live' GROUP BY 1, 2),
	peaks AS (
		SELECT 1 AS size, subscription_id, max(n) AS n FROM seconds GROUP BY 2
		UNION ALL SELECT 60, subscription_id, max(n) FROM (SELECT subscription_id, sum(n)::bigint AS n FROM seconds GROUP BY subscription_id, date_trunc('minute', at)) m GROUP BY 2
		UNION ALL SELECT 3600, subscription_id, max(n) FROM hours GROUP BY 2
		UNION ALL SELECT 86400, subscription_id, max(n) FROM (SELECT subscription_id, sum(n)::bigint AS n FROM hours GROUP BY subscription_id, date_trunc('day', hour, 'UTC')) d GROUP BY 2)
	SELECT size, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY n), percentile_disc(0.95) WITHIN GROUP (ORDER BY n), percentile_disc(0.99) WITHIN GROUP (ORDER BY n), max(n)
	FROM peaks GROUP BY size ORDER BY size`
