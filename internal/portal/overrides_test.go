package portal_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/postgres"
)

func TestStaffRaiseACustomersLimitForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, other, staff := w.customer("ada@acme.example"), w.customer("eve@evil.example"), w.staff("product")
	ada.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "")
	org := w.id(`SELECT m.org_id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = 'ada@acme.example'`)
	strangers := w.id(`SELECT m.org_id FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = 'eve@evil.example'`)
	sub := w.id(`SELECT id FROM subscriptions WHERE org_id = $1`, org)
	page, day := "/studio/customers/"+org.String(), func(n int) string { return w.Clock.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	form := func(calls, reason, expires string) []string {
		return []string{"subscription", sub.String(), "position", "0", "calls", calls, "reason", reason, "expires", expires}
	}
	staff.get("/studio/customers?q=").expect(http.StatusOK, "", page)
	staff.get(page).expect(http.StatusOK, "", "Weather Free", "1,000 calls a month", "Plan, version 1", "ends at midnight, UTC time")

	staff.post(page+"/overrides", form("0", "", day(-2))...).expect(http.StatusUnprocessableEntity, "", "Give a number of calls", "Say why", "a day that is not over")
	staff.post(page+"/overrides", form("many", "Why not", "")...).expect(http.StatusUnprocessableEntity, "", "whole number", `value="many"`, "Choose the last day")
	staff.post(page+"/overrides", form("5", "x", day(500))...).expect(http.StatusUnprocessableEntity, "", "at most a year")
	staff.post("/studio/customers/"+strangers.String()+"/overrides", form("5000", "Not theirs", day(3))...).expect(http.StatusNotFound, "")

	staff.post(page+"/overrides", form("5000", "A demo at a fair", day(3))...).expect(http.StatusSeeOther, page)
	staff.get(page).expect(http.StatusOK, "", "5,000 calls a month", "after 26 November 2026 (27 Nov 2026, 00:00 UTC)", "A demo at a fair", "product@provider.example, 23 Nov 2026", "1,000 calls a month (plan, version 1)")
	staff.post(page+"/overrides", form("7000", "A larger fair", day(3))...).expect(http.StatusSeeOther, page)
	var active int
	if err := w.DB.StaffPool().QueryRow(t.Context(), `SELECT count(*) FROM limit_overrides WHERE revoked_at IS NULL`).Scan(&active); err != nil || active != 1 {
		t.Errorf("%d overrides in force, %v: the new one replaces", active, err)
	}
	mine := ada.get("/console/subscriptions").expect(http.StatusOK, "", "your limit is 7,000 calls a month, instead of 1,000")
	if strings.Contains(mine.Body, "fair") {
		t.Error("the customer reads the reason")
	}
	other.get("/console/subscriptions").expect(http.StatusOK, "")

	id := w.id(`SELECT id FROM limit_overrides WHERE revoked_at IS NULL`)
	staff.post("/studio/customers/"+strangers.String()+"/overrides/"+id.String()+"/revoke").expect(http.StatusNotFound, "")
	staff.post(page+"/overrides/"+id.String()+"/revoke").expect(http.StatusSeeOther, page)
	staff.post(page+"/overrides/"+id.String()+"/revoke").expect(http.StatusNotFound, "")
	staff.get(page).expect(http.StatusOK, "", "Plan, version 1")
	if now := ada.get("/console/subscriptions"); strings.Contains(now.Body, "7,000") {
		t.Error("a revoked override is still told")
	}
	var notes []string
	rows, err := w.DB.StaffPool().Query(t.Context(), `SELECT action || ' ' || coalesce(details->>'calls', '') || ' ' || coalesce(details->>'reason', '') FROM audit_events WHERE object_id = $1 AND action LIKE 'limit.%' ORDER BY at, id`, sub.String())
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		notes = append(notes, n)
	}
	if len(notes) != 3 || notes[0] != "limit.override 5000 A demo at a fair" || notes[2] != "limit.override_revoke  " {
		t.Errorf("%q", notes)
	}
}

func TestAnOverrideEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.customer("ada@acme.example")
	ada.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "")
	ctx, now := postgres.AsStaff(t.Context()), w.Clock.Now()
	sub, org, user := w.id(`SELECT id FROM subscriptions`), w.id(`SELECT org_id FROM subscriptions`), w.id(`SELECT id FROM users LIMIT 1`)
	if err := w.Plans.Override(ctx, user, org, plans.NewOverride{Subscription: sub, Calls: 9, Reason: "x", ExpiresAt: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Plans.Override(ctx, user, org, plans.NewOverride{Subscription: sub, Position: 7, Calls: 9, Reason: "x", ExpiresAt: now.Add(time.Hour)}); err == nil {
		t.Error("a limit that there is not was overridden")
	}
	if err := w.Plans.Override(ctx, user, org, plans.NewOverride{Subscription: uuid.New(), Calls: 9, Reason: "x", ExpiresAt: now.Add(time.Hour)}); err == nil {
		t.Error("a subscription that there is not was overridden")
	}
	overrides, err := w.Plans.OverridesOf(ctx, org)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]int64{now: 9, now.Add(time.Hour - 1): 9, now.Add(time.Hour): 1000} {
		if got := w.free.Terms.With(overrides[sub], at).Limits[0].Calls; got != want {
			t.Errorf("at %s: %d calls, want %d", at, got, want)
		}
	}
	if w.free.Terms.Limits[0].Calls != 1000 {
		t.Error("the plan itself was changed")
	}
}

func TestOverridesThatEndedAreListedApartWithHow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, staff := w.customer("ada@acme.example"), w.staff("product")
	ada.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "")
	sub, org, user := w.id(`SELECT id FROM subscriptions`), w.id(`SELECT org_id FROM subscriptions`), w.id(`SELECT id FROM users WHERE email = 'product@provider.example'`)
	w.exec(`UPDATE organizations SET time_zone = 'Asia/Tokyo' WHERE id = $1`, org)
	page := "/studio/customers/" + org.String()
	if strings.Contains(staff.get(page).Body, "Ended overrides") {
		t.Error("a list of nothing")
	}
	override := func(calls int64, hours time.Duration) {
		t.Helper()
		err := w.Plans.Override(postgres.AsStaff(t.Context()), user, org, plans.NewOverride{Subscription: sub, Calls: calls, Reason: "reason " + strconv.FormatInt(calls, 10), ExpiresAt: w.Clock.Now().Add(hours * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
	}
	pass := func(d time.Duration) { w.Clock.MoveTo(w.Clock.Now().Add(d).Sub(w.Clock.Real())) }
	override(2001, 5)
	pass(time.Hour)
	override(2002, 1)
	pass(2 * time.Hour)
	override(2003, 5) // 2002 had expired before
	pass(time.Hour)
	staff.post(page+"/overrides/"+w.id(`SELECT id FROM limit_overrides WHERE calls = 2003`).String()+"/revoke").expect(http.StatusSeeOther, page)
	pass(time.Minute)
	override(2004, 5)
	got := text(staff.get(page).expect(http.StatusOK, "").Body)
	inForce, ended, found := strings.Cut(got, "Ended overrides")
	if !found || !strings.Contains(inForce, "2,004 calls a month") || strings.Contains(ended, "2,004") {
		t.Errorf("in force: %s\nended: %s", inForce, ended)
	}
	for calls, how := range map[string]string{"2,001": "Replaced by another one", "2,002": "Expired", "2,003": "Ended early"} {
		row, _, _ := strings.Cut(ended[max(strings.Index(ended, calls), 0):], "reason")
		if !strings.Contains(row, calls+" calls a month Weather Free") || !strings.Contains(row, how) || !strings.Contains(row, "product@provider.example") || strings.Contains(inForce, calls+" calls") {
			t.Errorf("%s: %s", calls, row)
		}
	}
	w.exec(`UPDATE subscriptions SET plan_version_id = $1`, w.pro.Terms.VersionID)
	staff.get(page).expect(http.StatusOK, "", "2,004 calls a month Weather Free", "The subscription left this plan")
	day := w.Clock.Now().In(time.FixedZone("JST", 9*3600)).Format(time.DateOnly)
	staff.post(page+"/overrides", "subscription", sub.String(), "position", "0", "calls", "70", "reason", "today", "expires", day).expect(http.StatusSeeOther, page)
	staff.get(page).expect(http.StatusOK, "", "00:00 JST)", "ends at midnight, Asia/Tokyo time")
	staff.get("/studio/customers/"+w.id(`SELECT id FROM organizations WHERE provider`).String()).expect(http.StatusNotFound, "")
}

func TestCustomersAreFoundByAPartOfTheirName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff("product")
	w.exec(`INSERT INTO organizations (id, name, provider, time_zone, billing_email, created_at) SELECT gen_random_uuid(), 'Acme ' || n, false, 'UTC', '', now() FROM generate_series(1, 1100) n`)
	w.exec(`UPDATE organizations SET name = 'Zürich 100 % GmbH' WHERE name = 'Acme 1100'`)
	staff.get("/studio/customers").expect(http.StatusOK, "", "The first 100 of 1,100", "Acme 1")
	staff.get("/studio/customers?q=gmbh").expect(http.StatusOK, "", "Zürich 100 % GmbH")
	staff.get("/studio/customers?q=100%25+").expect(http.StatusOK, "", "No customer of that name")
}
