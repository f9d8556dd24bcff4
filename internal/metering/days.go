package metering

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// days are the UTC days for which a partition of single calls is known to
// exist. They are made outside the transaction that stores calls.
type days struct {
	mu    sync.Mutex
	known map[int64]bool // days since 1970
}

const daySeconds = 24 * 60 * 60

// prepare makes the partitions that calls need and that are missing.
func (d *days) prepare(ctx context.Context, pool *pgxpool.Pool, rows []sums) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[int64]bool{}
	}
	for i := range rows {
		day := floorDiv(rows[i].hour, daySeconds)
		if d.known[day] {
			continue
		}
		if _, err := pool.Exec(ctx, `SELECT usage_events_add_day($1::date)`, time.Unix(day*daySeconds, 0).UTC()); err != nil {
			return fmt.Errorf("make room for a day's calls: %w", err)
		}
		d.known[day] = true
	}
	return nil
}

// forget makes the next batch look again: a day may have been dropped.
func (d *days) forget() {
	d.mu.Lock()
	clear(d.known)
	d.mu.Unlock()
}

func floorDiv(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}
