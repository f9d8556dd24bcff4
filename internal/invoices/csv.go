package invoices

import (
	"bytes"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"tollgate/internal/metering"
)

// cell keeps a spreadsheet from running a text as a formula.
func cell(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r") {
		return "'" + text
	}
	return text
}

func write(rows [][]string) []byte {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.WriteAll(rows) // a buffer takes everything
	return buf.Bytes()
}

// zeroDecimal are currencies whose minor unit is the unit itself (Stripe's
// documentation, "Zero-decimal currencies").
var zeroDecimal = map[string]bool{"jpy": true, "krw": true, "vnd": true, "clp": true, "xaf": true, "xof": true, "xpf": true}

// Amount is minor units as a decimal text, like 49.30; exact.
func Amount(minor int64, currency string) string {
	if zeroDecimal[currency] {
		return strconv.FormatInt(minor, 10)
	}
	return decimal.New(minor, -2).StringFixed(2)
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// number is an invoice's number; a draft has none.
func number(i Listed) string {
	if i.Number == nil {
		return ""
	}
	return *i.Number
}

// ListCSV has one row per invoice.
func ListCSV(list []Listed) []byte {
	rows := [][]string{{"invoice", "number", "customer", "state", "currency", "total", "paid", "period_start", "period_end", "issued_at", "paid_at", "stripe_invoice", "stripe_number"}}
	for _, i := range list {
		stripe := ""
		if i.StripeInvoiceID != nil {
			stripe = *i.StripeInvoiceID
		}
		rows = append(rows, []string{i.ID.String(), number(i), cell(i.Customer), i.State, i.Currency, Amount(i.Subtotal, i.Currency), Amount(i.AmountPaid, i.Currency),
			stamp(&i.PeriodStart), stamp(&i.PeriodEnd), stamp(i.IssuedAt), stamp(i.PaidAt), stripe, i.StripeNumber})
	}
	return write(rows)
}

// LinesCSV has one row per line of the given invoices.
func LinesCSV(list []Listed, lines []Line) []byte {
	byID := map[string]Listed{}
	for _, i := range list {
		byID[i.ID.String()] = i
	}
	rows := [][]string{{"invoice", "number", "customer", "line", "kind", "description", "quantity", "amount", "currency", "period_start", "period_end", "calls", "batch_after", "batch_to", "usage_hash"}}
	for _, l := range lines {
		i := byID[l.InvoiceID.String()]
		rows = append(rows, []string{l.InvoiceID.String(), number(i), cell(i.Customer), l.ID.String(), l.Kind, cell(l.Description), strconv.FormatInt(l.Quantity, 10),
			Amount(l.Amount, i.Currency), i.Currency, stamp(&l.PeriodStart), stamp(&l.PeriodEnd), strconv.FormatInt(l.EventCount, 10),
			strconv.FormatInt(l.BatchAfter, 10), strconv.FormatInt(l.BatchTo, 10), l.UsageHash})
	}
	return write(rows)
}

// calls is how many calls a row stands for. It is more than one where the single
// calls are gone: usage_hash is then that of their ids.
var callHead = []string{"request_id", "at", "api", "method", "path", "operation", "status", "units", "billable", "mode", "key", "duration_us", "bytes_in", "bytes_out", "batch", "calls", "usage_hash"}

func callRow(c metering.Call) []string {
	if k := c.Kept; k != nil {
		return []string{"", k.Day.UTC().Format(time.DateOnly), cell(k.API), "", "", "single calls of this day are gone", "", "", "true", "live", cell(k.Key), "", "", "", "", strconv.FormatInt(k.Calls, 10), k.Hash}
	}
	return []string{c.RequestID.String(), c.At.UTC().Format(time.RFC3339Nano), cell(c.API), c.Method, cell(c.Path), cell(c.Operation), strconv.Itoa(int(c.Status)),
		strconv.FormatInt(c.Units, 10), strconv.FormatBool(c.Billable), c.Mode, cell(c.Key), strconv.FormatInt(c.DurationUs, 10),
		strconv.FormatInt(c.BytesIn, 10), strconv.FormatInt(c.BytesOut, 10), strconv.FormatInt(c.BatchID, 10), "1", ""}
}

// CallsCSV has one row per call.
func CallsCSV(calls []metering.Call) []byte {
	rows := [][]string{callHead}
	for _, c := range calls {
		rows = append(rows, callRow(c))
	}
	return write(rows)
}

// WriteCalls is CallsCSV for any number of calls: each is written as it is read.
func WriteCalls(out io.Writer, each func(func(metering.Call) error) error) error {
	w := csv.NewWriter(out)
	if err := w.Write(callHead); err != nil {
		return err
	}
	if err := each(func(c metering.Call) error { return w.Write(callRow(c)) }); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
