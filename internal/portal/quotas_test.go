package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"tollgate/internal/metering/spool"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
)

func TestACustomerIsToldWhenAQuotaRunsOutAndWhatHappensThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := func(slug string, q plans.Limit, usage *pricing.Component) plans.Offer {
		o, err := w.Plans.CreatePlan(postgres.AsStaff(t.Context()), uuid.Nil, plans.NewPlan{Product: w.product.ID, Slug: slug, Name: slug, Sale: plans.SelfServe, Currency: "usd", Limits: []plans.Limit{q}, Usage: usage})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	each := func(cents string) *pricing.Component {
		return &pricing.Component{Model: pricing.PerUnit, Tiers: []pricing.Tier{{UpTo: pricing.NoEnd, Rate: decimal.RequireFromString(cents)}}}
	}
	month := plans.Quota(10, true)
	month.CalendarMonth = true
	for name, c := range map[string]struct {
		plan plans.Offer
		at80 string
		full string
		over string
	}{
		"hard": {plan("hard", plans.Quota(10, true), nil), "After 2 more calls, calls are refused", "The quota of Weather hard is used up", ""},
		"charged": {plan("charged", plans.Quota(10, false), each("20.25")), "After 2 more calls, calls go on, and the next 1,000 cost $202.50 ($0.2025 per call)", "The quota of Weather charged is used up, and calls go on",
			"3 calls beyond the quota of Weather charged 13 of 10 calls are used; the quota begins anew on 23 December 2026. What is beyond it costs $0.60 so far. Now calls go on, and the next 1,000 cost $202.50"},
		"free":  {plan("soft", plans.Quota(10, false), nil), "After 2 more calls, calls go on at no further cost", "Now calls go on at no further cost", "3 calls beyond the quota of Weather soft"},
		"month": {plan("month", month, nil), "8 of 10 calls are used; the quota begins anew on 1 December 2026", "10 of 10 calls are used; the quota begins anew on 1 December 2026", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.customer(name + "@acme.example")
			key, _ := b.makeKey("laptop", "live")
			if c.plan.Terms.Free() {
				b.post("/console/subscribe/"+c.plan.ID.String()).expect(http.StatusSeeOther, "")
			} else {
				b.post("/console/subscribe/" + w.free.ID.String())
				w.exec(`UPDATE subscriptions SET plan_version_id = $1 WHERE id = $2`, c.plan.Terms.VersionID, b.subscription())
			}
			call := func(n int) { w.call(key, b.subscription(), w.Clock.Now().Add(-time.Minute), n, spool.FlagBillable) }
			if name != "month" {
				w.exec(`UPDATE subscriptions SET period_start = period_start - interval '1 hour' WHERE id = $1`, b.subscription())
			}
			call(7)
			for _, page := range []string{"/console", "/console/usage"} {
				if got := b.get(page).expect(http.StatusOK, ""); strings.Contains(text(got.Body), "quota of Weather "+c.plan.Name+" is used") {
					t.Errorf("%s tells of a quota at 70 %%", page)
				}
			}
			call(1)
			for _, page := range []string{"/console", "/console/usage"} {
				b.get(page).expect(http.StatusOK, "", "80 % of the quota of Weather "+c.plan.Name+" is used", c.at80)
			}
			w.answered(key, b.subscription(), w.Clock.Now().Add(-time.Minute), 5, 0, http.StatusBadGateway) // uses none
			call(2)
			for _, page := range []string{"/console", "/console/usage"} {
				if got := b.get(page).expect(http.StatusOK, "", c.full); strings.Contains(text(got.Body), "beyond the quota") {
					t.Errorf("%s tells of calls beyond a quota that is just used up", page)
				}
			}
			if c.over != "" {
				call(3)
				for _, page := range []string{"/console", "/console/usage"} {
					b.get(page).expect(http.StatusOK, "", c.over)
				}
			}
			w.exec(`INSERT INTO limit_overrides (id, org_id, subscription_id, plan_version_id, position, calls, reason, expires_at, created_by, created_at)
				SELECT $1, org_id, id, plan_version_id, 0, 1000, 'x', $3, (SELECT id FROM users LIMIT 1), $3 FROM subscriptions WHERE id = $2`, uuid.New(), b.subscription(), w.Clock.Now().Add(time.Hour))
			if got := b.get("/console/usage").expect(http.StatusOK, "", " of 1,000 used"); strings.Contains(text(got.Body), "is used up") {
				t.Error("a raised quota is told to be used up")
			}
		})
	}
}

func TestAnAnswerThatIsNotBilledUsesTheQuotaAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, err := w.Plans.CreatePlan(postgres.AsStaff(t.Context()), uuid.Nil, plans.NewPlan{Product: w.product.ID, Slug: "found", Name: "Found", Sale: plans.SelfServe, Currency: "usd",
		Limits: []plans.Limit{plans.Quota(10, true)}, BilledClasses: []int16{2, 5}})
	if err != nil {
		t.Fatal(err)
	}
	b := w.customer("ada@acme.example")
	key, _ := b.makeKey("laptop", "live")
	b.post("/console/subscribe/"+o.ID.String()).expect(http.StatusSeeOther, "")
	w.exec(`UPDATE subscriptions SET period_start = period_start - interval '3 hours'`)
	for _, at := range []time.Duration{-time.Minute, -2 * time.Hour} {
		w.answered(key, b.subscription(), w.Clock.Now().Add(at), 2, spool.FlagBillable, http.StatusOK)
		w.answered(key, b.subscription(), w.Clock.Now().Add(at), 2, 0, http.StatusNotFound)
		w.answered(key, b.subscription(), w.Clock.Now().Add(at), 3, spool.FlagBillable, http.StatusInternalServerError)
		w.answered(key, b.subscription(), w.Clock.Now().Add(at), 3, spool.FlagTest, http.StatusOK)
	}
	b.get("/console").expect(http.StatusOK, "", "80 % of the quota of Weather Found is used", "8 of 10 calls are used")
}
