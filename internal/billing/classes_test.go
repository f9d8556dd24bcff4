package billing_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/plans"
)

func TestAPlanKeepsWhichAnswersItBills(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sold := plans.New(b.db, b.clock)
	_, product, err := sold.OfferOf(b.staff, b.pro)
	b.must(err)
	for _, c := range []struct {
		slug       string
		in, stored []int16
		ok         bool
	}{
		{"default", nil, []int16{2, 3, 4}, true}, {"good-ones", []int16{2}, []int16{2}, true}, {"all", []int16{1, 2, 3, 4, 5}, []int16{1, 2, 3, 4, 5}, true},
		{"none", []int16{}, []int16{}, true}, {"sixth", []int16{2, 6}, nil, false},
	} {
		offer, err := sold.CreatePlan(b.staff, uuid.New(), plans.NewPlan{Product: product.ID, Slug: c.slug, Name: c.slug, Sale: plans.SelfServe, Currency: "usd", BilledClasses: c.in})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.slug, err)
		}
		if !c.ok {
			continue
		}
		terms, err := sold.TermsOf(b.staff, offer.Terms.VersionID)
		b.must(err)
		if got := terms[offer.Terms.VersionID]; !slices.Equal(got.BilledClasses, c.stored) || !slices.Equal(offer.Terms.Billed(), c.stored) {
			t.Errorf("%s: stored %v, made %v", c.slug, got.BilledClasses, offer.Terms.Billed())
		}
	}
}
