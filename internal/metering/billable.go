package metering

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bounds name a set of usage for good: calls of a subscription in [From, To)
// that came in batches (BatchAfter, BatchTo]. The same bounds always give the
// same calls.
type Bounds struct {
	Subscription        uuid.UUID
	From, To            time.Time
	BatchAfter, BatchTo int64
}

const inBounds = ` subscription_id = $1 AND at >= $2 AND at < $3 AND batch_id > $4 AND batch_id <= $5 `

func (b Bounds) args(more ...any) []any {
	return append([]any{b.Subscription, b.From, b.To, b.BatchAfter, b.BatchTo}, more...)
}

// LastBatch draws the id below which every batch is committed: it waits for
// shipments that are under way, and lets new ones go on at once.
func LastBatch(ctx context.Context, pool *pgxpool.Pool) (last int64, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, BatchLock); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM usage_batches`).Scan(&last)
	})
	if err != nil {
		return 0, fmt.Errorf("draw the last usage batch: %w", err)
	}
	return last, nil
}

// Counted is a frozen amount of usage.
type Counted struct {
	Amounts
	Hash string // SHA-256 over the request ids in order, hexadecimal
}

// CountBillable counts and hashes the billable calls within bounds. The ids are
// hashed as they come in: the database could not hold all of a large period's
// in one value.
func CountBillable(ctx context.Context, tx pgx.Tx, b Bounds) (c Counted, err error) {
	rows, err := tx.Query(ctx, `SELECT request_id, units, bytes_in, bytes_out, `+millis+` FROM usage_events WHERE billable AND`+inBounds+`ORDER BY request_id`, b.args()...)
	if err != nil {
		return c, fmt.Errorf("count billable usage: %w", err)
	}
	hash := sha256.New()
	var id [16]byte
	one := Amounts{Calls: 1}
	_, err = pgx.ForEachRow(rows, []any{&id, &one.Units, &one.BytesIn, &one.BytesOut, &one.Millis}, func() error {
		c.Amounts = c.Plus(one)
		_, err := hash.Write(id[:])
		return err
	})
	if err != nil {
		return Counted{}, fmt.Errorf("count billable usage: %w", err)
	}
	c.Hash = hex.EncodeToString(hash.Sum(nil))
	return c, nil
}

// CountSoFar counts the billable calls that have arrived of a subscription in
// [from, to), without a hash. Whole hours come from the roll-ups, which are
// exact; single calls are only looked at before the first and after the last.
func CountSoFar(ctx context.Context, tx pgx.Tx, subscription uuid.UUID, from, to time.Time) (c Counted, err error) {
	first, last := wholeHours(from, to)
	single := `SELECT 1, units, bytes_in, bytes_out, ` + millis + ` FROM usage_events WHERE billable AND subscription_id = $1 AND `
	err = tx.QueryRow(ctx, `
		SELECT `+sumOf("calls", "units", "bytes_in", "bytes_out", "ms")+` FROM (
			SELECT billable_calls AS calls, billable_units AS units, billable_bytes_in AS bytes_in, billable_bytes_out AS bytes_out, billable_ms AS ms
			FROM usage_hourly WHERE subscription_id = $1 AND hour >= $4 AND hour < $5
			UNION ALL `+single+`at >= $2 AND at < $4
			UNION ALL `+single+`at >= $5 AND at < $3) counted`,
		subscription, from, to, first, last).Scan(&c.Calls, &c.Units, &c.BytesIn, &c.BytesOut, &c.Millis)
	if err != nil {
		return c, fmt.Errorf("count usage so far: %w", err)
	}
	return c, nil
}

// wholeHours are the bounds of the whole hours in [from, to).
func wholeHours(from, to time.Time) (first, last time.Time) {
	first, last = from.Add(time.Hour-1).Truncate(time.Hour), to.Truncate(time.Hour)
	if !first.Before(last) {
		return to, to
	}
	return first, last
}

// DayRow is the billable usage of one day, API and key.
type DayRow struct {
	Day       time.Time // midnight UTC
	VersionID uuid.UUID
	API       string
	KeyID     uuid.UUID
	Key       string
	Amounts
}

// BillableByDay splits a set of usage into days, APIs and keys.
func BillableByDay(ctx context.Context, tx pgx.Tx, b Bounds) ([]DayRow, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.day, e.version_id, a.name, e.key_id, k.name, e.calls, e.units, e.bytes_in, e.bytes_out, e.ms FROM (
			SELECT date_trunc('day', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day, version_id, key_id, count(*) AS calls, sum(units)::bigint AS units,
				sum(bytes_in)::bigint AS bytes_in, sum(bytes_out)::bigint AS bytes_out, sum(`+millis+`)::bigint AS ms
			FROM usage_events WHERE billable AND`+inBounds+`GROUP BY 1, 2, 3) e
		JOIN api_versions v ON v.id = e.version_id JOIN apis a ON a.id = v.api_id JOIN keys k ON k.id = e.key_id
		ORDER BY e.day, a.name, k.name, e.key_id`, b.args()...)
	if err != nil {
		return nil, fmt.Errorf("usage by day: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[DayRow])
}

// Call is one metered call.
type Call struct {
	RequestID  uuid.UUID
	BatchID    int64
	At         time.Time
	Mode       string
	Method     string
	Path       string
	Status     int16
	Billable   bool
	Units      int64
	BytesIn    int64
	BytesOut   int64
	DurationUs int64
	UpstreamUs int64
	API        string
	APISlug    string
	Operation  string // path template
	OpSlug     string
	KeyID      uuid.UUID
	Key        string
	Kept       *KeptRow `db:"-"` // not nil: no single call, but what is stored of a day's that are gone
}

const callColumns = `
	e.request_id, e.batch_id, e.at, e.mode, e.method, e.path, e.status, e.billable, e.units, e.bytes_in, e.bytes_out, e.duration_us, e.upstream_us,
	a.name, a.slug, o.path, o.slug, e.key_id, k.name`

const callJoins = `
	JOIN api_versions v ON v.id = e.version_id JOIN apis a ON a.id = v.api_id
	JOIN operations o ON o.id = e.operation_id JOIN keys k ON k.id = e.key_id`

// DayFilter narrows the calls of a line to a day, version and key; zero values do not narrow.
type DayFilter struct {
	Day     time.Time
	Version uuid.UUID
	Key     uuid.UUID
}

// Has reports whether a row is among what f leaves.
func (f DayFilter) Has(k KeptRow) bool {
	return (f.Day.IsZero() || f.Day.Equal(k.Day)) && (f.Version == uuid.Nil || f.Version == k.VersionID) && (f.Key == uuid.Nil || f.Key == k.KeyID)
}

// BillableCalls lists single calls of a set of usage, oldest first: those after
// the given one, which the zero call is before all of.
func BillableCalls(ctx context.Context, tx pgx.Tx, b Bounds, f DayFilter, after Call, offset, most int) ([]Call, error) {
	if !f.Day.IsZero() {
		b.From, b.To = later(b.From, f.Day), earlier(b.To, f.Day.AddDate(0, 0, 1))
	}
	b.From = later(b.From, after.At)
	rows, err := tx.Query(ctx, `
		SELECT`+callColumns+` FROM (
			SELECT * FROM usage_events WHERE billable AND`+inBounds+`
			AND ($6::uuid = $8::uuid OR version_id = $6::uuid) AND ($7::uuid = $8::uuid OR key_id = $7::uuid) AND (at, request_id) > ($9, $10)
			ORDER BY at, request_id OFFSET $11 LIMIT $12) e`+callJoins+`
		ORDER BY e.at, e.request_id`, b.args(f.Version, f.Key, uuid.Nil, after.At, after.RequestID, offset, most)...)
	if err != nil {
		return nil, fmt.Errorf("calls of a line: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Call])
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// AllBatches bounds usage that is not frozen: everything that has arrived.
const AllBatches = 1<<63 - 1
