package metering

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/metering/spool"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pool"
	"tollgate/internal/postgres/private"
)

const benchSlots = 65536

// BenchmarkShip stores a backlog of two segments, events, roll-ups, keys' last
// use and leases included, in a PostgreSQL that keeps its promises (fsync), and
// says how that compares to a bare INSERT of the same calls in the same run.
// One iteration is one backlog of 131,072 calls.
func BenchmarkShip(b *testing.B) {
	db := durable(b)
	s, err := spool.New(spool.Config{Dir: b.TempDir(), SegmentSlots: benchSlots, MaxSegments: 64})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	shipper := NewShipper(s, db, "bench", time.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	calls := newCaller()
	var whole, bare time.Duration
	shipped := 0
	for b.Loop() {
		calls.fill(b, s)
		started := time.Now()
		n, err := shipper.ShipPending(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		whole += time.Since(started)
		shipped += n
		bare += insertBare(b, db, calls)
	}
	b.ReportMetric(float64(shipped)/whole.Seconds(), "calls/s")
	b.ReportMetric(float64(shipped)/bare.Seconds(), "bare-calls/s")
	b.ReportMetric(whole.Seconds()/bare.Seconds(), "×bare")
}

// durable is a PostgreSQL as it runs in production, with the schema.
func durable(b *testing.B) *pgxpool.Pool {
	b.Helper()
	cluster, err := private.Start(context.Background(), private.Config{Dir: filepath.Join(b.TempDir(), "pg"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cluster.Stop() })
	if _, err := postgres.Migrate(context.Background(), cluster.URL); err != nil {
		b.Fatal(err)
	}
	db, err := pool.Open(context.Background(), cluster.URL, pool.Staff, 8)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(db.Close)
	if _, err := db.Exec(context.Background(), `INSERT INTO quota_leases (subscription_id, period_start, period_end, gateway, process, granted, taken_at, expires_at)
		SELECT gen_random_uuid(), 'epoch', 'infinity', 'bench', gen_random_uuid(), 1000000, 'epoch', 'infinity' FROM generate_series(1, 1000)`); err != nil {
		b.Fatal(err)
	}
	return db
}

// caller makes calls of 1,000 keys, each of which uses three operations.
type caller struct {
	keys    [1000]spool.Record
	at      time.Time
	records []spool.Record
}

func newCaller() *caller {
	c := &caller{at: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	version := uuid.New()
	for i := range c.keys {
		c.keys[i] = spool.Record{Org: uuid.New(), Application: uuid.New(), Subscription: uuid.New(), Key: uuid.New(), Version: version,
			Method: "GET", Path: "/things/1234567890", Status: 200, Flags: spool.FlagBillable, Units: 1, BytesOut: 1024, Duration: 1500 * time.Microsecond, Lease: int64(i + 1)}
	}
	return c
}

func (c *caller) fill(b *testing.B, s *spool.Spool) {
	b.Helper()
	operations := [3]uuid.UUID{{1}, {2}, {3}}
	c.records = c.records[:0]
	for range 2 * benchSlots {
		r := c.keys[rand.IntN(len(c.keys))]
		c.at = c.at.Add(20 * time.Microsecond)
		r.RequestID, r.At, r.Operation = uuid.Must(uuid.NewV7()), c.at, operations[rand.IntN(3)]
		c.records = append(c.records, r)
		if err := s.Reserve(); err != nil {
			b.Fatal(err)
		}
		if err := s.Append(&r); err != nil {
			b.Fatal(err)
		}
	}
}

// insertBare stores the same calls under other ids, and nothing else.
func insertBare(b *testing.B, db *pgxpool.Pool, c *caller) time.Duration {
	b.Helper()
	var calls batch
	var d days
	started := time.Now()
	for from := 0; from < len(c.records); from += batchSlots {
		calls.events.reset()
		calls.hourly.reset()
		calls.traces.reset()
		for i := range c.records[from:min(from+batchSlots, len(c.records))] {
			r := c.records[from+i]
			r.RequestID[15] ^= 0xff
			r.At = r.At.Add(-24 * time.Hour)
			calls.add(&r)
		}
		if err := d.prepare(b.Context(), db, calls.hourly.rows); err != nil {
			b.Fatal(err)
		}
		err := pgx.BeginFunc(b.Context(), db, func(tx pgx.Tx) error {
			_, err := calls.sender.run(b.Context(), tx.Conn(), "add events", insertEvents, calls.events.params(1, calls.hourly.sorted()))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(started)
}
