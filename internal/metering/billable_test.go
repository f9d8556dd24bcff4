package metering_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/postgres/pgtest"
)

// mixed ships five hours of calls, one every seven minutes, some of which are
// not billable although nothing else tells them apart.
func mixed(t *testing.T, p *pgxpool.Pool) {
	t.Helper()
	s := newSpool(t, t.TempDir())
	for i := range 43 {
		if err := s.Reserve(); err != nil {
			t.Fatal(err)
		}
		r := spool.Record{RequestID: uuid.New(), At: noon.Add(time.Duration(i) * 7 * time.Minute), Subscription: subscription, Key: key, Method: "GET", Path: "/", Status: 499, Units: uint32(i)}
		if i%3 > 0 {
			r.Flags = spool.FlagBillable
		}
		if err := s.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	ship(t, newShipper(s, p))
}

func TestCountingSoFarAgreesWithCountingEveryCall(t *testing.T) {
	t.Parallel()
	p := pgtest.StaffPool(t)
	mixed(t, p)
	for _, b := range []struct{ from, to time.Duration }{
		{0, 5 * time.Hour}, {0, 90 * time.Minute}, {61 * time.Minute, 4*time.Hour + time.Second}, {10 * time.Minute, 50 * time.Minute},
		{10 * time.Minute, 70 * time.Minute}, {119 * time.Minute, 3 * time.Hour}, {7 * time.Minute, 14 * time.Minute}, {-time.Hour, 100 * time.Hour},
	} {
		bounds := metering.Bounds{Subscription: subscription, From: noon.Add(b.from), To: noon.Add(b.to), BatchTo: metering.AllBatches}
		err := pgx.BeginFunc(context.Background(), p, func(tx pgx.Tx) error {
			exact, err := metering.CountBillable(context.Background(), tx, bounds)
			if err != nil {
				return err
			}
			soFar, err := metering.CountSoFar(context.Background(), tx, subscription, bounds.From, bounds.To)
			if exact.Hash = ""; soFar != exact {
				t.Errorf("%v to %v: %+v, want %+v", b.from, b.to, soFar, exact)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The database's own hash is what lines have been frozen with.
func TestTheHashOfCallsIsOverTheirIDsInOrder(t *testing.T) {
	t.Parallel()
	p := pgtest.StaffPool(t)
	mixed(t, p)
	for to, calls := range map[time.Duration]int64{5 * time.Hour: 28, -time.Hour: 0} {
		var want string
		if err := p.QueryRow(context.Background(), `SELECT encode(sha256(coalesce(string_agg(uuid_send(request_id), ''::bytea ORDER BY request_id), ''::bytea)), 'hex')
			FROM usage_events WHERE billable AND at < $1`, noon.Add(to)).Scan(&want); err != nil {
			t.Fatal(err)
		}
		err := pgx.BeginFunc(context.Background(), p, func(tx pgx.Tx) error {
			got, err := metering.CountBillable(context.Background(), tx, metering.Bounds{Subscription: subscription, From: noon.Add(-time.Hour), To: noon.Add(to), BatchTo: metering.AllBatches})
			if got.Hash != want || got.Calls != calls {
				t.Errorf("%+v, want %d calls with %s", got, calls, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
