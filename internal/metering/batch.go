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

// stride is how many slots are read at a time: as many as fit a processor's cache.
const stride = 256

// batch is what one transaction stores: the finished records of some slots of a
// segment.
type batch struct {
	segment  uuid.UUID
	from, to int64
	damaged  int
	calls    int

	reader spool.Reader
	events eventColumns
	hourly rollUp
	traces traces
	sender sender
}

// read takes the next records of a segment from a slot on, over places that
// were never written, and adds them up.
func (b *batch) read(seg *spool.Segment, from, end int64) error {
	b.segment, b.from, b.to, b.damaged, b.calls = seg.ID, from, from, 0, 0
	b.events.reset()
	b.hourly.reset()
	b.traces.reset()
	for b.to < end && (b.calls == 0 || b.to < from+batchSlots) {
		next := min(b.to+stride, end)
		records, damaged, _, err := b.reader.Read(seg, b.to, next)
		if err != nil {
			return err
		}
		for i := range records {
			b.add(&records[i])
		}
		b.to, b.damaged, b.calls = next, b.damaged+damaged, b.calls+len(records)
	}
	return nil
}

func (b *batch) add(r *spool.Record) {
	row := b.hourly.add(r)
	b.traces.add(r, &b.hourly.rows[row])
	b.events.add(r, row)
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
		if b.calls == 0 {
			return nil
		}
		var id int64
		err = tx.QueryRow(ctx, `
			INSERT INTO usage_batches (segment_id, from_slot, to_slot, events, received_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			b.segment, b.from, b.to, b.calls, s.now()).Scan(&id)
		if err != nil {
			return fmt.Errorf("open batch: %w", err)
		}
		late, err = b.put(ctx, tx, id)
		return err
	})
	if err == nil && late > 0 {
		s.logger.Warn("calls of quota leases that were written off have arrived: they are counted and billed", "quotas", late)
	}
	return err
}

// put stores the calls and what follows from them, in the order in which every
// shipper takes its locks. late is of how many quotas calls came after their
// lease was written off.
func (b *batch) put(ctx context.Context, tx pgx.Tx, id int64) (late int64, err error) {
	conn, order := tx.Conn(), b.hourly.sorted()
	if _, err := b.sender.run(ctx, conn, "add events", insertEvents, b.events.params(id, order)); err != nil {
		return 0, err
	}
	if _, err := b.sender.run(ctx, conn, "roll up", upsertHourly, b.hourly.params(order)); err != nil {
		return 0, err
	}
	if _, err := b.sender.run(ctx, conn, "note key use", upsertKeys, b.traces.keyParams(b.hourly.rows)); err != nil {
		return 0, err
	}
	if leases := b.traces.leaseParams(b.hourly.rows); leases != nil {
		return b.sender.run(ctx, conn, "note leases", updateLeases, leases)
	}
	return 0, nil
}
