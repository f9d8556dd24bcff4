package snapshot

import (
	"net/netip"
	"testing"
	"time"

	"tollgate/internal/quota"
	"tollgate/internal/upstream"
)

func TestTheViewSaysWhatTheTablesSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scoped, networked, ending := w.newKey(t, 0), w.newKey(t, 0), w.newKey(t, 0)
	w.exec(t, `UPDATE keys SET scopes = '{api-0/list}' WHERE hash = $1`, scoped[:])
	w.exec(t, `UPDATE keys SET networks = '{192.0.2.0/24,::ffff:10.0.0.0/104}', mode = 'test' WHERE hash = $1`, networked[:])
	w.exec(t, `UPDATE keys SET expires_at = '2026-05-02 10:00:00.123456Z' WHERE hash = $1`, ending[:])
	w.exec(t, `INSERT INTO operations (id, version_id, slug, position, method, path, detail, search, weight, units_from) VALUES (gen_random_uuid(), $1, 'list', 1, 'GET', '/things', '{}', '', 3, 'header:X-Units')`, w.versions[0])
	w.exec(t, `UPDATE apis SET cors = '{"origins": ["https://a.example"]}', visibility = 'private' WHERE id = $1`, w.apis[0])
	w.exec(t, `UPDATE upstreams SET policy = '{"balance": "least_requests", "breaker": {"open": 7000000000}}', sign_identity = true WHERE id = $1`, w.upstreams[0])
	w.exec(t, `INSERT INTO upstream_targets VALUES ($1, 'live', 1, 'http://second.example', 9), ($1, 'test', 0, 'http://sandbox.example', 1)`, w.upstreams[0])
	w.exec(t, `UPDATE plans SET sale = 'anonymous' WHERE id = $1`, w.plans[1])
	w.exec(t, `INSERT INTO limit_overrides (id, org_id, subscription_id, plan_version_id, position, calls, burst, reason, expires_at, created_by, created_at)
		VALUES (gen_random_uuid(), $1, $2, $3, 0, 500, 600, 'launch', '2026-05-20Z', $4, '2026-05-01')`, w.orgs[0], w.subs[0], w.terms[0], w.user)
	v := w.whole(t)

	r, within := v.Route("", "/v0/things")
	op := r.Operation("GET", within)
	if op == nil || op.Weight != 3 || op.UnitsFrom != "header:X-Units" || op.Slug != "list" || !r.Private || !r.SignIdentity || len(r.CORS.Origins) != 1 {
		t.Fatalf("route %+v, operation %+v", r, op)
	}
	if p := r.LiveGroup.Policy(); p.Balance != upstream.LeastRequests || p.Breaker.Open != 7*time.Second {
		t.Errorf("policy %+v", p)
	}
	if r.TestGroup == nil || r.TestGroup.Status(began)[0].URL != "http://sandbox.example" {
		t.Errorf("test targets %+v", r.TestGroup)
	}
	if s := r.LiveGroup.Status(began); len(s) != 2 || s[1].Weight != 9 || s[1].URL != "http://second.example" {
		t.Errorf("targets: %+v", s)
	}
	if a := v.Access(v.Lookup(scoped)); !a.Allows(r, op) || a.Allows(r, &Operation{}) || !a.From(netip.MustParseAddr("203.0.113.1")) {
		t.Errorf("scopes: %+v", a)
	}
	k := v.Lookup(networked)
	if a := v.Access(k); !a.From(netip.MustParseAddr("192.0.2.1")) || !a.From(netip.MustParseAddr("10.1.2.3")) || a.From(netip.MustParseAddr("192.0.3.1")) || !k.Test {
		t.Errorf("networks: %+v", a)
	}
	if end := at("2026-05-02T10:00:00.123456Z"); v.Lookup(ending).Expired(end.Add(-time.Microsecond)) || !v.Lookup(ending).Expired(end) {
		t.Error("the expiry is another")
	}
	h := v.HoldOf(w.apps[0], r)
	if h == nil || h != v.Hold(w.apps[0], r.ID) || h.ID != w.subs[0] || h.Org != w.orgs[0] || h.Subscription.Plan != "Plan" || h.ProductSlug != "product-0" || h.State != "active" {
		t.Fatalf("hold: %+v", h)
	}
	if l := h.Limits(began)[0]; l.Calls != 500 || l.Burst != 600 || l.Algorithm != quota.TokenBucket || l.Scope != quota.PerKey || l.Window != time.Minute || h.Limits(began.AddDate(0, 0, 19))[0].Calls != 10 {
		t.Errorf("limit: %+v", l)
	}
	if q := h.Quota(began); q.Calls != 1000 || !q.Hard || q.Position != 1 || q.CalendarMonth || !h.Plan.Bills(404) || h.Plan.Bills(500) {
		t.Errorf("quota: %+v", q)
	}
	for _, calls := range []int64{500, 20} {
		w.exec(t, `INSERT INTO prepaid_credits (id, org_id, subscription_id, calls, reason, granted_at) VALUES (gen_random_uuid(), $1, $2, $3, 'paid', '2026-05-01')`, w.orgs[2], w.subs[2], calls)
	}
	if q := w.whole(t).Hold(w.apps[2], w.versions[2]).Quota(began); q.Calls != 520 || !q.Prepaid || !q.Hard {
		t.Errorf("balance: %+v", q)
	}
	if v.Hold(w.apps[0], w.versions[1]) != nil || v.Anonymous(w.versions[0]) != nil || v.Anonymous(w.versions[1]).Plan.ID != w.terms[1] {
		t.Error("a plan is open to others than it says")
	}
}
