package plans_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/plans"
)

// calls stores n forwarded calls of a subscription within one second, with
// their roll-up.
func (s *shop) calls(sub uuid.UUID, path string, at time.Time, n int, mode string) {
	s.t.Helper()
	key := uuid.New()
	s.exec(`SELECT usage_events_add_day($1)`, at)
	s.exec(`INSERT INTO usage_hourly (subscription_id, hour, key_id, operation_id, mode, status, org_id, application_id, version_id, calls, billable_calls, units, billable_units, bytes_in, bytes_out, duration_us)
		SELECT $1, date_trunc('hour', $2::timestamptz), $3, o.id, $4, 200, $5, $9, $6, $7, $7, $7, $7, 0, 0, 0 FROM operations o WHERE o.path = $8`, sub, at, key, mode, s.org, s.version, n, path, s.app)
	for i := range n {
		s.exec(`INSERT INTO usage_events (request_id, at, batch_id, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path, status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
			SELECT $1, $2, 0, $3, $4, $5, $6, $7, o.id, $8, 'GET', '/', 200, true, true, 1, 0, 0, 0, 0 FROM operations o WHERE o.path = $9`,
			uuid.New(), at.Add(time.Duration(i)*time.Millisecond), s.org, s.app, sub, key, s.version, mode, path)
	}
}

func (s *shop) subscribe(o plans.Offer) uuid.UUID {
	s.t.Helper()
	id, app := uuid.New(), uuid.New()
	s.exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES ($1, $2, $3, $4)`, app, s.org, app.String(), start)
	s.exec(`INSERT INTO subscriptions (id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, created_at)
		VALUES ($1, $2, $3, $4, $5, 'active', 1, $6, $7, $6)`, id, s.org, app, o.Terms.VersionID, s.product, start.AddDate(0, -1, 0), start.AddDate(0, 1, 0))
	return id
}

func TestPastTrafficSuggestsLimits(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	pro, other := s.create(s.plan(plans.Rate(100, time.Second))), s.create(s.plan())
	if peaks, err := s.plans.Suggest(s.ctx(), s.product, nil); err != nil || len(peaks) != 0 {
		t.Errorf("without traffic: %+v, %v", peaks, err)
	}
	quiet, busy := s.subscribe(pro), s.subscribe(pro)
	yesterday := start.AddDate(0, 0, -1)
	s.calls(quiet, "/small", yesterday, 3, "live")
	s.calls(busy, "/small", yesterday, 4, "live")
	s.calls(busy, "/large/{id}", yesterday.Add(10*time.Second), 2, "live") // weighs 10
	s.calls(busy, "/small", yesterday.Add(2*time.Hour), 5, "live")
	s.calls(busy, "/small", yesterday, 50, "test")
	s.calls(busy, "/small", start.AddDate(0, 0, -40), 60, "live")
	s.calls(s.subscribe(other), "/small", yesterday, 70, "live")

	peaks, err := s.plans.Suggest(s.ctx(), s.product, &pro.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []plans.Peak{
		{Window: time.Second, Callers: 2, P50: 3, P95: 20, P99: 20, Max: 20},
		{Window: time.Minute, Callers: 2, P50: 3, P95: 24, P99: 24, Max: 24},
		{Window: time.Hour, Callers: 2, P50: 3, P95: 24, P99: 24, Max: 24},
		{Window: 24 * time.Hour, Callers: 2, P50: 3, P95: 29, P99: 29, Max: 29},
	}
	if len(peaks) != len(want) {
		t.Fatalf("%+v", peaks)
	}
	for i := range want {
		if peaks[i] != want[i] {
			t.Errorf("%+v, want %+v", peaks[i], want[i])
		}
	}
	if all, err := s.plans.Suggest(s.ctx(), s.product, nil); err != nil || all[0].Max != 70 || all[0].Callers != 3 {
		t.Errorf("of the whole product: %+v, %v", all, err)
	}
	for n, want := range map[int64]int64{0: 1, 1: 1, 3: 5, 20: 20, 21: 50, 51: 100, 5000: 5000, 5001: 10000} {
		if got := (plans.Peak{P99: n}).Suggested(); got != want {
			t.Errorf("%d suggests %d, want %d", n, got, want)
		}
	}
}
