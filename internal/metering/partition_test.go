package metering_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
	"tollgate/migrations"
)

// insertCalls stores n calls of an organization, an hour and a bit apart, and rolls them up.
const insertCalls = `
	WITH batch AS (INSERT INTO usage_batches (segment_id, from_slot, to_slot, events, received_at) VALUES ($1, 0, $2::int, $2::int, $3) RETURNING id)
	INSERT INTO usage_events (request_id, batch_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path, status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
	SELECT gen_random_uuid(), batch.id, $3::timestamptz + n * interval '67 minutes', $4, $1, $1, $1, $1, $1, 'live', 'GET', '/' || n, 200, n % 3 > 0, true, n, 2 * n, 3 * n, 1000 * n + 1, n FROM batch, generate_series(1, $2::int) n`

func TestTheMigrationMovesCallsIntoTheirDays(t *testing.T) {
	t.Parallel()
	url, ctx := pgtest.EmptyURL(t), context.Background()
	owner, err := pool.Open(ctx, url, pool.Owner, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	db := stdlib.OpenDBFromPool(owner)
	defer func() { _ = db.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	segment := uuid.New()
	for _, sql := range []string{
		`INSERT INTO usage_segments (id, gateway) VALUES ($1, 'g')`,
		strings.NewReplacer("$2::int", "100", "$3::timestamptz", "'2026-10-30T22:00:00Z'::timestamptz", "$3", "'2026-10-30T22:00:00Z'", "$4", "$1").Replace(insertCalls),
		`INSERT INTO usage_hourly (hour, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, status, calls, billable_calls, billable_units, units, bytes_in, bytes_out, duration_us)
			SELECT date_trunc('hour', at, 'UTC'), $1, $1, $1, $1, $1, $1, 'live', 200, count(*), count(*) FILTER (WHERE billable), 0, 0, 0, 0, 0 FROM usage_events GROUP BY 1`,
	} {
		if _, err := owner.Exec(ctx, sql, segment); err != nil {
			t.Fatal(err)
		}
	}
	calls := func() (n int, all string) {
		t.Helper()
		if err := owner.QueryRow(ctx, `SELECT count(*), md5(string_agg(e::text, ';' ORDER BY request_id)) FROM usage_events e`).Scan(&n, &all); err != nil {
			t.Fatal(err)
		}
		return n, all
	}
	n, before := calls()
	if _, err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	if m, after := calls(); n != 100 || m != n || after != before {
		t.Errorf("%d calls before, %d after; the same: %v", n, m, after == before)
	}
	var days, misplaced int
	var in, out, ms, wantIn, wantOut, wantMs int64
	err = owner.QueryRow(ctx, `SELECT (SELECT count(*) FROM usage_events_days()), (SELECT count(*) FROM usage_events WHERE tableoid::regclass::text <> 'usage_events_' || to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD'))`).Scan(&days, &misplaced)
	if err != nil || days != 6 || misplaced != 0 {
		t.Errorf("%d days, %d calls in another's, %v", days, misplaced, err)
	}
	err = owner.QueryRow(ctx, `SELECT h.*, e.* FROM (SELECT sum(billable_bytes_in)::bigint, sum(billable_bytes_out)::bigint, sum(billable_ms)::bigint FROM usage_hourly) h,
		(SELECT sum(bytes_in)::bigint, sum(bytes_out)::bigint, sum((duration_us + 999) / 1000)::bigint FROM usage_events WHERE billable) e`).Scan(&in, &out, &ms, &wantIn, &wantOut, &wantMs)
	if err != nil || in != wantIn || out != wantOut || ms != wantMs || in == 0 {
		t.Errorf("hours have %d, %d, %d, calls %d, %d, %d; %v", in, out, ms, wantIn, wantOut, wantMs, err)
	}
}

func TestGatewaysMakeTheSameDayAtOnce(t *testing.T) {
	t.Parallel()
	p := pgtest.StaffPool(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s := newSpool(t, t.TempDir())
			record(t, s, 50)
			if _, err := newShipper(s, p).ShipPending(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if events, rolledUp := stored(t, p); events != 300 || rolledUp != 300 {
		t.Errorf("%d events, %d rolled up, want 300", events, rolledUp)
	}
}

func TestNobodyReadsAnotherOrganizationsCalls(t *testing.T) {
	t.Parallel()
	db, ctx := pgtest.New(t), context.Background()
	mine, other, segment := uuid.New(), uuid.New(), uuid.New()
	staff := db.StaffPool()
	for _, sql := range []string{`INSERT INTO usage_segments (id, gateway) VALUES ($1, 'g')`, `SELECT usage_events_add_day('2026-11-01'::date) WHERE $1::uuid IS NOT NULL`} {
		if _, err := staff.Exec(ctx, sql, segment); err != nil {
			t.Fatal(err)
		}
	}
	for i, org := range []uuid.UUID{mine, other} {
		if _, err := staff.Exec(ctx, insertCalls, segment, 5+i, noon.Add(-10*time.Hour), org); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, sql string
		as        context.Context
		calls     int
		denied    bool
	}{
		{"a member, through the parent", `SELECT count(*) FROM usage_events`, postgres.AsMember(ctx, mine, uuid.New()), 5, false},
		{"a member who names another", `SELECT count(*) FROM usage_events WHERE org_id = '` + other.String() + `'`, postgres.AsMember(ctx, mine, uuid.New()), 0, false},
		{"a stranger", `SELECT count(*) FROM usage_events`, postgres.AsMember(ctx, uuid.Nil, uuid.Nil), 0, false},
		{"a member, from the partition", `SELECT count(*) FROM usage_events_20261101`, postgres.AsMember(ctx, mine, uuid.New()), 0, true},
		{"staff, from the partition", `SELECT count(*) FROM usage_events_20261101`, postgres.AsStaff(ctx), 0, true},
		{"a member, what is kept of periods", `SELECT count(*) FROM usage_kept_periods`, postgres.AsMember(ctx, mine, uuid.New()), 0, true},
		{"a member who makes days", `SELECT count(*) FROM usage_events_add_day('2026-12-01')`, postgres.AsMember(ctx, mine, uuid.New()), 0, true},
		{"staff", `SELECT count(*) FROM usage_events`, postgres.AsStaff(ctx), 11, false},
	} {
		n := -1
		err := db.InTx(c.as, func(ctx context.Context, tx *postgres.Tx) error {
			return tx.PGX.QueryRow(ctx, c.sql).Scan(&n)
		})
		if (err != nil) != c.denied || !c.denied && n != c.calls {
			t.Errorf("%s: %d calls, %v", c.name, n, err)
		}
	}
}
