// Package bill writes invoices, lines and plans the way that people read them.
// It is pure: domain values in, props out.
package bill

import (
	"strings"
	"time"

	"tollgate/internal/invoices"
	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/pricing"
	"tollgate/web/component"
	"tollgate/web/page"
)

// State is an invoice's state in words. Customers do not see why finance holds one.
func State(i invoices.Invoice, staff bool) component.BadgeProps {
	switch {
	case i.State == invoices.Paid:
		return component.BadgeProps{Label: "Paid", Tone: component.OK}
	case i.State == invoices.Void:
		return component.BadgeProps{Label: "Void"}
	case i.State == invoices.Open && i.Failure != "":
		return component.BadgeProps{Label: "Payment failed", Tone: component.Bad}
	case i.State == invoices.Open:
		return component.BadgeProps{Label: "Open", Tone: component.Warn}
	case !staff:
		return component.BadgeProps{Label: "Being prepared"}
	case i.State == invoices.Review:
		return component.BadgeProps{Label: "To review", Tone: component.Accent}
	case i.State == invoices.Held:
		return component.BadgeProps{Label: "Held", Tone: component.Warn}
	}
	return component.BadgeProps{Label: "Approved", Tone: component.Accent}
}

// Reason says why an invoice stands as it does; empty when that is plain.
func Reason(i invoices.Invoice, loc *time.Location, staff bool) string {
	if i.State == invoices.Held && staff {
		return i.HoldReason
	}
	if i.State == invoices.Paid && staff {
		return i.Failure
	}
	if i.State != invoices.Open || i.Failure == "" {
		return ""
	}
	if i.NextAttemptAt != nil {
		return i.Failure + " Next try on " + format.Date(i.NextAttemptAt.In(loc)) + "."
	}
	return i.Failure + " It is tried again once another card is stored."
}

// Row is an invoice in a list.
func Row(i invoices.Listed, now time.Time, url string, staff bool) page.InvoiceRow {
	loc := i.Location()
	row := page.InvoiceRow{
		Number: i.Name(), URL: url, Customer: i.Customer, Period: format.Period(i.PeriodStart.In(loc), i.PeriodEnd.In(loc)),
		Total: format.Money(i.Subtotal, i.Currency), Status: State(i.Invoice, staff), Reason: Reason(i.Invoice, loc, staff),
	}
	if i.Number == nil {
		row.Number = "Draft, " + i.ProductName + " " + i.PlanName
	}
	row.Issued = component.TimeProps{Text: "not yet"}
	if i.IssuedAt != nil {
		row.Issued = format.Moment(i.IssuedAt.In(loc), now)
	}
	return row
}

// Lines are an invoice's lines with their arithmetic; url gives each its
// drill-down, or nothing.
func Lines(lines []invoices.Line, currency string, loc *time.Location, url func(invoices.Line) string) []page.InvoiceLine {
	out := make([]page.InvoiceLine, len(lines))
	for i, l := range lines {
		out[i] = page.InvoiceLine{
			Description: l.Description, Period: format.Period(l.PeriodStart.In(loc), l.PeriodEnd.In(loc)), Quantity: format.Count(l.Quantity),
			Amount: format.Money(l.Amount, currency), Arithmetic: Arithmetic(l.Details, currency), URL: url(l),
		}
		if l.Kind == invoices.Adjustment {
			out[i].Description += ", arrived after the period was billed"
		}
	}
	return out
}

// Arithmetic is how a line's amount came about, price tier by price tier.
func Arithmetic(details []pricing.Detail, currency string) []page.BillLine {
	out := make([]page.BillLine, len(details))
	for i, d := range details {
		out[i] = page.BillLine{Label: label(d), Arithmetic: product(d, currency), Amount: format.Money(d.Amount, currency)}
	}
	return out
}

func label(d pricing.Detail) string {
	note := strings.ToUpper(d.Note[:min(1, len(d.Note))]) + d.Note[min(1, len(d.Note)):]
	span := format.Calls(d.From, d.To)
	switch {
	case d.From == 0 && d.To == 0 && note == "":
		return "Calls"
	case d.From == 0 && d.To == 0:
		return note
	case d.To < d.From:
		return "No calls, flat amount"
	case d.To == pricing.NoEnd:
		span = "Calls from " + format.Count(d.From)
	}
	if note != "" {
		return span + ", " + d.Note
	}
	return span
}

func product(d pricing.Detail, currency string) string {
	if d.From == 0 && d.To == 0 && d.Quantity == 0 && d.Flat == 0 {
		return ""
	}
	text := format.Count(d.Quantity) + " × " + format.Rate(d.Rate, currency)
	if d.Flat != 0 {
		text += " + " + format.Money(d.Flat, currency)
	}
	return text
}

// Totals are the sums under an invoice's lines.
func Totals(i invoices.Invoice) []page.TotalRow {
	rows := []page.TotalRow{{Label: "Total", Amount: format.Money(i.Subtotal, i.Currency), Strong: true}}
	if i.AmountPaid != 0 {
		rows = append(rows, page.TotalRow{Label: "Paid", Amount: format.Money(i.AmountPaid, i.Currency)},
			page.TotalRow{Label: "Still due", Amount: format.Money(i.Subtotal-i.AmountPaid, i.Currency)})
	}
	return rows
}

// Limits are a plan's limits, and what calls cost under it.
func Limits(t plans.Terms) []component.Fact {
	facts := limits(t)
	if len(t.Components) == 0 {
		return append(facts, component.Fact{Name: "Calls", Value: "included"})
	}
	for _, c := range t.Components {
		facts = append(facts, prices(c, t.Currency)...)
	}
	return facts
}

func limits(t plans.Terms) (facts []component.Fact) {
	quota := component.Fact{Name: "Quota", Value: "none"}
	for _, l := range t.Limits {
		switch {
		case l.Quota && l.Hard:
			quota.Value = offer.Limit(l) + ", then refused"
		case l.Quota:
			quota.Value = offer.Limit(l) + ", then " + strings.ToLower(offer.Overage(t))
		case l.Concurrent:
			facts = append(facts, component.Fact{Name: "Calls under way", Value: offer.Described(l)})
		default:
			facts = append(facts, component.Fact{Name: "Rate limit", Value: offer.Described(l)})
		}
	}
	if len(facts) == 0 {
		facts = append(facts, component.Fact{Name: "Rate limit", Value: "none"})
	}
	return append(facts, quota)
}

func prices(c plans.Component, currency string) (facts []component.Fact) {
	if c.Included > 0 {
		facts = append(facts, component.Fact{Name: "Included", Value: format.Counted(c.Included, "call", "calls") + " a month"})
	}
	from := c.Included + 1
	for _, t := range c.Tiers {
		name := "Calls from " + format.Count(from)
		if t.UpTo != pricing.NoEnd {
			to := t.UpTo + c.Included
			name = format.Calls(from, to)
			from = to + 1
		}
		price := format.Rate(t.Rate, currency) + " each"
		if c.Model == pricing.Package {
			price = format.Rate(t.Rate, currency) + " per " + format.Count(c.PackageSize)
		}
		if t.Flat != 0 {
			price += " and " + format.Money(t.Flat, currency) + " once"
		}
		facts = append(facts, component.Fact{Name: name, Value: price})
	}
	return facts
}
