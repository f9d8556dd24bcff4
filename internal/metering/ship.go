// Package metering moves usage from gateways' spools into Postgres, once each,
// and answers questions about it. It speaks pgx alone: the gateway uses it.
package metering

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/metering/spool"
)

// BatchLock is the advisory lock that shipping holds shared. Closing a billing
// period takes it exclusively for an instant, so that every batch below the
// last id it sees is committed.
const BatchLock = 0x746f6c6c // "toll"

const batchSlots = 4096 // slots per transaction

// Shipper moves records from one spool into the database.
type Shipper struct {
	spool   *spool.Spool
	pool    *pgxpool.Pool
	gateway string
	now     func() time.Time
	logger  *slog.Logger
	mu      sync.Mutex          // one at a time: Run, and who wants it done now
	shipped map[uuid.UUID]int64 // per segment, as far as we know

	records, damaged prometheus.Counter
	failures         prometheus.Counter
}

// NewShipper makes a shipper for the gateway of that name.
func NewShipper(s *spool.Spool, pool *pgxpool.Pool, gateway string, now func() time.Time, logger *slog.Logger, reg prometheus.Registerer) *Shipper {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	return &Shipper{
		spool: s, pool: pool, gateway: gateway, now: now, logger: logger, shipped: map[uuid.UUID]int64{},
		records:  counter("tollgate_metering_shipped_records_total", "Usage records stored in the database."),
		damaged:  counter("tollgate_metering_damaged_slots_total", "Spool slots that were begun and never finished."),
		failures: counter("tollgate_metering_ship_failures_total", "Attempts to ship usage that failed and will be repeated."),
	}
}

// Run ships until ctx ends: soon after records are appended, and again after a
// pause when the database fails. It does not drain: call Drain when calls have ended.
func (s *Shipper) Run(ctx context.Context) {
	const gather, pause = 100 * time.Millisecond, time.Second
	for {
		wait := gather
		if _, err := s.ShipPending(ctx); err != nil && ctx.Err() == nil {
			s.failures.Inc()
			s.logger.Warn("usage could not be shipped and stays in the spool", "error", err)
			wait = pause
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		select { // idle: sleep until there is something
		case <-ctx.Done():
			return
		case <-s.spool.Wake():
		case <-time.After(pause):
		}
	}
}

// Drain seals the spool and ships all of it. Call it when no call is under way.
func (s *Shipper) Drain(ctx context.Context) error {
	s.spool.Seal()
	_, err := s.ShipPending(ctx)
	return err
}

// ShipPending ships everything that is finished now and removes segments that
// are done. It returns how many records were stored.
func (s *Shipper) ShipPending(ctx context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, p := range s.spool.Pending() {
		n, err := s.shipSegment(ctx, p)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (s *Shipper) shipSegment(ctx context.Context, p spool.Pending) (total int, err error) {
	id := p.Segment.ID
	from, known := s.shipped[id]
	if !known {
		if p.To == 0 {
			return 0, nil
		}
		if from, err = s.register(ctx, id); err != nil {
			return 0, err
		}
		s.shipped[id] = from
	}
	for from < p.To {
		to := min(from+batchSlots, p.To)
		n, err := s.shipSlots(ctx, p.Segment, from, to)
		if errors.Is(err, errMoved) { // a copy of this spool was there first: go on from where it is
			delete(s.shipped, id)
			return total, nil
		}
		if err != nil {
			return total, err
		}
		total += n
		from = to
		s.shipped[id] = to
	}
	if p.Sealed && from >= p.To {
		delete(s.shipped, id)
		return total, s.spool.Forget(p.Segment)
	}
	return total, nil
}

func (s *Shipper) register(ctx context.Context, segment uuid.UUID) (shipped int64, err error) {
	err = s.pool.QueryRow(ctx, `
		INSERT INTO usage_segments (id, gateway) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET gateway = usage_segments.gateway RETURNING shipped`, segment, s.gateway).Scan(&shipped)
	if err != nil {
		return 0, fmt.Errorf("register spool segment: %w", err)
	}
	return shipped, nil
}

var errMoved = errors.New("the segment was advanced by somebody else")

func (s *Shipper) shipSlots(ctx context.Context, seg *spool.Segment, from, to int64) (int, error) {
	records, damaged, _, err := seg.Read(from, to)
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.store(ctx, tx, seg.ID, from, to, records) })
	if err != nil {
		return 0, err
	}
	s.records.Add(float64(len(records)))
	s.damaged.Add(float64(damaged))
	return len(records), nil
}

// store advances the segment by compare-and-swap and adds events and roll-ups
// in the same transaction, so that a replay is a no-op.
func (s *Shipper) store(ctx context.Context, tx pgx.Tx, segment uuid.UUID, from, to int64, records []spool.Record) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, BatchLock); err != nil {
		return fmt.Errorf("lock batches: %w", err)
	}
	tag, err := tx.Exec(ctx, `UPDATE usage_segments SET shipped = $3 WHERE id = $1 AND shipped = $2`, segment, from, to)
	if err != nil {
		return fmt.Errorf("advance segment: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return errMoved
	}
	if len(records) == 0 {
		return nil
	}
	var batch int64
	err = tx.QueryRow(ctx, `
		INSERT INTO usage_batches (segment_id, from_slot, to_slot, events, received_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		segment, from, to, len(records), s.now()).Scan(&batch)
	if err != nil {
		return fmt.Errorf("open batch: %w", err)
	}
	for _, step := range []func(context.Context, pgx.Tx, int64, []spool.Record) error{copyEvents, rollUp, noteKeys, noteLeases} {
		if err := step(ctx, tx, batch, records); err != nil {
			return err
		}
	}
	return nil
}

func mode(r *spool.Record) string {
	if r.Flags&spool.FlagTest != 0 {
		return "test"
	}
	return "live"
}

func copyEvents(ctx context.Context, tx pgx.Tx, batch int64, records []spool.Record) error {
	columns := []string{"request_id", "batch_id", "at", "org_id", "application_id", "subscription_id", "key_id", "version_id", "operation_id",
		"mode", "method", "path", "status", "billable", "complete", "units", "bytes_in", "bytes_out", "duration_us", "upstream_us"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"usage_events"}, columns, pgx.CopyFromSlice(len(records), func(i int) ([]any, error) {
		r := &records[i]
		return []any{r.RequestID, batch, r.At, r.Org, r.Application, r.Subscription, r.Key, r.Version, r.Operation,
			mode(r), r.Method, r.Path, int16(r.Status), r.Flags&spool.FlagBillable != 0, r.Flags&spool.FlagAborted == 0,
			int64(r.Units), int64(r.BytesIn), int64(r.BytesOut), r.Duration.Microseconds(), r.Upstream.Microseconds()}, nil
	}))
	if err != nil {
		return fmt.Errorf("copy events: %w", err)
	}
	return nil
}

// sumKey is what an hourly roll-up is kept by.
type sumKey struct {
	hour                                            int64
	org, application, subscription, key, vers, oper uuid.UUID
	mode                                            string
	status                                          int16
}

type sums struct{ calls, billable, units, in, out, duration int64 }

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
				calls, billable_calls, units, bytes_in, bytes_out, duration_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
			ON CONFLICT (subscription_id, hour, key_id, operation_id, mode, status) DO UPDATE SET
				calls = u.calls + excluded.calls, billable_calls = u.billable_calls + excluded.billable_calls, units = u.units + excluded.units,
				bytes_in = u.bytes_in + excluded.bytes_in, bytes_out = u.bytes_out + excluded.bytes_out, duration_us = u.duration_us + excluded.duration_us`,
			time.Unix(k.hour, 0).UTC(), k.org, k.application, k.subscription, k.key, k.vers, k.oper, k.mode, k.status,
			t.calls, t.billable, t.units, t.in, t.out, t.duration)
	}
	return send(ctx, tx, batch, "roll up")
}

func (t *sums) add(r *spool.Record) {
	t.calls++
	if r.Flags&spool.FlagBillable != 0 {
		t.billable++
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
