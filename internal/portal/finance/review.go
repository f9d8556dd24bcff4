package finance

import (
	"net/http"
	"time"

	"tollgate/internal/audit"
	"tollgate/internal/invoices"
	"tollgate/internal/portal/bill"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Invoice shows one invoice with its history and Stripe's sums.
func (f *Finance) Invoice(r *request.Request) error {
	return f.invoicePage(r, http.StatusOK, page.Input{})
}

func (f *Finance) invoicePage(r *request.Request, status int, reason page.Input) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	doc, err := f.Invoices.Get(r.Ctx(), id)
	if err != nil {
		return err
	}
	history, err := f.Invoices.History(r.Ctx(), id)
	if err != nil {
		return err
	}
	loc, now, address := doc.Location(), f.Clock.Now(), "/finance/invoices/"+id.String()
	props := page.FinanceInvoiceProps{
		Number: bill.Row(doc.Listed, now, "", true).Number, Customer: doc.Customer, Status: bill.State(doc.Invoice, true), Notice: bill.Reason(doc.Invoice, loc, true),
		Facts: facts(doc, loc), Totals: bill.Totals(doc.Invoice), Compare: compare(doc.Invoice, doc.Lines), Timeline: timeline(doc, history, now), Reason: reason,
		CSVURL: "/finance/lines.csv?invoice=" + id.String(),
		Lines:  bill.Lines(doc.Lines, doc.Currency, loc, func(l invoices.Line) string { return "/finance/lines/" + l.ID.String() }),
	}
	if doc.State == invoices.Held {
		props.Notice = "Held: " + props.Notice
	}
	if doc.State == invoices.Review || doc.State == invoices.Held {
		props.ApproveURL = address + "/approve"
	}
	if doc.State == invoices.Review {
		props.HoldURL = address + "/hold"
	}
	return r.PageStatus(status, page.FinanceInvoice(r.Layout("Invoice "+doc.Name()), props))
}

func facts(doc invoices.Document, loc *time.Location) []component.Fact {
	out := []component.Fact{
		{Name: "Plan", Value: doc.ProductName + " " + doc.PlanName}, {Name: "Period", Value: format.Period(doc.PeriodStart.In(loc), doc.PeriodEnd.In(loc))},
		{Name: "Kind", Value: map[string]string{invoices.First: "first fee, in advance", invoices.Period: "usage of a period and the next fee", invoices.Final: "last usage"}[doc.Reason]},
		{Name: "Drafted", Value: format.DateTime(doc.CreatedAt.In(loc))},
	}
	moment := func(name string, t *time.Time) {
		if t != nil {
			out = append(out, component.Fact{Name: name, Value: format.DateTime(t.In(loc))})
		}
	}
	moment("Approved", doc.ApprovedAt)
	moment("Issued", doc.IssuedAt)
	moment("Paid", doc.PaidAt)
	moment("Next attempt", doc.NextAttemptAt)
	if doc.PayAttempts > 0 {
		out = append(out, component.Fact{Name: "Refused payments", Value: format.Count(int64(doc.PayAttempts))})
	}
	if doc.StripeInvoiceID != nil {
		out = append(out, component.Fact{Name: "At Stripe", Value: *doc.StripeInvoiceID, Mono: true})
	}
	if doc.StripeNumber != "" {
		out = append(out, component.Fact{Name: "Stripe's number", Value: doc.StripeNumber, Mono: true})
	}
	return out
}

// compare holds our lines against the invoice's total and Stripe's sum.
func compare(i invoices.Invoice, lines []invoices.Line) []page.CompareRow {
	var sum int64
	for _, l := range lines {
		sum += l.Amount
	}
	rows := []page.CompareRow{}
	if i.StripeSubtotal != nil {
		rows = append(rows, page.CompareRow{Label: "Sum of the lines", Ours: format.Money(sum, i.Currency), Other: format.Money(*i.StripeSubtotal, i.Currency), OK: sum == *i.StripeSubtotal,
			Cause: format.Money(*i.StripeSubtotal-sum, i.Currency) + " more at Stripe"})
	}
	if i.State == invoices.Paid {
		rows = append(rows, page.CompareRow{Label: "Paid", Ours: format.Money(i.Subtotal, i.Currency), Other: format.Money(i.AmountPaid, i.Currency), OK: i.Subtotal == i.AmountPaid,
			Cause: "paid " + format.Money(i.AmountPaid, i.Currency) + " of " + format.Money(i.Subtotal, i.Currency)})
	}
	return rows
}

var actions = map[string]string{"invoice.approve": "Approved", "invoice.hold": "Held", "invoice.paid": "Paid", "invoice.void": "Voided"}

func timeline(doc invoices.Document, history []audit.Entry, now time.Time) []page.TimelineRow {
	loc := doc.Location()
	rows := []page.TimelineRow{{Title: "Drafted", Detail: "by the close of the period,", Time: format.Moment(doc.CreatedAt.In(loc), now)}}
	if doc.Reason == invoices.First {
		rows[0].Detail = "when the customer subscribed,"
	}
	for _, e := range history {
		row := page.TimelineRow{Title: actions[e.Action], Detail: "by " + e.Email + ",", Time: format.Moment(e.At.In(loc), now)}
		if row.Title == "" {
			row.Title = e.Action
		}
		if e.Email == "" {
			row.Detail = "by the system,"
		}
		if e.Details["reason"] != "" {
			row.Detail = "by " + e.Email + ": " + e.Details["reason"] + ","
		}
		rows = append(rows, row)
	}
	return rows
}

// Approve releases a draft to be issued and collected.
func (f *Finance) Approve(r *request.Request) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	if err := f.Billing.Approve(r.Ctx(), r.Identity.User, id); err != nil {
		return err
	}
	return r.RedirectWith("Approved. It is issued and collected in the background.", "/finance/invoices/"+id.String())
}

// Hold sets a draft aside.
func (f *Finance) Hold(r *request.Request) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	err = f.Invoices.Hold(r.Ctx(), r.Identity.User, id, r.Form("reason"))
	if fields, ok := request.Fields(err); err != nil && ok {
		return f.invoicePage(r, http.StatusUnprocessableEntity, page.Input{Value: r.Form("reason"), Error: fields["reason"]})
	}
	if err != nil {
		return err
	}
	return r.RedirectWith("Held. Nothing is issued until it is approved.", "/finance/invoices/"+id.String())
}
