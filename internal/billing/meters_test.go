package billing_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/pricing"
	"tollgate/internal/subscriptions"
)

// measured are four calls of which the last is not billable: bytes of the
// request, bytes of the answer, microseconds.
var measured = []struct {
	in, out, us int64
	billable    bool
}{{200_000, 1_500_000, 1_001, true}, {0, 900_000, 12_000, true}, {50_000, 2_500, 250_400, true}, {7_000_000, 9_000_000, 5_000_000, false}}

func (b *bundle) measure(sub subscriptions.Subscription) {
	b.t.Helper()
	for _, c := range measured {
		b.use(sub, 1, *sub.PeriodStart)
		b.exec(`UPDATE usage_events SET bytes_in = $1, bytes_out = $2, duration_us = $3, billable = $4 WHERE bytes_in + bytes_out = 0`, c.in, c.out, c.us, c.billable)
	}
}

// The figures are worked out by hand in docs/billing.md.
func TestInvoicesByBytesAndByDuration(t *testing.T) {
	t.Parallel()
	rate := decimal.RequireFromString
	for meter, c := range map[string]struct {
		price pricing.Component
		want  string
	}{
		metering.Bytes:    {pricing.Component{Model: pricing.PerUnit, Included: 1_000_000, Tiers: []pricing.Tier{{UpTo: pricing.NoEnd, Rate: rate("0.00002")}}}, "review: usage 2652500 = 33, recurring 1 = 1000; total 1033"},
		metering.BytesOut: {pricing.Component{Model: pricing.PerUnit, Included: 1_000_000, Tiers: []pricing.Tier{{UpTo: pricing.NoEnd, Rate: rate("0.00002")}}}, "review: usage 2402500 = 28, recurring 1 = 1000; total 1028"},
		metering.Duration: {pricing.Component{Model: pricing.Graduated, Tiers: []pricing.Tier{{UpTo: 100, Rate: rate("0.5")}, {UpTo: pricing.NoEnd, Rate: rate("0.25")}}}, "review: usage 265 = 91, recurring 1 = 1000; total 1091"},
	} {
		t.Run(meter, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			sold := plans.New(b.db, b.clock)
			_, product, err := sold.OfferOf(b.staff, b.pro)
			b.must(err)
			offer, err := sold.CreatePlan(b.staff, uuid.New(), plans.NewPlan{Product: product.ID, Slug: "measured", Name: "Measured", Sale: plans.SelfServe, Currency: "usd", RecurringFee: 1000, Usage: &c.price, Meter: meter})
			b.must(err)
			b.pro = offer.ID
			b.measure(b.subscribe(good))
			b.pass()
			if got := summary(b.newest()); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			b.must(b.collect(b.newest().ID))
			again, err := b.Recompute(t.Context(), b.newest().Lines[0])
			b.must(err)
			if !again.Same {
				t.Errorf("recomputed: %+v", again)
			}
		})
	}
}
