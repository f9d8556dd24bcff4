package console

import (
	"time"

	"tollgate/internal/accounts"
	"tollgate/internal/billing"
	"tollgate/internal/invoices"
	"tollgate/internal/portal/bill"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// BillingPage shows what is coming, the card, and all invoices.
func (c *Console) BillingPage(r *request.Request) error {
	org, err := c.org(r)
	if err != nil {
		return err
	}
	next, err := c.Billing.Next(r.Ctx(), org.ID)
	if err != nil {
		return err
	}
	p := paging.Of(r, 25)
	list, total, err := c.Invoices.List(r.Ctx(), invoices.Filter{Org: org.ID}, p.Offset(), p.Size())
	if err != nil {
		return err
	}
	if last := p.Past(total); last != "" {
		return r.Redirect(last)
	}
	open, _, err := c.Invoices.List(r.Ctx(), invoices.Filter{Org: org.ID, State: invoices.Open}, 0, 20)
	if err != nil {
		return err
	}
	now := c.Clock.Now().In(org.Location())
	props := page.BillingProps{Next: nextInvoice(next, org.Location()), Unpaid: unpaid(open), Payment: payment(org, next, open, now), Pager: p.Props(total)}
	for _, i := range list {
		address := "/console/invoices/" + i.ID.String()
		row := bill.Row(i, now, address, false)
		row.CSVURL = address + "/lines.csv"
		props.Invoices = append(props.Invoices, row)
	}
	return r.Page(page.Billing(r.Layout("Billing"), props))
}

// unpaid says what is owed when no further invoice is coming; nil for nothing.
func unpaid(open []invoices.Listed) *page.Unpaid {
	if len(open) == 0 {
		return nil
	}
	i := open[0]
	out := page.Unpaid{Title: format.Money(i.Subtotal, i.Currency) + " for " + i.ProductName + " " + i.PlanName + " is unpaid", URL: "/console/invoices/" + i.ID.String()}
	switch {
	case i.Failure == "":
		out.Detail = "It is being collected; look again in a minute."
	case i.Reason == invoices.First:
		out.Detail = "The payment was declined, so the plan has not begun. Update the card: it is charged again at once, and the plan begins."
	default:
		out.Detail = "The payment was declined. Update the card: it is charged again at once."
	}
	return &out
}

func payment(org accounts.Organization, next []billing.Forecast, open []invoices.Listed, now time.Time) page.PaymentMethod {
	p := page.PaymentMethod{Text: cardText(org), Warning: cardWarning(org, next, now), Action: "/console/billing/card"}
	if p.Text != "" {
		p.Expires = "expires " + org.CardExpires
	}
	for _, i := range open {
		if i.Failure == "" {
			continue
		}
		p.Warning = "The payment of " + format.Money(i.Subtotal, i.Currency) + " for " + i.ProductName + " " + i.PlanName + " was declined: " + i.Failure
		if i.Reason == invoices.First {
			p.Warning += " The subscription begins as soon as it is paid."
		}
		p.Warning += " Update the card, and it is charged again at once."
		break
	}
	return p
}

// nextInvoice joins the forecasts of all plans into one preview; nil when
// nothing is coming.
func nextInvoice(next []billing.Forecast, loc *time.Location) *page.NextInvoice {
	var out page.NextInvoice
	var first time.Time
	plans := 0
	for _, n := range next {
		if len(n.Lines) == 0 {
			continue
		}
		plans++
		usage := func(l invoices.Line) string {
			if l.Kind == invoices.Recurring {
				return ""
			}
			return paging.With("/console/logs", filters{from: l.PeriodStart.UTC(), to: l.PeriodEnd.UTC().AddDate(0, 0, 1)}.query())
		}
		for i, line := range bill.Lines(n.Lines, n.Terms.Currency, loc, usage) {
			if n.Lines[i].Kind != invoices.Recurring {
				line.Description = n.Subscription.ProductName + " " + n.Subscription.PlanName + ": " + line.Description
			}
			out.Lines = append(out.Lines, line)
		}
		if end := *n.Subscription.PeriodEnd; first.IsZero() || end.Before(first) {
			first = end
			out.Period = format.Period(n.Subscription.PeriodStart.In(loc), end.In(loc))
		}
	}
	if plans == 0 {
		return nil
	}
	out.Date = "Due on " + format.Date(first.In(loc))
	if plans > 1 {
		out.Period, out.Date = format.Counted(int64(plans), "plan", "plans")+", an invoice each", "The first is due on "+format.Date(first.In(loc))
	}
	out.Totals = []page.TotalRow{{Label: "So far", Amount: sums(next), Strong: true}}
	out.AsOf = "Counted up to this moment; a call shows here within a second. Calls still to come in the period add to it."
	return &out
}

// UpdateCard opens Stripe's page that stores another card.
func (c *Console) UpdateCard(r *request.Request) error {
	url, err := c.Billing.OpenCardUpdate(r.Ctx(), r.Identity)
	if err != nil {
		return err
	}
	return r.Redirect(url)
}

// Invoice shows one of the organization's invoices.
func (c *Console) Invoice(r *request.Request) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	doc, err := c.Invoices.Get(r.Ctx(), id)
	if err != nil {
		return err
	}
	org, err := c.org(r)
	if err != nil {
		return err
	}
	seller, err := c.Accounts.Provider(r.AsStaff())
	if err != nil {
		return err
	}
	loc := org.Location()
	props := page.InvoiceProps{
		Number: doc.Name(), Status: bill.State(doc.Invoice, false), Notice: bill.Reason(doc.Invoice, loc, false), Seller: []string{seller.Name}, Buyer: []string{doc.Customer},
		Facts: invoiceFacts(doc, loc), Totals: bill.Totals(doc.Invoice), CSVURL: "/console/invoices/" + id.String() + "/lines.csv",
		Lines: bill.Lines(doc.Lines, doc.Currency, loc, func(l invoices.Line) string {
			if l.Kind == invoices.Recurring {
				return ""
			}
			return paging.With("/console/logs", filters{from: l.PeriodStart.UTC(), to: l.PeriodEnd.UTC().AddDate(0, 0, 1)}.query())
		}),
	}
	return r.Page(page.Invoice(r.Layout("Invoice "+doc.Name()), props))
}

func invoiceFacts(doc invoices.Document, loc *time.Location) []component.Fact {
	facts := []component.Fact{{Name: "Plan", Value: doc.ProductName + " " + doc.PlanName}, {Name: "Period", Value: format.Period(doc.PeriodStart.In(loc), doc.PeriodEnd.In(loc))}}
	if doc.IssuedAt != nil {
		facts = append(facts, component.Fact{Name: "Issued", Value: format.Date(doc.IssuedAt.In(loc))})
	}
	if doc.PaidAt != nil {
		facts = append(facts, component.Fact{Name: "Paid", Value: format.Date(doc.PaidAt.In(loc))})
	}
	if doc.StripeNumber != "" {
		facts = append(facts, component.Fact{Name: "Stripe", Value: doc.StripeNumber, Mono: true})
	}
	return facts
}

// InvoiceCSV has one row per line of an invoice.
func (c *Console) InvoiceCSV(r *request.Request) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	doc, err := c.Invoices.Get(r.Ctx(), id)
	if err != nil {
		return err
	}
	return r.Download(doc.Name()+".csv", "text/csv; charset=utf-8", invoices.LinesCSV([]invoices.Listed{doc.Listed}, doc.Lines))
}
