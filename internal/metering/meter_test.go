package metering_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/postgres/pgtest"
)

// Three calls of 1,001, 1,000 and 1 microseconds take 2 + 1 + 1 milliseconds:
// each is rounded up by itself. The fourth is not billed.
func TestEachMeterCountsItsOwn(t *testing.T) {
	t.Parallel()
	p, s := pgtest.StaffPool(t), newSpool(t, t.TempDir())
	for i, r := range []spool.Record{
		{Units: 5, BytesIn: 10, BytesOut: 1000, Duration: 1001 * time.Microsecond, Flags: spool.FlagBillable},
		{Units: 1, BytesIn: 0, BytesOut: 24, Duration: time.Millisecond, Flags: spool.FlagBillable},
		{Units: 0, BytesIn: 1 << 40, BytesOut: 0, Duration: time.Microsecond, Flags: spool.FlagBillable},
		{Units: 9, BytesIn: 9, BytesOut: 9, Duration: time.Second},
	} {
		r.RequestID, r.At, r.Subscription, r.Key, r.Method, r.Status = uuid.New(), noon.Add(time.Duration(i)*25*time.Minute), subscription, key, "GET", 200
		if err := s.Reserve(); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	ship(t, newShipper(s, p))
	want := map[string]int64{metering.Requests: 3, metering.Units: 6, metering.BytesIn: 10 + 1<<40, metering.BytesOut: 1024, metering.Bytes: 1034 + 1<<40, metering.Duration: 4}
	err := pgx.BeginFunc(context.Background(), p, func(tx pgx.Tx) error {
		b := metering.Bounds{Subscription: subscription, From: noon, To: noon.Add(2 * time.Hour), BatchTo: metering.AllBatches}
		exact, err := metering.CountBillable(context.Background(), tx, b)
		if err != nil {
			return err
		}
		soFar, err := metering.CountSoFar(context.Background(), tx, subscription, b.From, b.To) // from roll-ups
		for _, meter := range metering.Meters() {
			if exact.On(meter) != want[meter] || soFar.On(meter) != want[meter] {
				t.Errorf("%s: %d from calls, %d from hours, want %d", meter, exact.On(meter), soFar.On(meter), want[meter])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
