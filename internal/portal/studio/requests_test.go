package studio_test

import (
	"net/url"
	"testing"

	"tollgate/internal/plans"
	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
)

func TestRequestsAreGrantedWithAPrivatePlanOrDeclined(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b)
	form := proForm()
	form.Set("name", "Enterprise")
	form.Set("slug", "enterprise")
	form.Set("sale", "on_request")
	b.Post(u+"/plans/new", form).Has(t, 303)
	b.Get(u).Has(t, 200, "By agreement", "On request").Lacks(t, "$49")
	customer, other := p.Customer(t, "buyer@example.com"), p.Customer(t, "other@example.com")
	ask(t, p, "buyer@example.com")
	ask(t, p, "buyer@example.com")

	list := b.Get("/studio/requests").Has(t, 200, "5,000,000", "Enterprise")
	first := "/studio/requests/" + between(t, list.Body, `href="/studio/requests/`, `"`)
	b.Get(first).Has(t, 200, "We need many calls", "Grant this plan", "buyer@example.com")
	grant := proForm()
	grant.Set("slug", "deal")
	grant.Set("monthly_fee", "oops")
	b.Post(first+"/grant", grant).Has(t, 422, "plain number", `value="oops"`)
	grant.Set("monthly_fee", "900")
	grant.Set("preview", "1")
	b.Post(first+"/grant", grant).Has(t, 200, "$900.00")
	grant.Del("preview")
	b.Post(first+"/grant", grant).Has(t, 303)
	b.Get(first).Has(t, 200, "Granted").Lacks(t, "Grant this plan")
	customer.Get("/pricing/weather").Has(t, 200, "$900", "Only for you", "By agreement")
	other.Get("/pricing/weather").Has(t, 200).Lacks(t, "$900")
	p.Stranger(t).Get("/pricing/weather").Has(t, 200).Lacks(t, "$900")

	second := "/studio/requests/" + between(t, b.Get("/studio/requests").Body, `href="/studio/requests/`, `"`)
	b.Post(second+"/decline", url.Values{"reason": {""}}).Has(t, 422, "Say why")
	b.Post(second+"/decline", url.Values{"reason": {"Too early."}}).Has(t, 303)
	b.Get("/studio/requests?state=decided").Has(t, 200, "Granted", "Declined")
	b.Get(second).Has(t, 200, "Declined: Too early.")
}

func TestAPlanWithoutPriceAndLimitIsGrantedOnlyOnPurpose(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	form := proForm()
	form.Set("sale", "on_request")
	u := product(t, p, b)
	b.Post(u+"/plans/new", form).Has(t, 303)
	p.Customer(t, "buyer@example.com")
	ask(t, p, "buyer@example.com")
	address := "/studio/requests/" + between(t, b.Get("/studio/requests").Body, `href="/studio/requests/`, `"`)
	b.Get(address).Has(t, 200, `name="free_unlimited"`)
	untouched := url.Values{"name": {"Deal"}, "slug": {"deal"}, "model": {"none"}}
	b.Post(address+"/grant", untouched).Has(t, 422, "Type a price or a limit, or tick", `value="Deal"`)
	untouched.Set("preview", "1")
	b.Post(address+"/grant", untouched).Has(t, 200)
	untouched.Del("preview")
	b.Get(address).Has(t, 200, "Open")
	untouched.Set("free_unlimited", "1")
	b.Post(address+"/grant", untouched).Has(t, 303)
	b.Get(address).Has(t, 200, "Granted")
	b.Get(u+"/plans/new").Has(t, 200).Lacks(t, "free_unlimited", "a change makes a new version")
	b.Post(u+"/plans/new", url.Values{"name": {"Open"}, "slug": {"open"}}).Has(t, 303) // a plan for everybody is free when nothing is typed
}

func ask(t *testing.T, p *portaltest.Portal, email string) {
	t.Helper()
	who, err := p.Accounts.SignIn(t.Context(), email, "correct horse battery", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	ctx := postgres.AsMember(t.Context(), who.Organization, who.User)
	o, err := p.Plans.Offering(ctx, "weather")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Plans.Ask(ctx, who.Organization, who.User, plans.NewRequest{Plan: o.Plans[0].ID, ExpectedCalls: 5_000_000, Message: "We need many calls"}); err != nil {
		t.Fatal(err)
	}
}
