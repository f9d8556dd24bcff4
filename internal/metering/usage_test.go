package metering_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/metering"
	"tollgate/internal/postgres/pgtest"
)

// Two organizations with two subscriptions each and one key for both, and a call
// of each subscription a minute; each seventh is an error.
const callers = `
	INSERT INTO upstreams (id, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 'epoch');
	INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ('00000000-0000-0000-0000-000000000002', 'shop', 'Shop', 'public', 'epoch');
	INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', '1', 'published', '/shop', 'Shop', 'OpenAPI 3.1.0', '{}', 1, 'epoch');
	INSERT INTO operations (id, version_id, slug, position, method, path, detail, search)
		VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000003', 'things', 0, 'GET', '/things', '{}', '');
	INSERT INTO organizations (id, name, created_at) SELECT uuid('00000000-0000-0000-0000-00000000010' || o), 'Org', 'epoch' FROM generate_series(1, 2) o;
	INSERT INTO applications (id, org_id, name, created_at) SELECT uuid('00000000-0000-0000-0000-00000000020' || o), uuid('00000000-0000-0000-0000-00000000010' || o), 'App', 'epoch' FROM generate_series(1, 2) o;
	INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at)
		SELECT uuid('00000000-0000-0000-0000-00000000030' || o), uuid('00000000-0000-0000-0000-00000000010' || o), uuid('00000000-0000-0000-0000-00000000020' || o), 'Key', 'live', '…', decode(lpad(o::text, 64, '0'), 'hex'), 'epoch' FROM generate_series(1, 2) o;
	INSERT INTO products (id, slug, name, created_at) SELECT uuid('00000000-0000-0000-0000-00000000040' || p), 'p' || p, 'P', 'epoch' FROM generate_series(1, 2) p;
	INSERT INTO plans (id, product_id, slug, name, sale, position, created_at)
		SELECT uuid('00000000-0000-0000-0000-00000000050' || p), uuid('00000000-0000-0000-0000-00000000040' || p), 'p', 'P', 'self_serve', 0, 'epoch' FROM generate_series(1, 2) p;
	INSERT INTO plan_versions (id, plan_id, number, currency, recurring_fee, created_at)
		SELECT uuid('00000000-0000-0000-0000-00000000060' || p), uuid('00000000-0000-0000-0000-00000000050' || p), 1, 'usd', 0, 'epoch' FROM generate_series(1, 2) p;
	INSERT INTO subscriptions (id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, created_at)
		SELECT uuid('00000000-0000-0000-0000-0000000007' || o || p), uuid('00000000-0000-0000-0000-00000000010' || o), uuid('00000000-0000-0000-0000-00000000020' || o),
			uuid('00000000-0000-0000-0000-00000000060' || p), uuid('00000000-0000-0000-0000-00000000040' || p), 'active', 1, '2026-11-01Z', '2026-12-01Z', 'epoch'
		FROM generate_series(1, 2) o, generate_series(1, 2) p;
	SELECT usage_events_add_day('2026-11-01');
	INSERT INTO usage_events (request_id, batch_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path, status,
			billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
		SELECT gen_random_uuid(), 1, timestamptz '2026-11-01 12:00Z' + n * interval '1 minute' + p * interval '30 seconds', s.org_id, s.application_id, s.id, k.id,
			'00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000004', 'live', 'GET', '/things', CASE WHEN n % 7 = 6 THEN 500 ELSE 200 END, true, true, 1, 0, 0, n, n
		FROM generate_series(0, 20) n, generate_series(0, 1) p, (SELECT *, row_number() OVER (PARTITION BY org_id ORDER BY id) - 1 AS nth FROM subscriptions) s JOIN keys k USING (org_id) WHERE s.nth = p;
	INSERT INTO usage_hourly (hour, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, status, calls, billable_calls, billable_units, units, bytes_in, bytes_out, duration_us)
		SELECT date_trunc('hour', at), org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, status, count(*), count(*), count(*), count(*), 0, 0, 0
		FROM usage_events GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9`

func TestAnOrganizationsCallsComeFromAllItsSubscriptionsNewestFirst(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	owner, err := pgx.Connect(ctx, pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(ctx) })
	if _, err := owner.Exec(ctx, callers); err != nil {
		t.Fatal(err)
	}
	org, key := uuid.MustParse("00000000-0000-0000-0000-000000000101"), uuid.MustParse("00000000-0000-0000-0000-000000000301")
	f := metering.Filter{Org: org, From: noon, To: noon.Add(time.Hour)}
	err = pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		var got []time.Time
		for offset := 0; ; offset += 10 {
			calls, total, err := metering.Calls(ctx, tx, f, offset, 10)
			if err != nil || total != 42 {
				t.Fatalf("%d calls, %v", total, err)
			}
			for _, c := range calls {
				got = append(got, c.At)
			}
			if len(calls) < 10 {
				break
			}
		}
		want := make([]time.Time, 42)
		for i := range want {
			want[i] = noon.Add(time.Duration(41-i) * 30 * time.Second)
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%v", got)
		}
		if p95, err := metering.P95(ctx, tx, f); err != nil || p95 != 19 {
			t.Errorf("95 of 100 calls took up to %d µs, %v", p95, err)
		}
		f.Class = 5
		if calls, total, err := metering.Calls(ctx, tx, f, 1, 2); err != nil || total != 6 || len(calls) != 2 || !calls[0].At.Equal(noon.Add(20*time.Minute)) {
			t.Errorf("errors: %d, %+v, %v", total, calls, err)
		}
		good, ok, err := metering.LastGoodOfKey(ctx, tx, org, key)
		if err != nil || !ok || !good.UsedAt.Equal(noon.Add(19*time.Minute+30*time.Second)) {
			t.Errorf("the last good call: %+v, %v, %v", good, ok, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
