package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"strconv"
	"time"

	"tollgate/internal/metering"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/component"
	"tollgate/web/page"
)

// used is what the usage page shows, read in one transaction.
type used struct {
	series                []metering.Bucket
	byAPI, byKey, byState []metering.Share
	p95                   int64
}

// Usage shows calls over time, and what they are made of.
func (c *Console) Usage(r *request.Request) error {
	f := c.parse(r)
	u, err := c.used(r, f)
	if err != nil {
		return err
	}
	next, err := c.Billing.Next(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return err
	}
	quotas, err := c.quotas(r, next)
	if err != nil {
		return err
	}
	props := page.UsageProps{
		Stats: usageStats(u), Quotas: quotaRows(quotas), Notices: notices(quotas), Credits: creditRows(quotas, c.Clock.Now()), CSVURL: paging.With("/console/usage.csv", f.query("step", string(f.step))),
		ByAPI: f.shares(u.byAPI, "api"), ByKey: f.shares(u.byKey, "key"), ByStatus: f.shares(classes(u.byState), "status"),
	}
	if len(u.series) > 0 {
		props.Chart = f.chart(u.series, quotas)
	} else if props.Start, err = c.start(r); err != nil {
		return err
	}
	if props.Filters, err = c.filterProps(r, f, "/console/usage"); err != nil {
		return err
	}
	props.Filters.Steps = component.Options(string(f.step), component.Option{Value: "hour", Label: "Hour"}, component.Option{Value: "day", Label: "Day"})
	return r.Page(page.Usage(r.Layout("Usage"), props))
}

func (c *Console) used(r *request.Request, f filters) (u used, err error) {
	usage := f.usage(r)
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		if u.series, err = metering.Series(ctx, tx.PGX, usage, f.step); err != nil {
			return err
		}
		for dim, to := range map[metering.Dimension]*[]metering.Share{metering.ByAPI: &u.byAPI, metering.ByKey: &u.byKey, metering.ByStatus: &u.byState} {
			if *to, err = metering.Shares(ctx, tx.PGX, usage, dim); err != nil {
				return err
			}
		}
		u.p95, err = metering.P95(ctx, tx.PGX, usage)
		return err
	})
	return u, err
}

func usageStats(u used) []component.StatProps {
	var all metering.Bucket
	for _, b := range u.series {
		all.Calls, all.Errors, all.Billable = all.Calls+b.Calls, all.Errors+b.Errors, all.Billable+b.Billable
	}
	return []component.StatProps{
		{Label: "Calls", Value: format.Count(all.Calls)},
		{Label: "Billable", Value: format.Count(all.Billable), Note: "answered calls with live keys"},
		{Label: "Errors", Value: percent(all.Errors, all.Calls), Note: format.Count(all.Errors) + " of " + format.Count(all.Calls)},
		{Label: "95th percentile", Value: latency(u.p95), Note: "of the latest 10,000 calls"},
	}
}

func latency(us int64) string {
	if us == 0 {
		return "–"
	}
	return format.Latency(us)
}

// percent is part/whole with two decimals, in integers.
func percent(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	hundredths := (part*10_000 + whole/2) / whole
	return strconv.FormatInt(hundredths/100, 10) + "." + strconv.FormatInt(hundredths%100/10, 10) + strconv.FormatInt(hundredths%10, 10) + " %"
}

// chart draws one bar per step, empty ones too; each links to its calls.
func (f filters) chart(series []metering.Bucket, quotas []quotaUse) component.ChartProps {
	at := map[int64]metering.Bucket{}
	p := component.ChartProps{ID: "calls", Title: "Calls by day", BadLabel: "Errors", Head: []string{"Day", "Calls", "Errors", "Billable"}}
	width, label := 24*time.Hour, "2 Jan"
	if f.step == metering.ByHour {
		p.Title, p.Head[0], width, label = "Calls by hour", "Hour", time.Hour, "2 Jan 15:04"
	}
	for _, b := range series {
		at[b.At.Unix()] = b
		p.Max = max(p.Max, b.Calls)
	}
	p.Limit, p.LimitLabel = evenShare(quotas, width)
	p.Max = max(p.Max, p.Limit)
	p.Description = "Calls from " + format.Date(f.from) + " to " + format.Date(f.to.AddDate(0, 0, -1)) + " (UTC), failed ones apart."
	p.TopLabel, p.MidLabel = format.Count(p.Max), format.Count(p.Max/2)
	from, to := f.from, f.to
	if !f.hour.IsZero() {
		from, to = f.hour, f.hour.Add(time.Hour)
	}
	every := max(int(to.Sub(from)/width)/8, 1)
	for i, t := 0, from; t.Before(to); i, t = i+1, t.Add(width) {
		b := at[t.Unix()]
		p.Bars = append(p.Bars, component.Bar{
			Label: t.Format(label), Value: b.Calls, Bad: b.Errors, Text: format.Counted(b.Calls, "call", "calls") + ", " + format.Counted(b.Errors, "error", "errors"),
			URL: f.bar(t), Ticked: i%every == 0, Columns: []string{format.Count(b.Calls), format.Count(b.Errors), format.Count(b.Billable)},
		})
	}
	return p
}

func (f filters) bar(at time.Time) string {
	if f.step == metering.ByHour {
		return f.logs("from", "", "to", "", "hour", at.Format(hour))
	}
	return f.logs("from", at.Format(day), "to", at.Format(day))
}

// evenShare is what one step may use of the quota so that it lasts the period;
// drawn only where one quota is meant.
func evenShare(quotas []quotaUse, step time.Duration) (int64, string) {
	if len(quotas) != 1 {
		return 0, ""
	}
	q := quotas[0]
	if q.limit.Prepaid {
		return 0, ""
	}
	limit := q.limit.Calls / max(int64(q.end.Sub(q.start)/step), 1)
	if limit == 0 {
		return 0, ""
	}
	return limit, "even share of the quota"
}

func (f filters) shares(all []metering.Share, name string) []page.ShareRow {
	var sum int64
	for _, s := range all {
		sum += s.Calls
	}
	out := make([]page.ShareRow, len(all))
	for i, s := range all {
		out[i] = page.ShareRow{Label: s.Label, Value: format.Counted(s.Calls, "call", "calls"), Percent: int(s.Calls * 100 / max(sum, 1)), URL: f.logs(name, s.ID)}
		switch {
		case name == "status" && s.ID == "5xx":
			out[i].Tone = component.Bad
		case name == "status" && s.ID == "4xx":
			out[i].Tone = component.Warn
		}
	}
	return out
}

// classes joins statuses into 2xx, 4xx and so on, which is what the logs filter by.
func classes(all []metering.Share) (out []metering.Share) {
	sums := map[string]int64{}
	for _, s := range all {
		sums[s.ID[:1]] += s.Calls
	}
	for _, class := range []string{"2", "3", "4", "5"} {
		if sums[class] > 0 {
			out = append(out, metering.Share{ID: class + "xx", Label: class + "xx", Calls: sums[class]})
		}
	}
	return out
}

// UsageCSV is the chart as a file: one row per step that had calls.
func (c *Console) UsageCSV(r *request.Request) error {
	f := c.parse(r)
	u, err := c.used(r, f)
	if err != nil {
		return err
	}
	rows := [][]string{{string(f.step), "calls", "errors", "units", "billable_calls"}}
	for _, b := range u.series {
		rows = append(rows, []string{b.At.UTC().Format(time.RFC3339), strconv.FormatInt(b.Calls, 10), strconv.FormatInt(b.Errors, 10), strconv.FormatInt(b.Units, 10), strconv.FormatInt(b.Billable, 10)})
	}
	var buf bytes.Buffer
	if err := csv.NewWriter(&buf).WriteAll(rows); err != nil {
		return err
	}
	return r.Download("usage.csv", "text/csv; charset=utf-8", buf.Bytes())
}
