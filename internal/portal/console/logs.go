package console

import (
	"context"

	"tollgate/internal/invoices"
	"tollgate/internal/metering"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/page"
)

// mostCSV bounds a file of calls.
const mostCSV = 50_000

// Logs lists single calls.
func (c *Console) Logs(r *request.Request) error {
	f, p := c.parse(r), paging.Of(r, 50)
	org, err := c.org(r)
	if err != nil {
		return err
	}
	calls, total, err := c.calls(r, f, p.Offset(), p.Size())
	if err != nil {
		return err
	}
	if last := p.Past(total); last != "" {
		return r.Redirect(last)
	}
	props := page.LogsProps{
		Calls: callRows(calls, c.Clock.Now().In(org.Location())), Total: format.Counted(total, "call", "calls"), Pager: p.Props(total),
		Retention: "Single calls are listed for " + format.Counted(int64(c.CallsKept), "day", "days") + " at least; what was used of each hour stays for good. Days are UTC. Calls that the gateway refused are counted on the overview, not listed here, and never billed.",
	}
	if !f.hour.IsZero() {
		props.Total += " from " + f.hour.Format("15:04") + " to " + f.hour.Format("15:59 MST")
	}
	if total > 0 {
		props.CSVURL = paging.With("/console/logs.csv", f.query())
	}
	if props.Filters, err = c.filterProps(r, f, "/console/logs"); err != nil {
		return err
	}
	if len(calls) == 0 {
		if props.Start, err = c.start(r); err != nil {
			return err
		}
	}
	return r.Page(page.Logs(r.Layout("Logs"), props))
}

// LogsCSV is the same calls as a file, the newest 50,000.
func (c *Console) LogsCSV(r *request.Request) error {
	calls, _, err := c.calls(r, c.parse(r), 0, mostCSV)
	if err != nil {
		return err
	}
	return r.Download("calls.csv", "text/csv; charset=utf-8", invoices.CallsCSV(calls))
}

func (c *Console) calls(r *request.Request, f filters, offset, most int) (calls []metering.Call, total int64, err error) {
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		calls, total, err = metering.Calls(ctx, tx.PGX, f.usage(r), offset, most)
		return err
	})
	return calls, total, err
}
