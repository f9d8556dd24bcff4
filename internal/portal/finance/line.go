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
	props.CallsURL, props.CSVURL, props.RecomputeURL, props.Kept = address+"/calls", address+"/calls.csv", address+"/recompute", "Single calls are kept; days are UTC."
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
	if again.Same {
		return &page.RecomputeResult{OK: true, Text: text + ", as billed.", Detail: "Counted and rated again from the calls themselves; their hash is the same."}, nil
	}
	out := &page.RecomputeResult{Text: text + "; billed were " + format.Counted(line.EventCount, "call", "calls") + " and " + format.Money(line.Amount, currency) + "."}
	if again.Calls == line.EventCount && again.Amount == line.Amount {
		out.Detail = "The numbers agree, but these are not the same calls: their hash is " + again.Hash + "."
	}
	return out, nil
}

func usage(days []metering.DayRow, p paging.Page, address string) (rows []page.LineUsageRow, total page.LineUsageRow) {
	var calls, units int64
	for _, d := range days {
		calls, units = calls+d.Calls, units+d.Units
	}
	from := p.Offset()
	for _, d := range days[from:min(from+p.Size(), len(days))] {
		q := url.Values{"day": {d.Day.UTC().Format(day)}, "version": {d.VersionID.String()}, "key": {d.KeyID.String()}}
		rows = append(rows, page.LineUsageRow{Day: format.ShortDate(d.Day.UTC()), API: d.API, Key: d.Key, Calls: format.Count(d.Calls), Units: format.Count(d.Units),
			CallsURL: paging.With(address+"/calls", q)})
	}
	return rows, page.LineUsageRow{Calls: format.Count(calls), Units: format.Count(units)}
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
	total, units, err := f.count(r, line, filter)
	if err != nil {
		return err
	}
	if last := p.Past(total); last != "" {
		return r.Redirect(last)
	}
	address := "/finance/lines/" + line.ID.String()
	props := page.LineCallsProps{
		Line: line.Description, LineURL: address, Invoice: bill.Row(doc.Listed, f.Clock.Now(), "", true).Number, InvoiceURL: "/finance/invoices/" + doc.ID.String(),
		Total: format.Counted(total, "call", "calls") + ", " + format.Counted(units, "unit", "units"), Pager: p.Props(total), CSVURL: paging.With(address+"/calls.csv", q),
	}
	if !filter.Day.IsZero() {
		props.Total += " on " + format.ShortDate(filter.Day)
	}
	for _, c := range calls {
		props.Calls = append(props.Calls, page.LineCall{
			Time:   component.TimeProps{Text: c.At.UTC().Format("2 Jan 15:04:05.000"), ISO: c.At.UTC().Format(time.RFC3339Nano), Full: format.DateTime(c.At.UTC())},
			Method: c.Method, Operation: c.Path, Key: c.Key, Status: format.Count(int64(c.Status)), Tone: tone(c.Status), Units: format.Count(c.Units),
			Batch: format.Count(c.BatchID), EventID: c.RequestID.String(),
		})
	}
	return r.Page(page.LineCalls(r.Layout("Calls"), props))
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

func (f *Finance) count(r *request.Request, line invoices.Line, filter metering.DayFilter) (calls, units int64, err error) {
	if line.Kind == invoices.Recurring {
		return 0, 0, nil
	}
	days, err := f.Invoices.Days(r.Ctx(), line)
	for _, d := range days {
		if (filter.Day.IsZero() || filter.Day.Equal(d.Day)) && (filter.Version == uuid.Nil || filter.Version == d.VersionID) && (filter.Key == uuid.Nil || filter.Key == d.KeyID) {
			calls, units = calls+d.Calls, units+d.Units
		}
	}
	return calls, units, err
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
