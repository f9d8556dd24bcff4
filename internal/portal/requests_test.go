package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/postgres"
)

func TestAskForAPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.get("/console/subscribe/"+w.ask.ID.String()).expect(http.StatusSeeOther, "/console/requests/new?plan="+w.ask.ID.String())
	b.get("/console/requests/new").expect(http.StatusOK, "", "Weather Enterprise")
	b.post("/console/requests/new", "plan", w.ask.ID.String(), "calls", "lots", "message", "a lot").expect(http.StatusUnprocessableEntity, "", "lots", "a lot", "Type a whole number")
	b.post("/console/requests/new", "plan", w.ask.ID.String(), "calls", "5,000,000", "message", "Winter").expect(http.StatusSeeOther, "")
	if w.id(`SELECT plan_id FROM plan_requests WHERE expected_calls = 5000000 AND message = 'Winter'`) != w.ask.ID {
		t.Error("the request was not stored")
	}
}

func TestTheAnswerToARequestReachesTheCustomer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, other, staff := w.customer("ada@acme.example"), w.customer("eve@evil.example"), postgres.AsStaff(t.Context())
	ask := func(message string) uuid.UUID {
		b.post("/console/requests/new", "plan", w.ask.ID.String(), "calls", "5000000", "message", message).expect(http.StatusSeeOther, "")
		return w.id(`SELECT id FROM plan_requests WHERE message = $1`, message)
	}
	first, second := ask("Winter"), ask("Summer")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Your requests", "Weather Enterprise", "5,000,000", "Open", "has not answered yet")
	if err := w.Plans.Decline(staff, uuid.Nil, first, "Pro is cheaper for you."); err != nil {
		t.Fatal(err)
	}
	granted, err := w.Plans.Grant(staff, uuid.Nil, second, plans.NewPlan{Name: "Made for Acme", Slug: "acme", Currency: "usd", Limits: []plans.Limit{plans.Quota(5_000_000, true)}})
	if err != nil {
		t.Fatal(err)
	}
	subscribe := "/console/subscribe/" + granted.ID.String()
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Declined on 23 November 2026: Pro is cheaper for you.", "As Made for Acme on 23 November 2026", subscribe)
	b.get("/console").expect(http.StatusOK, "", "was declined", "Pro is cheaper for you.", "was granted", "Made for Acme", subscribe)
	if page := other.get("/console/subscriptions").Body + other.get("/console").Body; strings.Contains(page, "Acme") || strings.Contains(page, "Pro is cheaper") {
		t.Error("another organization reads the answers")
	}
	b.post(subscribe).expect(http.StatusSeeOther, "/console/keys")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "you subscribed to it")
	if page := text(b.get("/console").Body); strings.Contains(page, "was granted") {
		t.Errorf("the overview asks to subscribe again: %s", page)
	}
	w.Clock.MoveTo(20 * 24 * time.Hour)
	if page := text(b.get("/console").Body); strings.Contains(page, "was declined") {
		t.Errorf("an old refusal is still news: %s", page)
	}
}
