package portal_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"tollgate/internal/metering/spool"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
)

// prepaid sells a plan whose balance begins with so many calls.
func (w *world) prepaid(name string, calls int64) plans.Offer {
	w.t.Helper()
	o, err := w.Plans.CreatePlan(postgres.AsStaff(context.Background()), uuid.Nil, plans.NewPlan{Product: w.product.ID, Slug: strings.ToLower(name), Name: name, Sale: plans.SelfServe, Currency: "usd", Limits: []plans.Limit{plans.Prepaid(calls)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) orgOf(email string) uuid.UUID {
	w.t.Helper()
	return w.id(`SELECT m.org_id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = $1`, email)
}

func TestStaffAddCreditsToAPrepaidBalance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, eve, staff := w.customer("ada@acme.example"), w.customer("eve@evil.example"), w.staff("product")
	o := w.prepaid("Prepaid", 10)
	ada.post("/console/subscribe/"+o.ID.String()).expect(http.StatusSeeOther, "")
	eve.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "")
	org, other := w.orgOf("ada@acme.example"), w.orgOf("eve@evil.example")
	sub := w.id(`SELECT id FROM subscriptions WHERE org_id = $1`, org)
	page := "/studio/customers/" + org.String()
	form := func(id, calls, reason string) []string {
		return []string{"credit", id, "subscription", sub.String(), "calls", calls, "reason", reason}
	}
	once := uuid.NewString()

	got := staff.get(page).expect(http.StatusOK, "", "Prepaid balance", "10 of 10 calls left", "the plan Included in the plan", "Add a credit")
	if strings.Contains(got.Body, "Override this limit") {
		t.Error("a balance is offered to be overridden")
	}
	staff.post(page+"/credits", form(once, "0", "")...).expect(http.StatusUnprocessableEntity, "", "Give a number of calls from 1", "Say why", once)
	staff.post(page+"/credits", form(once, "-5", "Taken back")...).expect(http.StatusUnprocessableEntity, "", `value="-5"`)
	staff.post(page+"/credits", form(once, "lots", "Why not")...).expect(http.StatusUnprocessableEntity, "", "whole number", "Why not")
	staff.post("/studio/customers/"+other.String()+"/credits", form(once, "5", "Not theirs")...).expect(http.StatusNotFound, "")
	strangers := w.id(`SELECT id FROM subscriptions WHERE org_id = $1`, other)
	staff.post("/studio/customers/"+other.String()+"/credits", "subscription", strangers.String(), "calls", "5", "reason", "x").expect(http.StatusConflict, "", "is not prepaid")
	staff.post(page+"/overrides", "subscription", sub.String(), "position", "0", "calls", "5000", "reason", "x", "expires", w.Clock.Now().AddDate(0, 0, 3).Format(time.DateOnly)).
		expect(http.StatusUnprocessableEntity, "", "A prepaid balance is not overridden: add a credit to it.")
	for _, b := range []*browser{ada, w.staff("finance")} {
		b.post(page+"/credits", form(uuid.NewString(), "500", "Mine")...).expect(http.StatusForbidden, "")
	}
	for range 2 { // sent twice, added once
		staff.post(page+"/credits", form(once, "1,500", "Paid by bank transfer 4711")...).expect(http.StatusSeeOther, page)
	}
	staff.get(page).expect(http.StatusOK, "", "1,510 of 1,510 calls left", "1,500", "product@provider.example Paid by bank transfer 4711")
	var notes int
	if err := w.DB.StaffPool().QueryRow(t.Context(), `SELECT count(*) FROM audit_events WHERE action = 'balance.credit' AND object_id = $1 AND details->>'calls' = '1500' AND details->>'reason' = 'Paid by bank transfer 4711' AND actor IS NOT NULL`, sub.String()).Scan(&notes); err != nil || notes != 1 {
		t.Errorf("%d audit entries, %v", notes, err)
	}

	mine := ada.get("/console/usage").expect(http.StatusOK, "", "Balance: 1,510 of 1,510 calls left", "Credits", "Weather Prepaid 1,500", "Weather Prepaid 10")
	for _, secret := range []string{"4711", "product@provider.example", "Included in the plan"} {
		if strings.Contains(mine.Body, secret) {
			t.Errorf("the customer reads %s", secret)
		}
	}
	ada.get("/console").expect(http.StatusOK, "", "Balance, Weather Prepaid 1,510 left of 1,510 prepaid calls")
	if theirs := eve.get("/console/usage").expect(http.StatusOK, ""); strings.Contains(theirs.Body, "1,510") || strings.Contains(theirs.Body, "Credits") {
		t.Error("another customer sees the balance")
	}
}

func TestCreditsAreTheCustomersToSeeAndNobodysToChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.customer("ada@acme.example")
	w.customer("eve@evil.example")
	ada.post("/console/subscribe/"+w.prepaid("Prepaid", 10).ID.String()).expect(http.StatusSeeOther, "")
	org, other := w.orgOf("ada@acme.example"), w.orgOf("eve@evil.example")
	user := w.id(`SELECT id FROM users WHERE email = 'ada@acme.example'`)
	as := func(ctx context.Context, sql string, args ...any) (n int64, err error) {
		err = w.DB.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
			tag, err := tx.PGX.Exec(ctx, sql, args...)
			n = tag.RowsAffected()
			return err
		})
		return n, err
	}
	const insert = `INSERT INTO prepaid_credits (id, org_id, subscription_id, calls, reason, granted_at) SELECT gen_random_uuid(), org_id, id, 1000, 'mine', '2026-11-01' FROM subscriptions`
	for name, c := range map[string]struct {
		org  uuid.UUID
		rows int64
	}{"the customer": {org, 1}, "another one": {other, 0}} {
		member := postgres.AsMember(t.Context(), c.org, user)
		if n, err := as(member, `SELECT calls FROM prepaid_credits`); err != nil || n != c.rows {
			t.Errorf("%s sees %d credits, %v", name, n, err)
		}
		for _, sql := range []string{`SELECT reason FROM prepaid_credits`, insert, `UPDATE prepaid_credits SET calls = 1000`, `DELETE FROM prepaid_credits`} {
			var pg *pgconn.PgError
			if _, err := as(member, sql); !errors.As(err, &pg) || pg.Code != "42501" {
				t.Errorf("%s: %s: %v", name, sql, err)
			}
		}
	}
	staff := postgres.AsStaff(t.Context())
	if n, err := as(staff, insert); err != nil || n != 1 {
		t.Errorf("staff add %d credits, %v", n, err)
	}
	for _, sql := range []string{`UPDATE prepaid_credits SET calls = 1000`, `DELETE FROM prepaid_credits`, `INSERT INTO prepaid_credits SELECT gen_random_uuid(), org_id, subscription_id, -1, 'x', NULL, granted_at FROM prepaid_credits`} {
		if _, err := as(staff, sql); err == nil {
			t.Errorf("staff may %s", sql)
		}
	}
}

func TestACustomerIsToldWhenABalanceRunsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	key, _ := b.makeKey("laptop", "live")
	b.post("/console/subscribe/"+w.prepaid("Prepaid", 10).ID.String()).expect(http.StatusSeeOther, "")
	call := func(n int) {
		w.call(key, b.subscription(), w.Clock.Now().Add(-time.Minute), n, spool.FlagBillable)
	}
	told := func(says ...string) {
		t.Helper()
		for _, page := range []string{"/console", "/console/usage"} {
			b.get(page).expect(http.StatusOK, "", says...)
		}
	}
	call(7)
	if got := b.get("/console/usage"); strings.Contains(text(got.Body), "balance of Weather Prepaid") {
		t.Error("a notice at 70 %")
	}
	call(1)
	told("80 % of the balance of Weather Prepaid is used", "8 of 10 prepaid calls are used. After 2 more calls, calls are refused. Ask us for a credit before that.")
	w.answered(key, b.subscription(), w.Clock.Now().Add(-time.Minute), 5, 0, http.StatusBadGateway) // uses none
	call(2)
	told("The balance of Weather Prepaid is used up", "All 10 prepaid calls are used. Calls are refused until you get a credit")
	// a balance is of no period
	w.exec(`UPDATE subscriptions SET period_start = period_start + interval '2 months', period_end = period_end + interval '2 months'`)
	told("The balance of Weather Prepaid is used up")
	err := w.Plans.AddCredit(postgres.AsStaff(t.Context()), w.id(`SELECT id FROM users LIMIT 1`), w.orgOf("ada@acme.example"), plans.NewCredit{ID: uuid.New(), Subscription: b.subscription(), Calls: 90, Reason: "Paid"})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.get("/console/usage").expect(http.StatusOK, "", "Balance: 90 of 100 calls left"); strings.Contains(text(got.Body), "is used up") {
		t.Error("a credit did not end the notice")
	}
}

func TestABalanceThatWasPaidForDoesNotGiveWayToAnotherPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, o := w.customer("ada@acme.example"), w.prepaid("Prepaid", 10)
	b.post("/console/subscribe/"+o.ID.String()).expect(http.StatusSeeOther, "")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "as far as the balance reaches", "What is left of the balance then ends with it")
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "") // what the plan began with is given up
	b.post("/console/subscribe/"+o.ID.String()).expect(http.StatusSeeOther, "")
	sub := w.id(`SELECT id FROM subscriptions WHERE state = 'active'`)
	err := w.Plans.AddCredit(postgres.AsStaff(t.Context()), w.id(`SELECT id FROM users LIMIT 1`), w.orgOf(b.email), plans.NewCredit{ID: uuid.New(), Subscription: sub, Calls: 90, Reason: "Paid"})
	if err != nil {
		t.Fatal(err)
	}
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusConflict, "", "End that one first")
	if still := w.id(`SELECT id FROM subscriptions WHERE state = 'active'`); still != sub {
		t.Error("the balance is gone")
	}
}

func TestAPrepaidPlanIsMadeInTheFormAndBeginsWithItsCredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff("product")
	form := func(slug, calls string) url.Values {
		return url.Values{"name": {"Top-up " + slug}, "slug": {slug}, "sale": {"self_serve"}, "visibility": {"public"}, "currency": {"usd"}, "model": {"none"},
			"limit_calls": {calls, "5"}, "limit_per": {"prepaid", "second"}, "limit_end": {"soft", ""}}
	}
	address := "/studio/products/" + w.product.ID.String() + "/plans/new"
	staff.do(http.MethodPost, address, form("wrong", "-1")).expect(http.StatusUnprocessableEntity, "", "Prepaid balance (quota)")
	for slug, calls := range map[string]string{"empty": "", "nothing": "0", "some": "250"} {
		staff.do(http.MethodPost, address, form(slug, calls)).expect(http.StatusSeeOther, "")
		var limit plans.Limit
		err := w.DB.StaffPool().QueryRow(t.Context(), `SELECT l.prepaid, l.hard, l.calls FROM plan_limits l JOIN plan_versions v ON v.id = l.plan_version_id JOIN plans p ON p.id = v.plan_id WHERE p.slug = $1 AND kind = 'quota'`, slug).
			Scan(&limit.Prepaid, &limit.Hard, &limit.Calls)
		if want := map[string]int64{"some": 250}[slug]; err != nil || !limit.Prepaid || !limit.Hard || limit.Calls != want {
			t.Errorf("%s: %+v, %v", slug, limit, err)
		}
	}
	w.browser().get("/pricing/weather").expect(http.StatusOK, "", "Prepaid", "Prepaid calls, 250 to begin with; beyond the balance: calls are refused")
	w.browser().get("/apis/weather").expect(http.StatusOK, "", "Prepaid calls, 250 to begin with")

	for slug, want := range map[string]int64{"some": 250, "nothing": 0} {
		b := w.customer(slug + "@acme.example")
		plan := w.id(`SELECT id FROM plans WHERE slug = $1`, slug)
		b.post("/console/subscribe/"+plan.String()).expect(http.StatusSeeOther, "")
		var credited, rows int64
		if err := w.DB.StaffPool().QueryRow(t.Context(), `SELECT coalesce(sum(calls), 0)::bigint, count(*) FROM prepaid_credits WHERE org_id = $1 AND granted_by IS NULL`, w.orgOf(b.email)).Scan(&credited, &rows); err != nil || credited != want || rows > 1 {
			t.Errorf("%s: %d calls in %d credits, %v", slug, credited, rows, err)
		}
		if want == 0 {
			b.get("/console").expect(http.StatusOK, "", "The balance of Weather Top-up nothing is empty", "No calls have been credited yet")
		}
	}
}
