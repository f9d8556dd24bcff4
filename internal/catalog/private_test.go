package catalog

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

func TestPrivateAPIsAreSeenByThoseWhosePlanIncludesThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := api("secret")
	in.Visibility = Private
	e := b.publish(t, weather, in)
	customer := func(email string) (accounts.Joined, context.Context) {
		who, err := b.accounts.SignUp(t.Context(), accounts.SignUp{Email: email, Password: "correct horse battery"})
		if err != nil {
			t.Fatal(err)
		}
		return who, postgres.AsMember(t.Context(), who.Organization, who.User)
	}
	invited, theirs := customer("invited@example.com")
	_, strangers := customer("stranger@example.com")
	sees := func(ctx context.Context) bool {
		t.Helper()
		_, err := b.API(ctx, "secret")
		if err != nil && !problem.Is(err, "not-found") {
			t.Fatal(err)
		}
		listed, err2 := b.List(ctx, "")
		found, err3 := b.Suggest(ctx, "forecast")
		if err2 != nil || err3 != nil || (len(listed) == 1) != (err == nil) || (len(found) > 0) != (err == nil) {
			t.Fatalf("reads disagree: %v, %d listed, %d found, %v, %v", err, len(listed), len(found), err2, err3)
		}
		return err == nil
	}
	if sees(theirs) || sees(strangers) || !sees(b.staff) {
		t.Error("before the plan")
	}
	sells := plans.New(b.db, b.clock)
	product, err := sells.CreateProduct(b.staff, b.actor, plans.NewProduct{Slug: "w", Name: "W", Versions: []uuid.UUID{e.Version.ID}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sells.CreatePlan(b.staff, b.actor, plans.NewPlan{Product: product.ID, Slug: "p", Name: "P", Sale: plans.SelfServe, Currency: "usd", PrivateTo: &invited.Organization})
	if err != nil {
		t.Fatal(err)
	}
	if !sees(theirs) || sees(strangers) {
		t.Error("after the plan")
	}
}
