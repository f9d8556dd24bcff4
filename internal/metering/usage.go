package metering

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Filter narrows usage; zero values do not narrow. Row-level security keeps it
// within the organization of the transaction; staff name one.
type Filter struct {
	Org      uuid.UUID
	From, To time.Time // [From, To)
	API      string    // slug
	Key      uuid.UUID
	Class    int16 // 2 for 2xx, 4, 5; 0: all
	Mode     string
}

const filtered = ` e.org_id = $1 AND %[1]s >= $2 AND %[1]s < $3 AND ($4 = '' OR a.slug = $4) AND ($5::uuid = $8::uuid OR e.key_id = $5::uuid)
	AND ($6::smallint = 0 OR e.status / 100 = $6::smallint) AND ($7 = '' OR e.mode = $7) `

func (f Filter) args(more ...any) []any {
	return append([]any{f.Org, f.From, f.To, f.API, f.Key, f.Class, f.Mode, uuid.Nil}, more...)
}

// Bucket is the usage of one step of time.
type Bucket struct {
	At                             time.Time
	Calls, Errors, Units, Billable int64
}

// Step is the width of a bucket.
type Step string

// The steps.
const (
	ByHour Step = "hour"
	ByDay  Step = "day"
)

// Series sums calls per step, gaps left out.
func Series(ctx context.Context, tx pgx.Tx, f Filter, step Step) ([]Bucket, error) {
	rows, err := tx.Query(ctx, `
		SELECT date_trunc($9, e.hour AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', sum(e.calls)::bigint, coalesce(sum(e.calls) FILTER (WHERE e.status >= 400), 0)::bigint,
			sum(e.units)::bigint, sum(e.billable_calls)::bigint
		FROM usage_hourly e JOIN api_versions v ON v.id = e.version_id JOIN apis a ON a.id = v.api_id
		WHERE`+fmt.Sprintf(filtered, "e.hour")+`GROUP BY 1 ORDER BY 1`, f.args(string(step))...)
	if err != nil {
		return nil, fmt.Errorf("usage over time: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Bucket])
}

// Share is the usage of one API, key or status.
type Share struct {
	ID    string // slug, key id or status
	Label string
	Calls int64
}

// Dimension is what usage is split by.
type Dimension string

// The dimensions.
const (
	ByAPI    Dimension = "api"
	ByKey    Dimension = "key"
	ByStatus Dimension = "status"
)

var dimensions = map[Dimension]string{
	ByAPI:    `a.slug, a.name`,
	ByKey:    `k.id::text, k.name`,
	ByStatus: `e.status::text, e.status::text`,
}

// Shares splits usage by a dimension, the largest first.
func Shares(ctx context.Context, tx pgx.Tx, f Filter, by Dimension) ([]Share, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+dimensions[by]+`, sum(e.calls)::bigint FROM usage_hourly e
		JOIN api_versions v ON v.id = e.version_id JOIN apis a ON a.id = v.api_id JOIN keys k ON k.id = e.key_id
		WHERE`+fmt.Sprintf(filtered, "e.hour")+`GROUP BY 1, 2 ORDER BY 3 DESC, 2 LIMIT 50`, f.args()...)
	if err != nil {
		return nil, fmt.Errorf("usage by %s: %w", by, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Share])
}

// latest reads an organization's single calls, newest first. They are found by
// subscription: of each, no more than the %[2]s latest.
const latest = ` FROM subscriptions s CROSS JOIN LATERAL (
		SELECT e.* FROM usage_events e JOIN api_versions v ON v.id = e.version_id JOIN apis a ON a.id = v.api_id
		WHERE e.subscription_id = s.id AND` + filtered + `ORDER BY e.at DESC, e.request_id DESC LIMIT %[2]s) e
	WHERE s.org_id = $1 ORDER BY e.at DESC, e.request_id DESC `

// Calls lists single calls, newest first, and how many match in all.
func Calls(ctx context.Context, tx pgx.Tx, f Filter, offset, most int) (calls []Call, total int64, err error) {
	if err := tx.QueryRow(ctx, `
		SELECT count(*) FROM subscriptions s JOIN usage_events e ON e.subscription_id = s.id JOIN api_versions v ON v.id = e.version_id JOIN apis a ON a.id = v.api_id
		WHERE s.org_id = $1 AND`+fmt.Sprintf(filtered, "e.at"), f.args()...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count calls: %w", err)
	}
	rows, err := tx.Query(ctx, `SELECT`+callColumns+` FROM (SELECT e.*`+fmt.Sprintf(latest, "e.at", "$9::bigint + $10::bigint")+`OFFSET $9 LIMIT $10) e`+callJoins+` ORDER BY e.at DESC, e.request_id DESC`,
		f.args(offset, most)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list calls: %w", err)
	}
	calls, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Call])
	return calls, total, err
}

// P95 is the duration that 95 of 100 calls stay below, of the latest 10,000; 0
// without calls.
func P95(ctx context.Context, tx pgx.Tx, f Filter) (us int64, err error) {
	err = tx.QueryRow(ctx, `
		SELECT coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us), 0) FROM (SELECT e.duration_us`+fmt.Sprintf(latest, "e.at", "10000")+`LIMIT 10000) recent`,
		f.args()...).Scan(&us)
	if err != nil {
		return 0, fmt.Errorf("p95: %w", err)
	}
	return us, nil
}

// KeyState is the last that was heard of a key.
type KeyState struct {
	UsedAt     *time.Time
	Status     int16
	DurationUs int64
	RequestID  uuid.UUID
	Method     string
	Path       string
	RefusedAt  *time.Time
	Refusal    string // problem type of the last refused call
}

// LastOfKey says what became of a key's last forwarded and last refused call.
func LastOfKey(ctx context.Context, tx pgx.Tx, key uuid.UUID) (s KeyState, err error) {
	err = tx.QueryRow(ctx, `
		SELECT u.last_used_at, coalesce(u.last_status, 0), coalesce(u.last_duration_us, 0), coalesce(u.last_request_id, $2),
			coalesce(e.method, ''), coalesce(e.path, ''), r.last_at, coalesce(r.code, '')
		FROM (SELECT $1::uuid AS id) k LEFT JOIN key_usage u ON u.key_id = k.id
		LEFT JOIN usage_events e ON e.request_id = u.last_request_id AND e.at = u.last_used_at
		LEFT JOIN LATERAL (SELECT last_at, code FROM refusals WHERE key_id = k.id ORDER BY last_at DESC LIMIT 1) r ON true`, key, uuid.Nil).
		Scan(&s.UsedAt, &s.Status, &s.DurationUs, &s.RequestID, &s.Method, &s.Path, &s.RefusedAt, &s.Refusal)
	if err != nil {
		return s, fmt.Errorf("last call of a key: %w", err)
	}
	return s, nil
}

// LastGoodOfKey is a key's last call that was answered without an error; ok is
// false when there is none. Roll-ups name its hour, so that few single calls are read.
func LastGoodOfKey(ctx context.Context, tx pgx.Tx, org, key uuid.UUID) (s KeyState, ok bool, err error) {
	err = tx.QueryRow(ctx, `
		WITH good AS (SELECT DISTINCT hour, subscription_id FROM usage_hourly WHERE org_id = $1 AND key_id = $2 AND status < 400)
		SELECT e.at, e.status, e.duration_us, e.request_id, e.method, e.path
		FROM good h JOIN usage_events e ON e.subscription_id = h.subscription_id AND e.at >= h.hour AND e.at < h.hour + interval '1 hour' AND e.key_id = $2 AND e.status < 400
		WHERE h.hour = (SELECT max(hour) FROM good) ORDER BY e.at DESC LIMIT 1`, org, key).
		Scan(&s.UsedAt, &s.Status, &s.DurationUs, &s.RequestID, &s.Method, &s.Path)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("last good call of a key: %w", err)
	}
	return s, true, nil
}
