package finance

import (
	"io"
	"net/url"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/invoices"
	"tollgate/internal/metering"
	"tollgate/internal/portal/bill"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

const day = "2006-01-02"

// Line shows how a line came about: its arithmetic, its days, what was frozen.
func (f *Finance) Line(r *request.Request) error { return f.linePage(r, false) }

// Recompute counts and rates the line again from the calls themselves and shows
// the result. It changes nothing.
func (f *Finance) Recompute(r *request.Request) error { return f.linePage(r, true) }

func (f *Finance) linePage(r *request.Request, again bool) error {
	line, doc, err := f.line(r)
	if err != nil {
		return err
	}
	address, loc := "/finance/lines/"+line.ID.String(), doc.Location()
	props := page.LineProps{
		Description: line.Description, Amount: format.Money(line.Amount, doc.Currency) + " for " + format.Period(line.PeriodStart.In(loc), line.PeriodEnd.In(loc)),
		Invoice: bill.Row(doc.Listed, f.Clock.Now(), "", true).Number, InvoiceURL: "/finance/invoices/" + doc.ID.String(),
		Tiers: bill.Arithmetic(line.Details, doc.Currency), TiersTotal: format.Money(line.Amount, doc.Currency), Facts: frozen(line),
	}
	if line.Kind == invoices.Recurring {
		props.Tiers = []page.BillLine{{Label: "Fee, in advance", Arithmetic: "1 × " + format.Money(line.Amount, doc.Currency), Amount: format.Money(line.Amount, doc.Currency)}}
		return r.Page(page.Line(r.Layout(line.Description), props))
	}
	props.CallsURL, props.CSVURL, props.RecomputeURL, props.Kept = address+"/calls", address+"/calls.csv", address+"/recompute", ""
	meter, err := f.Invoices.Meter(r.Ctx(), line)
	if err != nil {
		return err
	}
	if props.Kept, err = f.kept(r, line); err != nil {
		return err
	}
	props.Quantity = quantityLabels[meter]
	if again {
		if props.Recompute, err = f.recomputed(r, line, doc.Currency); err != nil {
			return err
		}
	}
	days, err := f.Invoices.Days(r.Ctx(), line)
	if err != nil {
		return err
	}
	p := paging.Of(r, 200)
	if last := p.Past(int64(len(days))); last != "" {
		return r.Redirect(last)
	}
	props.Pager = p.Props(int64(len(days)))
	props.Usage, props.UsageTotal = usage(days, p, address)
	return r.Page(page.Line(r.Layout(line.Description), props))
}

// line reads the line that the path names.
func (f *Finance) line(r *request.Request) (line invoices.Line, doc invoices.Document, err error) {
	id, err := r.ParamID("id")
	if err != nil {
		return line, doc, err
	}
	return f.Invoices.Line(r.Ctx(), id)
}

func frozen(l invoices.Line) []component.Fact {
	facts := []component.Fact{{Name: "Kind", Value: l.Kind}, {Name: "Quantity", Value: format.Count(l.Quantity)}}
	if l.Kind == invoices.Recurring {
		return facts
	}
	return append(facts,
		component.Fact{Name: "Calls", Value: format.Count(l.EventCount)},
		component.Fact{Name: "From", Value: format.DateTime(l.PeriodStart.UTC())},
		component.Fact{Name: "Until before", Value: format.DateTime(l.PeriodEnd.UTC())},
		component.Fact{Name: "Batches", Value: "after " + format.Count(l.BatchAfter) + ", up to " + format.Count(l.BatchTo)},
		component.Fact{Name: "Hash of the calls", Value: l.UsageHash, Mono: true})
}

func (f *Finance) recomputed(r *request.Request, line invoices.Line, currency string) (*page.RecomputeResult, error) {
	again, err := f.Billing.Recompute(r.Ctx(), line)
	if err != nil {
		return nil, err
	}
	text := format.Counted(again.Calls, "call", "calls") + " and " + format.Money(again.Amount, currency)
	if again.Same && again.Stored > 0 {
		return &page.RecomputeResult{OK: true, Text: text + ", as billed.", Detail: "Single calls of " + format.Count(again.Stored) + " are gone: for them the counts stored of their days were rated again."}, nil
	}
	if again.Same {
		return &page.RecomputeResult{OK: true, Text: text + ", as billed.", Detail: "Counted and rated again from the calls themselves; their hash is the same."}, nil
	}
	out := &page.RecomputeResult{Text: text + "; billed were " + format.Counted(line.EventCount, "call", "calls") + " and " + format.Money(line.Amount, currency) + "."}
	if again.Calls == line.EventCount && again.Amount == line.Amount {
		out.Detail = "The numbers agree, but these are not the same calls: their hash is " + again.Hash + "."
	}
	return out, nil
}

// quantityLabels head the column of what a meter counts.
var quantityLabels = map[string]string{metering.Requests: "Quantity", metering.Units: "Units", metering.BytesIn: "Bytes", metering.BytesOut: "Bytes", metering.Bytes: "Bytes", metering.Duration: "Milliseconds"}

// kept says until when a line's single calls are stored.
func (f *Finance) kept(r *request.Request, line invoices.Line) (string, error) {
	gone, err := f.Invoices.Dropped(r.Ctx())
	switch {
	case err != nil:
		return "", err
	case line.PeriodEnd.After(gone) && line.PeriodStart.Before(gone):
		return "Single calls of before " + format.Date(gone.UTC()) + " are gone; their counts and hashes are kept. Days are UTC.", nil
	case line.PeriodStart.Before(gone):
		return "The single calls are gone; their counts and hashes are kept. Days are UTC.", nil
	}
	return "Single calls are kept until " + format.Date(line.PeriodStart.UTC().AddDate(0, 0, f.CallsKept)) + " at least, counts and hashes for good. Days are UTC.", nil
}

func usage(days []invoices.DayCount, p paging.Page, address string) (rows []page.LineUsageRow, total page.LineUsageRow) {
	var calls, quantity int64
	for _, d := range days {
		calls, quantity = calls+d.Calls, quantity+d.Quantity
	}
	from := p.Offset()
	for _, d := range days[from:min(from+p.Size(), len(days))] {
		row := page.LineUsageRow{Day: format.ShortDate(d.Day.UTC()), API: d.API, Key: d.Key, Calls: format.Count(d.Calls), Units: format.Count(d.Quantity)}
		if !d.Gone {
			row.CallsURL = paging.With(address+"/calls", url.Values{"day": {d.Day.UTC().Format(day)}, "version": {d.VersionID.String()}, "key": {d.KeyID.String()}})
		}
		rows = append(rows, row)
	}
	return rows, page.LineUsageRow{Calls: format.Count(calls), Units: format.Count(quantity)}
}

// narrowed is the part of a line that the URL names. A value that cannot be
// read names nothing of it.
func narrowed(r *request.Request) (f metering.DayFilter, q url.Values) {
	q = url.Values{}
	keep := func(name string, err error) {
		if r.Query(name) != "" && err == nil {
			q.Set(name, r.Query(name))
		}
	}
	var err error
	f.Day, err = time.Parse(day, r.Query("day"))
	keep("day", err)
	f.Version, err = uuid.Parse(r.Query("version"))
	keep("version", err)
	f.Key, err = uuid.Parse(r.Query("key"))
	keep("key", err)
	return f, q
}

// LineCalls lists the single calls of a line, or of a day, version and key in it.
func (f *Finance) LineCalls(r *request.Request) error {
	line, doc, err := f.line(r)
	if err != nil {
		return err
	}
	filter, q := narrowed(r)
	p := paging.Of(r, 100)
	calls, err := f.callsOf(r, line, filter, p.Offset(), p.Size())
	if err != nil {
		return err
	}
	total, quantity, err := f.count(r, line, filter)
	if err != nil {
		return err
	}
	meter, err := f.Invoices.Meter(r.Ctx(), line)
	if err != nil {
		return err
	}
	if last := p.Past(total); last != "" {
		return r.Redirect(last)
	}
	address := "/finance/lines/" + line.ID.String()
	props := page.LineCallsProps{
		Line: line.Description, LineURL: address, Invoice: bill.Row(doc.Listed, f.Clock.Now(), "", true).Number, InvoiceURL: "/finance/invoices/" + doc.ID.String(),
		Total: format.Counted(total, "call", "calls") + quantityOf(meter, quantity), Quantity: quantityLabels[meter], Pager: p.Props(total), CSVURL: paging.With(address+"/calls.csv", q),
	}
	if !filter.Day.IsZero() {
		props.Total += " on " + format.ShortDate(filter.Day)
	}
	if gone, err := f.Invoices.Dropped(r.Ctx()); err != nil {
		return err
	} else if line.PeriodStart.Before(gone) {
		props.Gone = "Single calls of before " + format.Date(gone.UTC()) + " are not stored any more. What they came to stands on the line's page, day by day."
	}
	for _, c := range calls {
		props.Calls = append(props.Calls, page.LineCall{
			Time:   component.TimeProps{Text: c.At.UTC().Format("2 Jan 15:04:05.000"), ISO: c.At.UTC().Format(time.RFC3339Nano), Full: format.DateTime(c.At.UTC())},
			Method: c.Method, Operation: c.Path, Key: c.Key, Status: format.Count(int64(c.Status)), Tone: tone(c.Status), Units: format.Count(c.Amounts().On(meter)),
			Batch: format.Count(c.BatchID), EventID: c.RequestID.String(),
		})
	}
	return r.Page(page.LineCalls(r.Layout("Calls"), props))
}

// quantityOf says a quantity in words, unless calls alone are counted.
func quantityOf(meter string, n int64) string {
	switch meter {
	case metering.Requests:
		return ""
	case metering.Units:
		return ", " + format.Counted(n, "unit", "units")
	case metering.Duration:
		return ", " + format.Counted(n, "millisecond", "milliseconds")
	}
	return ", " + format.Counted(n, "byte", "bytes")
}

func tone(status int16) component.Tone {
	switch {
	case status >= 500:
		return component.Bad
	case status >= 400:
		return component.Warn
	}
	return component.OK
}

// callsOf lists calls of a usage line; a fee has none.
func (f *Finance) callsOf(r *request.Request, line invoices.Line, filter metering.DayFilter, offset, most int) ([]metering.Call, error) {
	if line.Kind == invoices.Recurring {
		return nil, nil
	}
	return f.Invoices.Calls(r.Ctx(), line, filter, offset, most)
}

func (f *Finance) count(r *request.Request, line invoices.Line, filter metering.DayFilter) (calls, quantity int64, err error) {
	if line.Kind == invoices.Recurring {
		return 0, 0, nil
	}
	days, err := f.Invoices.Days(r.Ctx(), line)
	for _, d := range days {
		if !d.Gone && (filter.Day.IsZero() || filter.Day.Equal(d.Day)) && (filter.Version == uuid.Nil || filter.Version == d.VersionID) && (filter.Key == uuid.Nil || filter.Key == d.KeyID) {
			calls, quantity = calls+d.Calls, quantity+d.Quantity
		}
	}
	return calls, quantity, err
}

// LineCallsCSV is exactly the calls that were billed, one row each.
func (f *Finance) LineCallsCSV(r *request.Request) error {
	line, doc, err := f.line(r)
	if err != nil {
		return err
	}
	filter, _ := narrowed(r)
	return r.Stream(doc.Name()+"-calls.csv", csvType, func(w io.Writer) error {
		return invoices.WriteCalls(w, func(row func(metering.Call) error) error {
			if line.Kind == invoices.Recurring {
				return nil // a fee has none
			}
			return f.Invoices.EachCall(r.Ctx(), line, filter, row)
		})
	})
}
