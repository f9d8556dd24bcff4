package metering

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxRefusalRows bounds what a flood of bad calls can make us remember between
// two flushes; beyond it they are counted under no caller.
const maxRefusalRows = 4096

// Refusals counts refused calls by hour, caller and reason. They are never
// usage: nothing is billed from them, and a crash may lose the last second's.
type Refusals struct {
	mu     sync.Mutex
	counts map[refusal]*refused
}

type refusal struct {
	hour     int64
	org, key uuid.UUID
	code     string
}

type refused struct {
	calls int64
	last  time.Time
}

// NewRefusals makes an empty counter.
func NewRefusals() *Refusals { return &Refusals{counts: map[refusal]*refused{}} }

// Add counts one refused call; org and key are uuid.Nil when the caller is unknown.
func (r *Refusals) Add(org, key uuid.UUID, code string, at time.Time) {
	k := refusal{at.Truncate(time.Hour).Unix(), org, key, code}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts[k]
	if c == nil && len(r.counts) >= maxRefusalRows {
		k.org, k.key = uuid.Nil, uuid.Nil
		c = r.counts[k]
	}
	if c == nil {
		c = &refused{}
		r.counts[k] = c
	}
	c.calls++
	c.last = at
}

// Flush adds the counts to the database. What could not be stored is kept.
func (r *Refusals) Flush(ctx context.Context, pool *pgxpool.Pool) error {
	r.mu.Lock()
	counts := r.counts
	r.counts = map[refusal]*refused{}
	r.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for k, c := range counts {
			batch.Queue(`
				INSERT INTO refusals AS r (hour, org_id, key_id, code, calls, last_at) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (org_id, hour, key_id, code) DO UPDATE SET calls = r.calls + excluded.calls, last_at = greatest(r.last_at, excluded.last_at)`,
				time.Unix(k.hour, 0).UTC(), k.org, k.key, k.code, c.calls, c.last)
		}
		return send(ctx, tx, batch, "count refusals")
	})
	if err != nil {
		r.putBack(counts)
	}
	return err
}

func (r *Refusals) putBack(counts map[refusal]*refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, c := range counts {
		if have := r.counts[k]; have != nil {
			have.calls += c.calls
		} else if len(r.counts) < maxRefusalRows {
			r.counts[k] = c
		}
	}
}

// Refused is how many calls were refused for one reason.
type Refused struct {
	Code  string // problem type
	Calls int64
}

// RefusedSince counts an organization's refused calls by reason, most first.
func RefusedSince(ctx context.Context, tx pgx.Tx, org uuid.UUID, since time.Time) ([]Refused, error) {
	rows, err := tx.Query(ctx, `SELECT code, sum(calls)::bigint FROM refusals WHERE org_id = $1 AND last_at >= $2 AND hour >= $3 GROUP BY code ORDER BY 2 DESC, 1`,
		org, since, since.Truncate(time.Hour))
	if err != nil {
		return nil, fmt.Errorf("refused calls: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Refused])
}

func send(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, what string) error {
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
