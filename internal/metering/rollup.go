package metering

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/metering/spool"
)

// sumKey is what an hourly roll-up is kept by.
type sumKey struct {
	hour                                            int64
	org, application, subscription, key, vers, oper uuid.UUID
	mode                                            string
	status                                          int16
}

type sums struct{ calls, billable, billableUnits, units, in, out, duration int64 }

func rollUp(ctx context.Context, tx pgx.Tx, _ int64, records []spool.Record) error {
	totals := map[sumKey]*sums{}
	for i := range records {
		r := &records[i]
		k := sumKey{r.At.Truncate(time.Hour).Unix(), r.Org, r.Application, r.Subscription, r.Key, r.Version, r.Operation, mode(r), int16(r.Status)}
		t := totals[k]
		if t == nil {
			t = &sums{}
			totals[k] = t
		}
		t.add(r)
	}
	batch := &pgx.Batch{}
	for _, k := range sortedKeys(totals) {
		t := totals[k]
		batch.Queue(`
			INSERT INTO usage_hourly AS u (hour, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, status,
				calls, billable_calls, billable_units, units, bytes_in, bytes_out, duration_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
			ON CONFLICT (subscription_id, hour, key_id, operation_id, mode, status) DO UPDATE SET
				calls = u.calls + excluded.calls, billable_calls = u.billable_calls + excluded.billable_calls,
				billable_units = u.billable_units + excluded.billable_units, units = u.units + excluded.units,
				bytes_in = u.bytes_in + excluded.bytes_in, bytes_out = u.bytes_out + excluded.bytes_out, duration_us = u.duration_us + excluded.duration_us`,
			time.Unix(k.hour, 0).UTC(), k.org, k.application, k.subscription, k.key, k.vers, k.oper, k.mode, k.status,
			t.calls, t.billable, t.billableUnits, t.units, t.in, t.out, t.duration)
	}
	return send(ctx, tx, batch, "roll up")
}

func (t *sums) add(r *spool.Record) {
	t.calls++
	if r.Flags&spool.FlagBillable != 0 {
		t.billable++
		t.billableUnits += int64(r.Units)
	}
	t.units += int64(r.Units)
	t.in += int64(r.BytesIn)
	t.out += int64(r.BytesOut)
	t.duration += r.Duration.Microseconds()
}

// sortedKeys fixes the order in which rows are locked, so that two gateways
// cannot wait for each other.
func sortedKeys(totals map[sumKey]*sums) []sumKey {
	keys := make([]sumKey, 0, len(totals))
	for k := range totals {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b sumKey) int {
		return cmp.Or(slices.Compare(a.subscription[:], b.subscription[:]), cmp.Compare(a.hour, b.hour), slices.Compare(a.key[:], b.key[:]),
			slices.Compare(a.oper[:], b.oper[:]), cmp.Compare(a.mode, b.mode), cmp.Compare(a.status, b.status))
	})
	return keys
}

// noteKeys keeps each key's last use.
func noteKeys(ctx context.Context, tx pgx.Tx, _ int64, records []spool.Record) error {
	last := map[uuid.UUID]*spool.Record{}
	for i := range records {
		if r := &records[i]; last[r.Key] == nil || !r.At.Before(last[r.Key].At) {
			last[r.Key] = r
		}
	}
	ids := make([]uuid.UUID, 0, len(last))
	for id := range last {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	batch := &pgx.Batch{}
	for _, id := range ids {
		r := last[id]
		batch.Queue(`
			INSERT INTO key_usage AS k (key_id, org_id, last_used_at, last_status, last_duration_us, last_request_id) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (key_id) DO UPDATE SET last_used_at = excluded.last_used_at, last_status = excluded.last_status,
				last_duration_us = excluded.last_duration_us, last_request_id = excluded.last_request_id
			WHERE k.last_used_at <= excluded.last_used_at`, id, r.Org, r.At, int16(r.Status), r.Duration.Microseconds(), r.RequestID)
	}
	return send(ctx, tx, batch, "note key use")
}

// noteLeases counts what was spent of each quota lease, so that a dead
// gateway's rest can be given back.
func noteLeases(ctx context.Context, tx pgx.Tx, _ int64, records []spool.Record) error {
	spent := map[int64]int64{}
	for i := range records {
		if l := records[i].Lease; l != 0 {
			spent[l]++
		}
	}
	ids := make([]int64, 0, len(spent))
	for id := range spent {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	batch := &pgx.Batch{}
	for _, id := range ids {
		batch.Queue(`UPDATE quota_leases SET spent = spent + $2 WHERE id = $1`, id, spent[id])
	}
	return send(ctx, tx, batch, "note leases")
}

func send(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, what string) error {
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
