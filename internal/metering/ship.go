// Package metering moves usage from gateways' spools into Postgres, once each,
// and answers questions about it. It speaks pgx alone: the gateway uses it.
package metering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	for _, step := range []func(context.Context, pgx.Tx, int64, []spool.Record) error{addEvents, rollUp, noteKeys, noteLeases} {
		if err := step(ctx, tx, batch, records); err != nil {
			return err
		}
	}
	return nil
}
