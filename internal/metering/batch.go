package metering

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/metering/spool"
)

// batchSlots bounds a transaction. With a backlog larger batches are cheaper:
// more calls fall into one row of the roll-ups.
const batchSlots = 32768

// batch is what one transaction stores: the finished records of some slots of a
// segment.
type batch struct {
	segment  uuid.UUID
	from, to int64
	damaged  int
	records  []spool.Record

	reader spool.Reader
	events eventColumns
	hourly rollUp
	traces traces
}

// read takes the next records of a segment from a slot on, over places that
// were never written, and adds them up.
func (b *batch) read(seg *spool.Segment, from, end int64) (err error) {
	b.segment, b.from, b.to, b.damaged = seg.ID, from, from, 0
	for {
		next, damaged := min(b.to+batchSlots, end), 0
		if b.records, damaged, _, err = b.reader.Read(seg, b.to, next); err != nil {
			return err
		}
		b.to, b.damaged = next, b.damaged+damaged
		if len(b.records) > 0 || b.to >= end {
			break
		}
	}
	b.events.reset()
	b.hourly.reset()
	b.traces.reset()
	for i := range b.records {
		r := &b.records[i]
		b.events.add(r)
		b.hourly.add(r)
		b.traces.add(r)
	}
	return nil
}

var errMoved = errors.New("the segment was advanced by somebody else")

// store advances the segment by compare-and-swap and adds events and roll-ups
// in the same transaction, so that a replay is a no-op.
func (s *Shipper) store(ctx context.Context, b *batch) error {
	var late int64
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, BatchLock); err != nil {
			return fmt.Errorf("lock batches: %w", err)
		}
		tag, err := tx.Exec(ctx, `UPDATE usage_segments SET shipped = $3 WHERE id = $1 AND shipped = $2`, b.segment, b.from, b.to)
		if err != nil {
			return fmt.Errorf("advance segment: %w", err)
		}
		if tag.RowsAffected() != 1 {
			return errMoved
		}
		if len(b.records) == 0 {
			return nil
		}
		var id int64
		err = tx.QueryRow(ctx, `
			INSERT INTO usage_batches (segment_id, from_slot, to_slot, events, received_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			b.segment, b.from, b.to, len(b.records), s.now()).Scan(&id)
		if err != nil {
			return fmt.Errorf("open batch: %w", err)
		}
		late, err = b.add(ctx, tx, id)
		return err
	})
	if err == nil && late > 0 {
		s.logger.Warn("calls of quota leases that were written off have arrived: they are counted and billed", "quotas", late)
	}
	return err
}

// add stores the calls and what follows from them, in the order in which every
// shipper takes its locks. late is of how many quotas calls came after their
// lease was written off.
func (b *batch) add(ctx context.Context, tx pgx.Tx, id int64) (late int64, err error) {
	if _, err := run(ctx, tx, "add events", insertEvents, b.events.params(id)); err != nil {
		return 0, err
	}
	if _, err := run(ctx, tx, "roll up", upsertHourly, b.hourly.params()); err != nil {
		return 0, err
	}
	if _, err := run(ctx, tx, "note key use", upsertKeys, b.traces.keyParams()); err != nil {
		return 0, err
	}
	if leases := b.traces.leaseParams(); leases != nil {
		return run(ctx, tx, "note leases", updateLeases, leases)
	}
	return 0, nil
}

// run executes a prepared statement with parameters that are in binary form
// already, and says how many rows it affected.
func run(ctx context.Context, tx pgx.Tx, what, sql string, params [][]byte) (rows int64, err error) {
	stmt, err := tx.Conn().Prepare(ctx, what, sql)
	if err == nil {
		formats := []int16{pgx.BinaryFormatCode}
		tag, failed := tx.Conn().PgConn().ExecPrepared(ctx, stmt.Name, params, formats, nil).Close()
		rows, err = tag.RowsAffected(), failed
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return rows, nil
}
