package metering_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newSpool(t *testing.T, dir string) *spool.Spool {
	t.Helper()
	s, err := spool.New(spool.Config{Dir: dir, SegmentSlots: 64, MaxSegments: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newShipper(s *spool.Spool, p *pgxpool.Pool) *metering.Shipper {
	return metering.NewShipper(s, p, "test", func() time.Time { return noon }, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

var subscription, key = uuid.New(), uuid.New()

func record(t *testing.T, s *spool.Spool, n int) {
	t.Helper()
	for i := range n {
		if err := s.Reserve(); err != nil {
			t.Fatal(err)
		}
		r := spool.Record{RequestID: uuid.New(), At: noon.Add(time.Duration(i) * time.Minute), Subscription: subscription, Key: key, Method: "GET", Path: "/é", Status: 200, Flags: spool.FlagBillable, Units: 2}
		if err := s.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
}

func ship(t *testing.T, s *metering.Shipper) int {
	t.Helper()
	n, err := s.ShipPending(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// stored are the calls in the database and in its roll-ups.
func stored(t *testing.T, p *pgxpool.Pool) (events, rolledUp int) {
	t.Helper()
	if err := p.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM usage_events), (SELECT coalesce(sum(calls), 0) FROM usage_hourly)`).Scan(&events, &rolledUp); err != nil {
		t.Fatal(err)
	}
	return events, rolledUp
}

func TestEveryRecordIsStoredOnceAndShippedSegmentsGo(t *testing.T) {
	t.Parallel()
	p, dir := pgtest.StaffPool(t), t.TempDir()
	s := newSpool(t, dir)
	shipper := newShipper(s, p)
	total := 0
	for _, n := range []int{1, 63, 64, 0, 130} {
		record(t, s, n)
		total += n
		ship(t, shipper)
		if events, rolledUp := stored(t, p); events != total || rolledUp != total {
			t.Fatalf("%d events, %d rolled up, want %d", events, rolledUp, total)
		}
	}
	if err := shipper.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(left) != 0 {
		t.Errorf("segments left: %v", left)
	}
}

func TestACopiedSpoolIsANoOp(t *testing.T) {
	t.Parallel()
	p, dir, copied := pgtest.StaffPool(t), t.TempDir(), t.TempDir()
	s := newSpool(t, dir)
	record(t, s, 40)
	paths, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		copyFile(t, path, filepath.Join(copied, filepath.Base(path)))
	}
	ship(t, newShipper(s, p))
	ship(t, newShipper(newSpool(t, copied), p))
	if events, rolledUp := stored(t, p); events != 40 || rolledUp != 40 {
		t.Errorf("%d events, %d rolled up, want 40", events, rolledUp)
	}
}

func TestTwoShippersOfOneSegmentDoNotStoreTwice(t *testing.T) {
	t.Parallel()
	p, dir, copied := pgtest.StaffPool(t), t.TempDir(), t.TempDir()
	s := newSpool(t, dir)
	record(t, s, 20)
	a := newShipper(s, p)
	ship(t, a)
	record(t, s, 20)
	paths, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		copyFile(t, path, filepath.Join(copied, filepath.Base(path)))
	}
	ship(t, newShipper(newSpool(t, copied), p)) // takes the rest
	ship(t, a)                                  // finds that it was taken
	ship(t, a)
	if events, rolledUp := stored(t, p); events != 40 || rolledUp != 40 {
		t.Errorf("%d events, %d rolled up, want 40", events, rolledUp)
	}
}

func TestAFailedShipmentLeavesNothingAndIsRepeated(t *testing.T) {
	t.Parallel()
	p := pgtest.StaffPool(t)
	s := newSpool(t, t.TempDir())
	record(t, s, 10)
	shipper := newShipper(s, p)
	owner, err := pool.Open(context.Background(), p.Config().ConnString(), pool.Owner, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	exec := func(sql string) {
		if _, err := owner.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`ALTER TABLE usage_hourly ADD CONSTRAINT broken CHECK (calls < 0) NOT VALID`)
	if _, err := shipper.ShipPending(context.Background()); err == nil {
		t.Fatal("no error")
	}
	if events, _ := stored(t, p); events != 0 {
		t.Errorf("%d events of a failed shipment", events)
	}
	exec(`ALTER TABLE usage_hourly DROP CONSTRAINT broken`)
	ship(t, shipper)
	if events, rolledUp := stored(t, p); events != 10 || rolledUp != 10 {
		t.Errorf("%d events, %d rolled up, want 10", events, rolledUp)
	}
}

func TestAFaultWhileShippingLosesNothingAndStoresNothingTwice(t *testing.T) {
	t.Parallel()
	p := pgtest.StaffPool(t)
	s := newSpool(t, t.TempDir())
	record(t, s, 10)
	faulty := true
	shipper := metering.NewShipper(s, p, "test", func() time.Time {
		if faulty {
			panic("a fault in the middle of a shipment")
		}
		return noon
	}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if _, err := shipper.ShipPending(context.Background()); err == nil || !strings.Contains(err.Error(), "a fault") {
		t.Fatalf("error %v", err)
	}
	if events, _ := stored(t, p); events != 0 {
		t.Errorf("%d events of a shipment that broke", events)
	}
	faulty = false
	ship(t, shipper)
	if events, rolledUp := stored(t, p); events != 10 || rolledUp != 10 {
		t.Errorf("%d events, %d rolled up, want 10", events, rolledUp)
	}
}

func TestFrozenUsageStaysAsItWas(t *testing.T) {
	t.Parallel()
	p := pgtest.StaffPool(t)
	s := newSpool(t, t.TempDir())
	shipper := newShipper(s, p)
	record(t, s, 30)
	ship(t, shipper)
	last, err := metering.LastBatch(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	bounds := metering.Bounds{Subscription: subscription, From: noon, To: noon.Add(time.Hour), BatchTo: last}
	count := func() metering.Counted {
		tx, err := p.Begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		c, err := metering.CountBillable(context.Background(), tx, bounds)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := count()
	record(t, s, 5) // late: the same hour, a later batch
	ship(t, shipper)
	if after := count(); after != before || before.Calls != 30 || before.Units != 60 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	bounds.BatchAfter, bounds.BatchTo = last, metering.AllBatches
	if late := count(); late.Calls != 5 {
		t.Errorf("%d late calls, want 5", late.Calls)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
