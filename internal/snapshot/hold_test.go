package snapshot

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
	"tollgate/internal/quota"
	"tollgate/internal/subscriptions/period"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// terms have a rate at position 0, a bound of concurrency at 2 and a quota at 1.
func terms() Terms {
	id := uuid.New()
	return Terms{ID: id, Name: "Pro", Billed: []int16{2, 4}, Limits: []Limit{
		{Plan: id, Position: 0, Kind: "rate", Calls: 10, Window: 60, Algorithm: quota.TokenBucket, Scope: quota.PerKey, Burst: 20},
		{Plan: id, Position: 1, Kind: "quota", Calls: 1000, Hard: true, CalendarMonth: true},
		{Plan: id, Position: 2, Kind: "concurrency", Calls: 5, Scope: quota.PerApplication},
	}}
}

func TestAPlanKeepsQuotaApartAndNamesItsLimits(t *testing.T) {
	t.Parallel()
	p := planOf(t, terms())
	if len(p.Limits) != 2 || p.Limits[0].Algorithm != quota.TokenBucket || p.Limits[0].Window != time.Minute || !p.Limits[1].Concurrent || p.Position(1) != 2 {
		t.Errorf("limits: %+v at %v", p.Limits, p.position)
	}
	if p.quota != (Quota{Calls: 1000, Hard: true, CalendarMonth: true, Position: 1}) {
		t.Errorf("quota: %+v", p.quota)
	}
	for status, billed := range map[int]bool{200: true, 299: true, 301: false, 404: true, 500: false, 0: false, 999: false} {
		if p.Bills(status) != billed {
			t.Errorf("status %d billed: %v", status, !billed)
		}
	}
}

func TestOverridesAreInForceUntilEachEnds(t *testing.T) {
	t.Parallel()
	p := planOf(t, terms())
	other := uuid.New()
	h := newHold(Subscription{Overrides: []Override{
		{Plan: p.ID, Position: 0, Calls: 100, Burst: 200, ExpiresAt: at("2026-05-02T00:00:00Z")},
		{Plan: p.ID, Position: 1, Calls: 5000, ExpiresAt: at("2026-05-03T00:00:00Z")},
		{Plan: other, Position: 2, Calls: 77, ExpiresAt: at("2026-06-01T00:00:00Z")}, // of terms that were left
	}}, p, time.UTC)
	for now, want := range map[string]struct{ rate, burst, quota, concurrent int64 }{
		"2026-05-01T00:00:00Z": {100, 200, 5000, 5},
		"2026-05-01T23:59:59Z": {100, 200, 5000, 5},
		"2026-05-02T00:00:00Z": {10, 20, 5000, 5},
		"2026-05-03T00:00:00Z": {10, 20, 1000, 5},
	} {
		l, q := h.Limits(at(now)), h.Quota(at(now))
		got := struct{ rate, burst, quota, concurrent int64 }{l[0].Calls, l[0].Burst, q.Calls, l[1].Calls}
		if got != want {
			t.Errorf("%s: %+v, want %+v", now, got, want)
		}
	}
}

func TestABalanceIsTheCreditsWhateverThePeriodAndIsNotOverridden(t *testing.T) {
	t.Parallel()
	plan := terms()
	plan.Limits[1] = Limit{Plan: plan.ID, Position: 1, Kind: "quota", Calls: 1000, Hard: true, Prepaid: true}
	for credits, want := range map[int64]int64{0: 0, 70: 70} {
		h := newHold(Subscription{PeriodStart: at("2026-03-15T00:00:00Z"), PeriodEnd: at("2026-04-15T00:00:00Z"), AnchorDay: 15, Credits: credits,
			Overrides: []Override{{Plan: plan.ID, Position: 1, Calls: 5000, ExpiresAt: at("2026-05-03T00:00:00Z")}}}, planOf(t, plan), time.UTC)
		for _, now := range []string{"2026-03-15T00:00:00Z", "2026-06-01T00:00:00Z", "2030-01-01T00:00:00Z"} {
			if q := h.Quota(at(now)); q.Calls != want || !q.Prepaid || !q.Counts() || h.QuotaPeriod(at(now)) != period.Always() {
				t.Errorf("%s: %+v, %+v", now, q, h.QuotaPeriod(at(now)))
			}
		}
	}
}

func TestAQuotaOfTheCalendarMonthFollowsTheOrganizationsZone(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	h := newHold(Subscription{PeriodStart: at("2026-03-15T00:00:00Z"), PeriodEnd: at("2026-04-15T00:00:00Z"), AnchorDay: 15}, planOf(t, terms()), zone)
	if p := h.QuotaPeriod(at("2026-04-01T03:59:59Z")); p.Start != at("2026-03-01T05:00:00Z") || p.End != at("2026-04-01T04:00:00Z") { // clocks go forward in March
		t.Errorf("March: %+v", p)
	}
	h.Plan = planOf(t, Terms{})
	if p := h.QuotaPeriod(at("2026-04-01T00:00:00Z")); p.Start != h.PeriodStart || p.End != h.PeriodEnd {
		t.Errorf("billing period: %+v", p)
	}
}

func TestAKeyMayCallWhatItsScopesSayFromItsNetworks(t *testing.T) {
	t.Parallel()
	shop, err := newRoute(Version{API: "shop", LiveTargets: anyTarget, Operations: []Operation{{Slug: "list", Method: "GET", Path: "/"}, {Slug: "buy", Method: "POST", Path: "/"}}})
	if err != nil {
		t.Fatal(err)
	}
	list, buy := shop.Operation("GET", "/"), shop.Operation("POST", "/")
	if shop.Operation("HEAD", "/") != list || list.LimitName() != "GET /" {
		t.Error("HEAD is not served by GET, or the operation has no name for limits")
	}
	for _, c := range []struct {
		scopes    []string
		list, buy bool
	}{{nil, true, true}, {[]string{"shop"}, true, true}, {[]string{"shop/list"}, true, false}, {[]string{"bank", "shop/buy"}, false, true}, {[]string{"shop/"}, false, false}} {
		a := newAccessSet(Access{Scopes: c.scopes})
		if a.Allows(shop, list) != c.list || a.Allows(shop, buy) != c.buy {
			t.Errorf("%v: list %v, buy %v", c.scopes, a.Allows(shop, list), a.Allows(shop, buy))
		}
	}
	office := newAccessSet(Access{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}})
	for addr, want := range map[string]bool{"192.0.2.9": true, "::ffff:192.0.2.9": true, "192.0.3.1": false, "2001:db8::1": true, "fe80::1%eth0": false} {
		if office.From(netip.MustParseAddr(addr)) != want {
			t.Errorf("from %s: %v", addr, !want)
		}
	}
	if !new(AccessSet).From(netip.MustParseAddr("203.0.113.1")) {
		t.Error("no restriction restricts")
	}
}

func TestCallsWithoutAKeyGetTheNewestTermsOfTheFirstAnonymousPlan(t *testing.T) {
	t.Parallel()
	product, plan, version := uuid.New(), uuid.New(), uuid.New()
	newest := Terms{ID: uuid.New(), Plan: plan, Product: product, Number: 2, Anonymous: true, Order: 1}
	v, err := Build(&Data{
		Plans: []Terms{
			{ID: uuid.New(), Plan: plan, Product: product, Number: 1, Anonymous: true, Order: 1}, newest,
			{ID: uuid.New(), Plan: uuid.New(), Product: product, Number: 9, Anonymous: true, Order: 2},
			{ID: uuid.New(), Plan: uuid.New(), Product: product, Number: 9, Order: 0},
		},
		Versions: []Version{{ID: version, LiveTargets: anyTarget, Products: []uuid.UUID{product}}, {ID: uuid.New(), PathPrefix: "/sold-only", LiveTargets: anyTarget}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := v.Anonymous(version)
	if h == nil || h.Plan.ID != newest.ID || !h.Anonymous() {
		t.Fatalf("anonymous hold: %+v", h)
	}
	if r, _ := v.Route("", "/sold-only"); v.Anonymous(r.ID) != nil {
		t.Error("a version that no anonymous plan sells is open to everybody")
	}
}

func TestAKeyExpiresAtItsMoment(t *testing.T) {
	t.Parallel()
	end := at("2026-05-01T00:00:00Z")
	c := Credential{Expires: end.UnixMicro()}
	if c.Expired(end.Add(-time.Microsecond)) || !c.Expired(end) || (&Credential{Expires: never}).Expired(end.AddDate(1000, 0, 0)) {
		t.Error("a key does not work until its expiry, and not longer")
	}
	v, err := Build(&Data{Keys: []Credential{{Hash: token.Hash{1}, Expires: end.UnixMicro(), Test: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if k := v.Lookup(token.Hash{1}); k == nil || k.Mode() != token.Test || v.Lookup(token.Hash{2}) != nil {
		t.Errorf("key: %+v", k)
	}
}

func planOf(t *testing.T, terms Terms) *Plan {
	t.Helper()
	p, err := newPlan(terms)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
