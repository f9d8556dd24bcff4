package offer

import (
	"math"
	"slices"

	"github.com/shopspring/decimal"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/pricing"
	"tollgate/web/page"
)

// Total is what a month with that many calls costs under t, the fee included,
// in minor units.
func Total(t plans.Terms, calls int64) (int64, error) {
	usage, _, err := t.UsageCharge(calls)
	if err != nil {
		return 0, err
	}
	if usage > math.MaxInt64-t.RecurringFee {
		return 0, pricing.ErrTooLarge
	}
	return usage + t.RecurringFee, nil
}

// Bill is a month with that many calls, line by line, and its total in minor units.
func Bill(t plans.Terms, calls int64) (lines []page.BillLine, total int64, err error) {
	if total, err = Total(t, calls); err != nil {
		return nil, 0, err
	}
	if t.RecurringFee > 0 {
		lines = append(lines, page.BillLine{Label: "Monthly fee", Amount: format.Money(t.RecurringFee, t.Currency)})
	}
	_, usage, err := t.UsageCharge(calls)
	for i, line := range usage {
		for _, d := range line.Details {
			lines = append(lines, Line(d, t.Components[i].Component, t.Currency))
		}
	}
	return lines, total, err
}

// Line is one step of a component's arithmetic.
func Line(d pricing.Detail, c pricing.Component, currency string) page.BillLine {
	out := page.BillLine{Label: format.Calls(d.From, d.To), Amount: format.Money(d.Amount, currency)}
	switch {
	case d.Note == "included":
		out.Arithmetic = "included"
		return out
	case d.Note == "minimum":
		return page.BillLine{Label: "Up to the minimum", Amount: out.Amount}
	case d.Note == "maximum":
		return page.BillLine{Label: "Down to the maximum", Amount: out.Amount}
	case d.Note == "packages":
		out.Arithmetic = format.Counted(d.Quantity, "package", "packages") + " of " + format.Count(c.PackageSize) + " × " + format.Rate(d.Rate, currency)
		return out
	case d.To < d.From:
		out.Label = "Without calls"
	}
	out.Arithmetic = format.Count(d.Quantity) + " × " + format.Rate(d.Rate, currency)
	if d.Flat > 0 {
		out.Arithmetic += " + " + format.Price(d.Flat, currency)
	}
	return out
}

// Refuses reports whether calls beyond a hard quota would be refused. What a
// balance serves in a month is not known, so a prepaid plan counts as if it did.
func Refuses(t plans.Terms, calls int64) bool {
	q, ok := QuotaOf(t)
	return ok && (q.Prepaid || (q.Hard && calls > q.Calls))
}

// cost is Total, and the largest number where the plan cannot serve that much.
func cost(t plans.Terms, calls int64) int64 {
	total, err := Total(t, calls)
	if err != nil || Refuses(t, calls) {
		return math.MaxInt64
	}
	return total
}

// Cheapest finds the plan that serves that many calls for the least, the first
// of equals; -1 when none does.
func Cheapest(all []plans.Offer, calls int64) int {
	best := -1
	for i, o := range all {
		c := cost(o.Terms, calls)
		if c < math.MaxInt64 && (best < 0 || c < cost(all[best].Terms, calls)) {
			best = i
		}
	}
	return best
}

// CheaperFrom finds the least number of calls, at most limit, for which other
// costs less than t. The search is exact: between the bounds of price tiers,
// quotas and included calls both costs only rise, so that a span in which other
// starts at or above where t ends holds no answer. It gives up (false) on the
// rare pair of plans that stay too close to each other for too long.
func CheaperFrom(t, other plans.Terms, limit int64) (int64, bool) {
	bounds := append(turns(t), turns(other)...)
	bounds = append(bounds, 0, limit+1)
	slices.Sort(bounds)
	s := search{t: t, other: other, left: 20_000}
	for i, from := range bounds[:len(bounds)-1] {
		to := min(bounds[i+1], limit+1) - 1
		if from < 0 || from > to {
			continue
		}
		if q, found := s.within(from, to); found || s.left <= 0 {
			return q, found
		}
	}
	return 0, false
}

// turns are the numbers of calls from which a cost follows another rule.
func turns(t plans.Terms) (out []int64) {
	if q, ok := QuotaOf(t); ok {
		out = append(out, q.Calls+1)
	}
	for _, c := range t.Components {
		out = append(out, c.Included+1)
		for _, tier := range c.Tiers {
			if tier.UpTo < pricing.NoEnd-c.Included-1 {
				out = append(out, c.Included+tier.UpTo+1)
			}
		}
	}
	return out
}

type search struct {
	t, other plans.Terms
	left     int // spans that may still be looked at
}

// within finds the least q in [from, to] with other < t, where both only rise.
func (s *search) within(from, to int64) (int64, bool) {
	if s.left--; s.left < 0 {
		return 0, false
	}
	low := cost(s.other, from)
	if low < cost(s.t, from) {
		return from, true
	}
	if from == to || low >= cost(s.t, to) {
		return 0, false
	}
	middle := from + (to-from)/2
	if q, found := s.within(from, middle); found || s.left <= 0 {
		return q, found
	}
	return s.within(middle+1, to)
}

// BreakEven says from when on another plan is the cheapest one, and is empty
// when that never happens up to limit calls.
func BreakEven(all []plans.Offer, limit int64) string {
	start := Cheapest(all, 0)
	if start < 0 {
		return ""
	}
	best, at := -1, limit+1
	for i, o := range all {
		if i == start || o.Terms.Currency != all[start].Terms.Currency {
			continue
		}
		if q, found := CheaperFrom(all[start].Terms, o.Terms, limit); found && (q < at || q == at && cost(o.Terms, q) < cost(all[best].Terms, q)) {
			best, at = i, q
		}
	}
	switch {
	case best < 0:
		return ""
	case Refuses(all[start].Terms, at):
		return all[start].Name + " ends at " + format.Count(at-1) + " calls a month; " + all[best].Name + " is the cheapest beyond."
	}
	return all[best].Name + " is cheaper than " + all[start].Name + " from " + format.Count(at) + " calls a month."
}

// Samples are numbers of calls that show a plan's price: round ones, and those
// around which it turns.
func Samples(t plans.Terms) []int64 {
	out := []int64{1_000, 10_000, 100_000, 1_000_000}
	for _, turn := range turns(t) {
		if turn > 1 {
			out = append(out, turn-1)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), 12)]
}

// Each is the average price of a call, to four decimals of a minor unit.
func Each(t plans.Terms, total, calls int64) string {
	if calls == 0 {
		return ""
	}
	return format.Rate(decimal.NewFromInt(total).DivRound(decimal.NewFromInt(calls), 4), t.Currency)
}

// Cliffs are the numbers of calls at which the bill is lower than with one call less.
func Cliffs(t plans.Terms) (out []int64) {
	for _, turn := range turns(t) {
		before, err := Total(t, turn-1)
		at, err2 := Total(t, turn)
		if err == nil && err2 == nil && at < before {
			out = append(out, turn)
		}
	}
	return out
}
