package console

import (
	"context"
	"slices"
	"time"

	"tollgate/internal/billing"
	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions/period"
	"tollgate/web/component"
	"tollgate/web/page"
)

// quotaUse is a subscription's quota in force, or its prepaid balance, and what
// is used of it.
type quotaUse struct {
	name       string // of product and plan
	limit      plans.Limit
	terms      plans.Terms
	calls      int64 // that used it in start, end
	billed     int64 // in the billing period
	start, end time.Time
	loc        *time.Location
	credits    plans.Credits // of a balance
}

// quotas are the quotas of all running subscriptions, as overridden, with the
// calls of their present periods.
func (c *Console) quotas(r *request.Request, next []billing.Forecast) (out []quotaUse, err error) {
	overrides, err := c.Plans.OverridesOf(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return nil, err
	}
	credits, err := c.Plans.CreditsOf(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return nil, err
	}
	now := c.Clock.Now()
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		for _, n := range next {
			s := n.Subscription
			l, ok := offer.QuotaOf(n.Terms.With(overrides[s.ID], now))
			if !ok {
				continue
			}
			q := quotaUse{name: s.ProductName + " " + s.PlanName, limit: l, terms: n.Terms, billed: n.Calls, start: *s.PeriodStart, end: *s.PeriodEnd, loc: s.Location()}
			if l.CalendarMonth {
				year, month, _ := now.In(q.loc).Date()
				q.start, q.end = time.Date(year, month, 1, 0, 0, 0, 0, q.loc), time.Date(year, month+1, 1, 0, 0, 0, 0, q.loc)
			}
			if l.Prepaid {
				always := period.Always()
				q.start, q.end, q.credits, q.limit.Calls = always.Start, always.End, credits[s.ID], credits[s.ID].Calls
			}
			if q.calls, err = metering.QuotaUsed(ctx, tx.PGX, s.ID, n.Terms.Billed(), q.start, q.end); err != nil {
				return err
			}
			out = append(out, q)
		}
		return nil
	})
	return out, err
}

// percent is what is used, in whole per cent rounded down: 100 is used up.
func (q quotaUse) percent() int { return offer.UsedUp(q.limit.Calls, q.calls) }

// quotaRows say what is left in each quota's present period, and of balances.
func quotaRows(quotas []quotaUse) (rows []page.QuotaRow) {
	for _, q := range quotas {
		row := page.QuotaRow{Label: q.name, Percent: q.percent(),
			Text: format.Count(q.calls) + " of " + format.Count(q.limit.Calls) + " used; resets " + format.Date(q.end.In(q.loc))}
		if q.limit.Prepaid {
			row.Text = offer.Left(q.limit.Calls, q.calls)
			if q.limit.Calls > 0 {
				row.Text = "Balance: " + row.Text
			}
		}
		switch {
		case row.Percent >= 100 && q.limit.Hard:
			row.Tone = component.Bad
		case row.Percent >= 80:
			row.Tone = component.Warn
		}
		rows = append(rows, row)
	}
	return rows
}

// notices tell from 80 % on that a quota runs out, at 100 % that it has, and
// beyond it how far: one for each quota, until its period ends.
func notices(quotas []quotaUse) (out []component.FlashProps) {
	for _, q := range quotas {
		if percent := q.percent(); percent >= 80 {
			out = append(out, q.notice(percent))
		}
	}
	return out
}

func (q quotaUse) notice(percent int) component.FlashProps {
	if q.limit.Prepaid {
		return q.balanceNotice(percent)
	}
	n := component.FlashProps{Tone: component.Warn, Detail: format.Count(q.calls) + " of " + format.Counted(q.limit.Calls, "call", "calls") + " are used; the quota begins anew on " + format.Date(q.end.In(q.loc)) + ". "}
	over := q.calls - q.limit.Calls
	switch {
	case over < 0:
		n.Message = format.Count(int64(percent)) + " % of the quota of " + q.name + " is used"
		n.Detail += "After " + format.Counted(-over, "more call", "more calls") + ", " + q.beyond() + "."
	case q.limit.Hard:
		n.Message, n.Tone = "The quota of "+q.name+" is used up", component.Bad
		n.Detail += "Now " + q.beyond() + "."
	case over == 0:
		n.Message = "The quota of " + q.name + " is used up, and calls go on"
		n.Detail += "Now " + q.beyond() + "."
	default:
		n.Message = format.Counted(over, "call", "calls") + " beyond the quota of " + q.name
		n.Detail += q.overage() + "Now " + q.beyond() + "."
	}
	return n
}

// overage says what the calls beyond the quota cost so far, where the price
// counts the very calls that the quota counts.
func (q quotaUse) overage() string {
	if q.limit.CalendarMonth || q.billed != q.calls || !q.byCall() {
		return ""
	}
	within, _, errWithin := q.terms.UsageCharge(q.limit.Calls)
	all, _, errAll := q.terms.UsageCharge(q.calls)
	if errWithin != nil || errAll != nil || all <= within {
		return ""
	}
	return "What is beyond it costs " + format.Money(all-within, q.terms.Currency) + " so far. "
}

// byCall reports whether all prices count calls.
func (q quotaUse) byCall() bool {
	return !slices.ContainsFunc(q.terms.Components, func(c plans.Component) bool { return c.Meter != "requests" })
}

// beyond says what happens with calls beyond the quota.
func (q quotaUse) beyond() string {
	if q.limit.Hard {
		return "calls are refused until the next period begins; a larger plan ends that at once"
	}
	if !q.byCall() {
		return "calls go on and are charged as the plan says"
	}
	at := max(q.billed, q.limit.Calls)
	if q.limit.CalendarMonth {
		at = q.billed
	}
	before, _, errBefore := q.terms.UsageCharge(at)
	after, _, errAfter := q.terms.UsageCharge(at + 1000)
	switch {
	case errBefore != nil || errAfter != nil:
		return "calls go on and are charged as the plan says"
	case after <= before:
		return "calls go on at no further cost"
	}
	return "calls go on, and the next 1,000 cost " + format.Money(after-before, q.terms.Currency) + " (" + offer.Usage(q.terms) + ")"
}
