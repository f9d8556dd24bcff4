// Package finance is the work of the finance team: review drafts, trace every
// cent to the calls behind it, and hold our sums against Stripe's.
package finance

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/billing"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/portal/bill"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Finance holds the handlers of /finance.
type Finance struct {
	Clock    *clock.Clock
	Invoices *invoices.Service
	Billing  *billing.Service

	CallsKept int // days that single calls are stored at least
}

// mostCSV bounds a file of invoices.
const mostCSV = 100_000

// monthly is how a month stands in the URL and in a form.
const monthly = "2006-01"

const csvType = "text/csv; charset=utf-8"

// filterOf reads the URL. A status or month that is not one does not narrow, as
// the form then says.
func filterOf(r *request.Request) invoices.Filter {
	f := invoices.Filter{Customer: r.Query("customer")}
	for _, s := range statuses() {
		if s.Value == r.Query("status") {
			f.State = s.Value
		}
	}
	if month, err := time.Parse(monthly, r.Query("issued")); err == nil {
		f.Month = month
	}
	return f
}

func statuses() []component.Option {
	return []component.Option{{Label: "All"}, {Value: invoices.Review, Label: "To review"}, {Value: invoices.Held, Label: "Held"}, {Value: invoices.Approved, Label: "Approved"},
		{Value: invoices.Open, Label: "Open"}, {Value: invoices.Paid, Label: "Paid"}, {Value: invoices.Void, Label: "Void"}}
}

// List shows invoices of all customers.
func (f *Finance) List(r *request.Request) error {
	filter, p := filterOf(r), paging.Of(r, 50)
	list, total, err := f.Invoices.List(r.Ctx(), filter, p.Offset(), p.Size())
	if err != nil {
		return err
	}
	if last := p.Past(total); last != "" {
		return r.Redirect(last)
	}
	sums, err := f.Invoices.Totals(r.Ctx())
	if err != nil {
		return err
	}
	q := r.HTTP().URL.Query()
	q.Del("page")
	props := page.FinanceInvoicesProps{
		Statuses: component.Options(filter.State, statuses()...),
		Customer: filter.Customer, Stats: stats(sums), Total: format.Counted(total, "invoice", "invoices"), Pager: p.Props(total),
	}
	if !filter.Month.IsZero() {
		props.Issued = filter.Month.Format(monthly)
	}
	if len(q) > 0 {
		props.ResetURL = "/finance/invoices"
	}
	if total > 0 {
		props.CSVURL, props.LinesCSVURL = paging.With("/finance/invoices.csv", q), paging.With("/finance/lines.csv", q)
	}
	for _, i := range list {
		row := bill.Row(i, f.Clock.Now(), "/finance/invoices/"+i.ID.String(), true)
		row.CSVURL = "/finance/lines.csv?invoice=" + i.ID.String()
		props.Invoices = append(props.Invoices, row)
	}
	return r.Page(page.FinanceInvoices(r.Layout("Invoices"), props))
}

func stats(sums []invoices.Sums) []component.StatProps {
	var out []component.StatProps
	for _, s := range []struct{ state, label string }{{invoices.Review, "To review"}, {invoices.Held, "Held"}, {invoices.Open, "Open"}, {invoices.Paid, "Paid"}} {
		var count int64
		var amounts []string
		for _, sum := range sums {
			if sum.State == s.state {
				count += sum.Count
				amounts = append(amounts, format.Money(sum.Subtotal, sum.Currency))
			}
		}
		out = append(out, component.StatProps{Label: s.label, Value: format.Count(count), Note: strings.Join(amounts, " + "), URL: "/finance/invoices?status=" + s.state})
	}
	return out
}

// ListCSV is the filtered list as a file, one row per invoice.
func (f *Finance) ListCSV(r *request.Request) error {
	list, _, err := f.Invoices.List(r.Ctx(), filterOf(r), 0, mostCSV)
	if err != nil {
		return err
	}
	return r.Download("invoices.csv", csvType, invoices.ListCSV(list))
}

// LinesCSV is the filtered list as a file, one row per line; with invoice=id,
// the lines of that one.
func (f *Finance) LinesCSV(r *request.Request) error {
	if raw := r.Query("invoice"); raw != "" {
		id, err := uuid.Parse(raw)
		if err != nil {
			id = uuid.Nil // not found
		}
		doc, err := f.Invoices.Get(r.Ctx(), id)
		if err != nil {
			return err
		}
		return r.Download(doc.Name()+"-lines.csv", csvType, invoices.LinesCSV([]invoices.Listed{doc.Listed}, doc.Lines))
	}
	list, _, err := f.Invoices.List(r.Ctx(), filterOf(r), 0, mostCSV)
	if err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	lines, err := f.Invoices.LinesOf(r.Ctx(), ids)
	if err != nil {
		return err
	}
	return r.Download("invoice-lines.csv", csvType, invoices.LinesCSV(list, lines))
}
