package metering

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Days are the UTC days whose single calls are stored, oldest first.
func Days(ctx context.Context, tx pgx.Tx) ([]time.Time, error) {
	rows, err := tx.Query(ctx, `SELECT d::timestamp AT TIME ZONE 'UTC' FROM usage_events_days() d`)
	if err != nil {
		return nil, fmt.Errorf("days of calls: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[time.Time])
}

// Settled reports whether nothing is still to be billed of a day's calls: the
// periods that they fall into are closed, no draft counts them, and none came
// after its period was counted last.
func Settled(ctx context.Context, tx pgx.Tx, day time.Time) (settled bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT NOT EXISTS (SELECT FROM billing_periods WHERE closed_batch IS NULL AND starts_at < $2 AND ends_at > $1)
			AND NOT EXISTS (SELECT FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id WHERE i.state IN ('review', 'held') AND l.period_start < $2 AND l.period_end > $1)
			AND NOT EXISTS (SELECT FROM billing_periods p JOIN usage_events e ON e.subscription_id = p.subscription_id AND e.at >= p.starts_at AND e.at < p.ends_at
				WHERE p.starts_at < $2 AND p.ends_at > $1 AND e.at >= $1 AND e.at < $2 AND e.billable AND e.batch_id > p.closed_batch)`,
		day, day.AddDate(0, 0, 1)).Scan(&settled)
	if err != nil {
		return false, fmt.Errorf("look for what is still to be billed of a day: %w", err)
	}
	return settled, nil
}

// DropDay stores what each invoice line counted on a day, by version and key
// and with a hash of the calls, and drops the day's single calls. Roll-ups stay.
func DropDay(ctx context.Context, tx pgx.Tx, day, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO usage_kept (line_id, org_id, day, version_id, key_id, calls, quantity, hash)
		SELECT l.id, l.org_id, $1::date, e.version_id, e.key_id, count(*),
			sum(CASE c.meter WHEN 'units' THEN units WHEN 'bytes_in' THEN bytes_in WHEN 'bytes_out' THEN bytes_out WHEN 'bytes' THEN bytes_in + bytes_out
				WHEN 'duration' THEN `+millis+` ELSE 1 END),
			encode(sha256(string_agg(uuid_send(e.request_id), ''::bytea ORDER BY e.request_id)), 'hex')
		FROM invoice_lines l JOIN price_components c ON c.id = l.component_id
		JOIN usage_events e ON e.subscription_id = l.subscription_id AND e.at >= l.period_start AND e.at < l.period_end AND e.batch_id > l.batch_after AND e.batch_id <= l.batch_to
		WHERE e.billable AND e.at >= $2 AND e.at < $3 AND l.period_start < $3 AND l.period_end > $2
		GROUP BY l.id, l.org_id, e.version_id, e.key_id ON CONFLICT DO NOTHING`,
		day.UTC().Format(time.DateOnly), day, day.AddDate(0, 0, 1))
	if err != nil {
		return fmt.Errorf("keep a day's counts: %w", err)
	}
	if _, err := tx.Exec(ctx, `SELECT usage_events_drop_day($1::date, $2)`, day.UTC().Format(time.DateOnly), now); err != nil {
		return fmt.Errorf("drop a day's calls: %w", err)
	}
	return nil
}

// KeptRow is what an invoice line counted on a day whose single calls are gone.
type KeptRow struct {
	Day       time.Time // midnight UTC
	VersionID uuid.UUID
	API       string
	KeyID     uuid.UUID
	Key       string
	Calls     int64
	Quantity  int64  // on the line's meter
	Hash      string // SHA-256 over the request ids in order, hexadecimal
}

// KeptOf lists the stored counts of an invoice line, oldest first.
func KeptOf(ctx context.Context, tx pgx.Tx, line uuid.UUID) ([]KeptRow, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.day::timestamp AT TIME ZONE 'UTC', e.version_id, coalesce(a.name, ''), e.key_id, coalesce(k.name, ''), e.calls, e.quantity, e.hash FROM usage_kept e
		LEFT JOIN api_versions v ON v.id = e.version_id LEFT JOIN apis a ON a.id = v.api_id LEFT JOIN keys k ON k.id = e.key_id
		WHERE e.line_id = $1 ORDER BY e.day, a.name, k.name, e.key_id`, line)
	if err != nil {
		return nil, fmt.Errorf("stored counts of a line: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[KeptRow])
}

// Dropped is the day after the last one whose single calls are gone; zero when
// none are.
func Dropped(ctx context.Context, tx pgx.Tx) (until time.Time, err error) {
	var last *time.Time
	err = tx.QueryRow(ctx, `SELECT (max(day) + 1)::timestamp AT TIME ZONE 'UTC' FROM usage_dropped_days`).Scan(&last)
	if err != nil {
		return until, fmt.Errorf("days that were dropped: %w", err)
	}
	if last != nil {
		until = *last
	}
	return until, nil
}
