package finance

import (
	"time"

	"tollgate/internal/billing"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Reconciliation holds what gateways counted against what was billed, and what
// was billed against what Stripe has.
func (f *Finance) Reconciliation(r *request.Request) error {
	p, customer := paging.Of(r, 25), r.Query("customer")
	month, err := time.Parse(monthly, r.Query("period"))
	if err != nil {
		month = time.Time{} // every month
	}
	rows, total, err := f.Billing.Reconcile(r.Ctx(), customer, month, p.Offset(), p.Size())
	if err != nil {
		return err
	}
	if last := p.Past(total); last != "" {
		return r.Redirect(last)
	}
	props := page.ReconciliationProps{Customer: customer, Pager: p.Props(total)}
	if !month.IsZero() {
		props.Period = month.Format(monthly)
	}
	agree := int64(0)
	for _, row := range rows {
		if row.UnitsHold() && row.MoneyHolds() {
			agree++
		}
		props.Rows = append(props.Rows, reconciled(row))
	}
	if total > 0 {
		props.Stats = []component.StatProps{
			{Label: "Periods", Value: format.Count(total)},
			{Label: "On this page, agree", Value: format.Count(agree) + " of " + format.Count(int64(len(rows)))},
		}
	}
	return r.Page(page.Reconciliation(r.Layout("Reconciliation"), props))
}

func reconciled(r billing.Reconciled) page.ReconciliationRow {
	state := "running"
	if r.Closed {
		state = "closed"
	}
	row := page.ReconciliationRow{Customer: r.Customer + ", " + r.Plan, Period: format.Period(r.Start.UTC(), r.End.UTC()) + ", " + state, OK: r.UnitsHold() && r.MoneyHolds()}
	address := ""
	if r.Invoice != nil {
		address = "/finance/invoices/" + r.Invoice.String()
	}
	excluded := r.Units.Test + r.Units.Unanswered
	row.Identities = []page.IdentityRow{
		units("received = billable + test + unanswered", r.Units.Received, r.Units.Billable+excluded, "", "some calls have no reason to be billed or not"),
		units("billable = invoiced + open", r.Units.Billable, r.Invoiced+r.Open, address, "recompute the usage lines of the invoice to see what changed"),
	}
	if r.Invoice == nil {
		return row
	}
	row.Identities = append(row.Identities, money("sum of the lines = "+r.InvoiceName, r.Lines, r.Total, r.Currency, address, "a line was changed after the total was stored"))
	if r.StripeSubtotal != nil {
		row.Identities = append(row.Identities, money(r.InvoiceName+" = Stripe's subtotal", r.Total, *r.StripeSubtotal, r.Currency, address, "a line is missing or twice at Stripe; nothing was finalized"))
	}
	return row
}

func units(name string, left, right int64, url, cause string) page.IdentityRow {
	difference := max(left-right, right-left)
	return page.IdentityRow{Name: name, Left: format.Count(left), Right: format.Count(right), OK: left == right, URL: url, Cause: format.Counted(difference, "call", "calls") + " apart: " + cause}
}

func money(name string, left, right int64, currency, url, cause string) page.IdentityRow {
	difference := max(left-right, right-left)
	return page.IdentityRow{Name: name, Left: format.Money(left, currency), Right: format.Money(right, currency), OK: left == right, URL: url,
		Cause: format.Money(difference, currency) + " apart: " + cause}
}
