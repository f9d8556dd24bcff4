package console

import (
	"context"
	"slices"
	"strings"
	"time"

	"tollgate/internal/accounts"
	"tollgate/internal/billing"
	"tollgate/internal/invoices"
	"tollgate/internal/keys"
	"tollgate/internal/metering"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
	"tollgate/web/component"
	"tollgate/web/page"
)

// recent is what happened in the last 24 hours.
type recent struct {
	calls   []metering.Call // the latest few
	total   int64
	errors  int64
	p95     int64
	refused []metering.Refused
}

// Dashboard is the console's first page.
func (c *Console) Dashboard(r *request.Request) error {
	org, err := c.org(r)
	if err != nil {
		return err
	}
	next, err := c.Billing.Next(r.Ctx(), org.ID)
	if err != nil {
		return err
	}
	open, _, err := c.Invoices.List(r.Ctx(), invoices.Filter{State: invoices.Open, Org: org.ID}, 0, 20)
	if err != nil {
		return err
	}
	asked, err := c.Plans.RequestsOf(r.Ctx(), org.ID)
	if err != nil {
		return err
	}
	now := c.Clock.Now().In(org.Location())
	last, err := c.recent(r, now)
	if err != nil {
		return err
	}
	quotas, err := c.quotas(r, next)
	if err != nil {
		return err
	}
	props := page.DashboardProps{Stats: dashboardStats(next, quotas, last), Needs: append(needs(org, next, quotas, open, last, now), answered(asked, now)...), Calls: callRows(last.calls, now), LogsURL: "/console/logs"}
	if len(last.calls) == 0 {
		if props.Steps, err = c.steps(r); err != nil {
			return err
		}
	}
	return r.Page(page.Dashboard(r.Layout("Overview"), props))
}

// steps are the way to the first call, with a button on the next one; none for
// those who have made it, however long ago.
func (c *Console) steps(r *request.Request) ([]page.StartStep, error) {
	all, err := c.Keys.List(r.Ctx(), r.Identity.Organization)
	if err != nil || slices.ContainsFunc(all, func(k keys.Listed) bool { return k.LastUsedAt != nil }) {
		return nil, err
	}
	next, err := c.start(r)
	if err != nil {
		return nil, err
	}
	steps := []page.StartStep{
		{Title: "Choose a plan", Detail: "Open an API and subscribe to one of its plans; a free one needs no card."},
		{Title: "Create a key", Detail: "Its secret is shown once, beside a call that works with it."},
		{Title: "Make the call", Detail: "A page listens for it and says what came of it."},
	}
	at := map[string]int{"/apis": 0, "/console/keys": 1}
	current, early := at[next.URL]
	if !early {
		current = len(steps) - 1
	}
	for i := range steps[:current] {
		steps[i].Done = true
	}
	steps[current].Action = next
	return steps, nil
}

func (c *Console) recent(r *request.Request, now time.Time) (out recent, err error) {
	dayAgo := filter(r, now.Add(-24*time.Hour), now.Add(time.Minute))
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		if out.calls, _, err = metering.Calls(ctx, tx.PGX, filter(r, now.AddDate(0, 0, -30), now.Add(time.Minute)), 0, 6); err != nil {
			return err
		}
		series, err := metering.Series(ctx, tx.PGX, dayAgo, metering.ByHour)
		if err != nil {
			return err
		}
		for _, b := range series {
			out.total, out.errors = out.total+b.Calls, out.errors+b.Errors
		}
		if out.p95, err = metering.P95(ctx, tx.PGX, dayAgo); err != nil {
			return err
		}
		out.refused, err = metering.RefusedSince(ctx, tx.PGX, dayAgo.Org, dayAgo.From)
		return err
	})
	return out, err
}

func dashboardStats(next []billing.Forecast, quotas []quotaUse, last recent) []component.StatProps {
	stats := []component.StatProps{{Label: "Next invoice, so far", Value: sums(next), URL: "/console/billing"}}
	for i, q := range quotaRows(quotas) {
		stat := component.StatProps{Label: "Quota, " + q.Label, Value: format.Count(int64(q.Percent)) + " %", Note: q.Text, URL: "/console/usage",
			Meter: &component.MeterProps{Label: "Quota used", Percent: q.Percent, Tone: q.Tone}}
		if of := quotas[i]; of.limit.Prepaid {
			stat.Label, stat.Meter.Label = "Balance, "+q.Label, "Balance used"
			stat.Value, stat.Note = format.Count(max(of.limit.Calls-of.calls, 0)), "left of "+format.Counted(of.limit.Calls, "prepaid call", "prepaid calls")
			if of.limit.Calls == 0 {
				stat.Note = "no calls credited yet"
			}
		}
		stats = append(stats, stat)
	}
	return append(stats,
		component.StatProps{Label: "Errors, 24 hours", Value: percent(last.errors, last.total), Note: format.Count(last.errors) + " of " + format.Counted(last.total, "call", "calls"), URL: "/console/logs?status=5xx"},
		component.StatProps{Label: "95th percentile, 24 hours", Value: latency(last.p95), URL: "/console/usage"})
}

// sums adds forecasts up, by currency in the order of the plans.
func sums(next []billing.Forecast) string {
	totals, order := map[string]int64{}, []string(nil)
	for _, n := range next {
		if _, seen := totals[n.Terms.Currency]; !seen {
			order = append(order, n.Terms.Currency)
		}
		totals[n.Terms.Currency] += n.Subtotal
	}
	texts := make([]string, len(order))
	for i, currency := range order {
		texts[i] = format.Money(totals[currency], currency)
	}
	if len(texts) == 0 {
		return "–"
	}
	return strings.Join(texts, " + ")
}

func needs(org accounts.Organization, next []billing.Forecast, quotas []quotaUse, open []invoices.Listed, last recent, now time.Time) (out []page.Need) {
	card := component.LinkButtonProps{Label: "Update card", URL: "/console/billing"}
	for _, i := range open {
		if i.Failure != "" {
			out = append(out, page.Need{Title: format.Money(i.Subtotal, i.Currency) + " for " + i.ProductName + " " + i.PlanName + " could not be collected", Detail: i.Failure + " Another card is charged at once.", Tone: component.Bad, Action: card})
		}
	}
	for _, n := range next {
		if n.Subscription.State == subscriptions.Unpaid {
			out = append(out, page.Need{Title: "Calls to " + n.Subscription.ProductName + " are refused", Detail: "Its invoice is unpaid. They work again as soon as it is paid.", Tone: component.Bad, Action: card})
		}
	}
	if warning := cardWarning(org, next, now); warning != "" {
		out = append(out, page.Need{Title: "Your card expires", Detail: warning, Tone: component.Warn, Action: card})
	}
	for _, n := range notices(quotas) {
		out = append(out, page.Need{Title: n.Message, Detail: n.Detail, Tone: n.Tone, Action: component.LinkButtonProps{Label: "See usage", URL: "/console/usage"}})
	}
	for _, f := range last.refused {
		t := problem.TypeOf(f.Code)
		out = append(out, page.Need{Title: format.Counted(f.Calls, "call was", "calls were") + " refused in 24 hours: " + t.Title, Detail: t.Fix, Tone: component.Warn, Action: component.LinkButtonProps{Label: "What it means", URL: t.URL("")}})
	}
	return out
}

// cardWarning says that the card expires before the next invoice that needs it.
func cardWarning(org accounts.Organization, next []billing.Forecast, now time.Time) string {
	expires, err := time.ParseInLocation("01/2006", org.CardExpires, now.Location())
	if err != nil || org.PaymentMethodID == "" {
		return ""
	}
	expires = expires.AddDate(0, 1, 0) // it works until the end of its month
	for _, n := range next {
		if !n.Terms.Free() && !n.Subscription.PeriodEnd.Before(expires) {
			return "It expires in " + org.CardExpires + ", before the invoice of " + format.Date(n.Subscription.PeriodEnd.In(now.Location())) + "."
		}
	}
	return ""
}
