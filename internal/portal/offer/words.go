// Package offer puts the terms of a plan into words and bills: what it costs,
// what it limits, and from when on another plan is cheaper. It is pure.
package offer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/pricing"
	"tollgate/web/page"
)

// Price says what a plan costs: Free; Prepaid; $49 a month, then $0.005 per call.
func Price(t plans.Terms) string {
	fee := ""
	if t.RecurringFee > 0 {
		fee = format.Price(t.RecurringFee, t.Currency) + " a month"
	}
	usage := Usage(t)
	switch {
	case t.Free() && Prepaid(t):
		return "Prepaid"
	case t.Free():
		return "Free"
	case fee == "":
		return strings.ToUpper(usage[:1]) + usage[1:]
	case usage == "":
		return fee
	}
	return fee + ", then " + usage
}

// Usage says what calls cost beside the fee: from $0.0025 per call. It is
// empty when they cost nothing.
func Usage(t plans.Terms) string {
	if len(t.Components) == 0 {
		return ""
	}
	c := t.Components[0]
	low := c.Tiers[0].Rate
	for _, tier := range c.Tiers {
		low = decimal.Min(low, tier.Rate)
	}
	text := format.Rate(low, t.Currency) + " per " + unit(c.Component)
	if len(c.Tiers) > 1 {
		return "from " + text
	}
	return text
}

func unit(c pricing.Component) string {
	if c.Model == pricing.Package {
		return format.Counted(c.PackageSize, "call", "calls")
	}
	return "call"
}

// From says the least that one of several plans costs: Free, from $49 a month.
// It is empty when none is on sale.
func From(all []plans.Offer) string {
	var best *plans.Terms
	prepaid := false
	for i, o := range all {
		if o.Sale != plans.SelfServe {
			continue
		}
		if o.Terms.Free() && Prepaid(o.Terms) {
			prepaid = true
			continue
		}
		if o.Terms.Free() {
			return "Free to start"
		}
		if best == nil || o.Terms.RecurringFee < best.RecurringFee {
			best = &all[i].Terms
		}
	}
	switch {
	case best == nil && prepaid:
		return "Prepaid"
	case best == nil && len(all) > 0:
		return "On request"
	case best == nil:
		return ""
	case best.RecurringFee == 0:
		return "From " + strings.TrimPrefix(Usage(*best), "from ")
	}
	return "From " + format.Price(best.RecurringFee, best.Currency) + " a month"
}

// Overage says what happens beyond the quota.
func Overage(t plans.Terms) string {
	q, ok := QuotaOf(t)
	switch {
	case !ok && len(t.Components) > 0:
		return "Charged by the call"
	case !ok:
		return "Nothing"
	case q.Hard:
		return "Calls are refused"
	case len(t.Components) > 0:
		return "Calls go on and are charged"
	}
	return "Calls go on"
}

// Billed says which answers are billed, where that is not as usual.
func Billed(t plans.Terms) string {
	if len(t.Components) == 0 || slices.Equal(t.Billed(), plans.BilledByDefault()) {
		return ""
	}
	var classes []string
	for _, c := range t.Billed() {
		classes = append(classes, strconv.Itoa(int(c))+"xx")
	}
	return "Only " + Sentence(classes) + " answers are billed"
}

// Tiers are a plan's prices by number of calls, the included ones first.
func Tiers(t plans.Terms) (out []page.TierRow) {
	for _, c := range t.Components {
		if c.Included > 0 {
			out = append(out, page.TierRow{Range: span(1, c.Included), Price: "included"})
		}
		below := int64(0)
		for _, tier := range c.Tiers {
			to := int64(pricing.NoEnd)
			if tier.UpTo <= pricing.NoEnd-c.Included {
				to = tier.UpTo + c.Included
			}
			row := page.TierRow{Range: span(c.Included+below+1, to), Price: format.Rate(tier.Rate, t.Currency) + " per " + unit(c.Component)}
			if tier.Flat > 0 {
				row.Flat = "and " + format.Price(tier.Flat, t.Currency) + " once"
			}
			out = append(out, row)
			below = tier.UpTo
		}
	}
	return out
}

func span(from, to int64) string {
	switch {
	case to == pricing.NoEnd && from <= 1:
		return "Each call"
	case to == pricing.NoEnd:
		return "From " + format.Count(from)
	case from == to:
		return "Call " + format.Count(from)
	}
	return format.Count(from) + " to " + format.Count(to)
}
