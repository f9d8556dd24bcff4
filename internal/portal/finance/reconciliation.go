package finance

import (
	"time"

	"tollgate/internal/billing"
	"tollgate/internal/invoices"
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
		if row.Agrees() {
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
	row := page.ReconciliationRow{Customer: r.Customer + ", " + r.Plan, Period: format.Period(r.Start.UTC(), r.End.UTC()) + ", " + state, OK: r.Agrees()}
	address := ""
	if len(r.Invoices) > 0 {
		address = invoiceURL(r.Invoices[len(r.Invoices)-1])
	}
	excluded, billed := r.Units.Test+r.Units.Unanswered, "billable = invoiced + open"
	if r.Voided > 0 {
		billed = "billable = invoiced + voided + open"
	}
	row.Identities = []page.IdentityRow{
		units("received = billable + test + unanswered", r.Units.Received, r.Units.Billable+excluded, "", "some calls have no reason to be billed or not"),
		units(billed, r.Units.Billable, r.Invoiced+r.Voided+r.Open, address, "recompute the usage lines of the invoice to see what changed"),
	}
	for _, i := range r.Invoices {
		row.Identities = append(row.Identities, sums(i)...)
	}
	return row
}

func invoiceURL(i billing.ReconciledInvoice) string { return "/finance/invoices/" + i.ID.String() }

// sums are what must be equal of one invoice: our lines, its total, Stripe's
// sum once it is issued, and the payment once it is paid.
func sums(i billing.ReconciledInvoice) []page.IdentityRow {
	address := invoiceURL(i)
	out := []page.IdentityRow{money("sum of the lines = "+i.Name, i.Lines, i.Total, i.Currency, address, "a line was changed after the total was stored")}
	switch {
	case i.StripeSubtotal != nil:
		out = append(out, money(i.Name+" = Stripe's subtotal", i.Total, *i.StripeSubtotal, i.Currency, address, "a line is missing or twice at Stripe; nothing was finalized"))
	case i.Issued:
		out = append(out, page.IdentityRow{Name: i.Name + " = Stripe's subtotal", Left: format.Money(i.Total, i.Currency), Right: "unknown", URL: address, Cause: "Stripe's sum was never stored"})
	}
	if i.State == invoices.Paid {
		out = append(out, money(i.Name+" = paid", i.Total, i.Paid, i.Currency, address, "Stripe took another amount, or carries the rest on the customer's balance"))
	}
	return out
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
