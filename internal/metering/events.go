package metering

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/metering/spool"
)

func mode(r *spool.Record) string {
	if r.Flags&spool.FlagTest != 0 {
		return "test"
	}
	return "live"
}

// addEvents stores the calls themselves: one statement over arrays, as fast as
// COPY, which row-level security does not allow.
func addEvents(ctx context.Context, tx pgx.Tx, batch int64, records []spool.Record) error {
	c := newColumns(len(records))
	for i := range records {
		c.add(&records[i])
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO usage_events (batch_id, request_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path,
			status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
		SELECT $1, * FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::text[], $11::text[], $12::text[],
			$13::smallint[], $14::boolean[], $15::boolean[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[])`,
		batch, c.ids[0], c.at, c.ids[1], c.ids[2], c.ids[3], c.ids[4], c.ids[5], c.ids[6], c.texts[0], c.texts[1], c.texts[2],
		c.status, c.flags[0], c.flags[1], c.numbers[0], c.numbers[1], c.numbers[2], c.numbers[3], c.numbers[4])
	if err != nil {
		return fmt.Errorf("add events: %w", err)
	}
	return nil
}

// columns are records turned on their side, for unnest.
type columns struct {
	ids     [7][]uuid.UUID
	at      []time.Time
	texts   [3][]string
	status  []int16
	flags   [2][]bool
	numbers [5][]int64
}

func newColumns(n int) *columns {
	c := &columns{at: make([]time.Time, 0, n), status: make([]int16, 0, n)}
	for i := range c.ids {
		c.ids[i] = make([]uuid.UUID, 0, n)
	}
	return c
}

func (c *columns) add(r *spool.Record) {
	for i, id := range [...]uuid.UUID{r.RequestID, r.Org, r.Application, r.Subscription, r.Key, r.Version, r.Operation} {
		c.ids[i] = append(c.ids[i], id)
	}
	for i, text := range [...]string{mode(r), r.Method, strings.ToValidUTF8(r.Path, "?")} { // a path may be cut within a character
		c.texts[i] = append(c.texts[i], text)
	}
	for i, flag := range [...]bool{r.Flags&spool.FlagBillable != 0, r.Flags&spool.FlagAborted == 0} {
		c.flags[i] = append(c.flags[i], flag)
	}
	for i, n := range [...]int64{int64(r.Units), int64(r.BytesIn), int64(r.BytesOut), r.Duration.Microseconds(), r.Upstream.Microseconds()} {
		c.numbers[i] = append(c.numbers[i], n)
	}
	c.at = append(c.at, r.At)
	c.status = append(c.status, int16(r.Status))
}
