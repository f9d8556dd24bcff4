package console

import (
	"context"
	"net/url"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/metering"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/paging"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/component"
	"tollgate/web/page"
)

const (
	day     = "2006-01-02"
	hour    = "2006-01-02T15"
	maxDays = 366 // that a page looks at
)

// filters are what the URL asks for: from, to, api, key, status and step, and
// hour, which a bar of the chart links to. Days are UTC, as roll-ups are.
type filters struct {
	from, to time.Time // whole days; to is the day after the last
	hour     time.Time // zero: all of them
	api      string
	key      uuid.UUID
	class    int16
	step     metering.Step
	mistake  string // what is wrong with the dates
	set      bool   // whether anything was chosen
}

// parse reads the URL. What cannot be read falls back to the current month.
func (c *Console) parse(r *request.Request) (f filters) {
	today := c.Clock.Now().Truncate(24 * time.Hour)
	f.from, f.to = time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC), today.AddDate(0, 0, 1)
	f.dates(r.Query("from"), r.Query("to"))
	if at, err := time.Parse(hour, r.Query("hour")); err == nil {
		f.hour, f.from, f.to = at, at.Truncate(24*time.Hour), at.Truncate(24*time.Hour).AddDate(0, 0, 1)
	}
	f.api = r.Query("api")
	f.key, _ = uuid.Parse(r.Query("key")) // anything else: every key
	f.class = map[string]int16{"2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5}[r.Query("status")]
	f.step = metering.ByDay
	if asked := r.Query("step"); asked == "hour" || (asked == "" && f.days() <= 2) {
		f.step = metering.ByHour
	}
	if f.step == metering.ByHour && f.days() > 7 {
		f.step, f.mistake = metering.ByDay, "By hour shows at most 7 days; these are shown by day."
	}
	f.set = r.HTTP().URL.RawQuery != ""
	return f
}

func (f *filters) dates(from, to string) {
	first, last := f.from, f.to.AddDate(0, 0, -1)
	var err, err2 error
	if from != "" {
		first, err = time.Parse(day, from)
	}
	if to != "" {
		last, err2 = time.Parse(day, to)
	} else if last.Before(first) {
		last = first
	}
	switch {
	case err != nil || err2 != nil:
		f.mistake = "Type dates as 2026-11-23."
	case last.Before(first):
		f.mistake = "The last day must not be before the first."
	case last.Sub(first) >= maxDays*24*time.Hour:
		f.mistake = "Choose at most 366 days."
	default:
		f.from, f.to = first, last.AddDate(0, 0, 1)
	}
}

func (f filters) days() int { return int(f.to.Sub(f.from) / (24 * time.Hour)) }

// usage is what the filters mean to metering.
func (f filters) usage(r *request.Request) metering.Filter {
	u := metering.Filter{Org: r.Identity.Organization, From: f.from, To: f.to, API: f.api, Key: f.key, Class: f.class}
	if !f.hour.IsZero() {
		u.From, u.To = f.hour, f.hour.Add(time.Hour)
	}
	return u
}

// query is f as a URL's query, with some values replaced; an empty value removes.
func (f filters) query(replace ...string) url.Values {
	q := url.Values{"from": {f.from.Format(day)}, "to": {f.to.AddDate(0, 0, -1).Format(day)}}
	set := func(name, value string) {
		q.Del(name)
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.hour.IsZero() {
		set("hour", f.hour.Format(hour))
	}
	set("api", f.api)
	if f.key != uuid.Nil {
		set("key", f.key.String())
	}
	if f.class != 0 {
		set("status", string(rune('0'+f.class))+"xx")
	}
	for i := 0; i+1 < len(replace); i += 2 {
		set(replace[i], replace[i+1])
	}
	return q
}

func (f filters) logs(replace ...string) string {
	return paging.With("/console/logs", f.query(replace...))
}

// props fill the form of the filters. The choices are the organization's own.
func (c *Console) filterProps(r *request.Request, f filters, action string) (page.CallFilters, error) {
	p := page.CallFilters{
		Action: action, From: f.from.Format(day), To: f.to.AddDate(0, 0, -1).Format(day), Error: f.mistake,
		Statuses: component.Options(f.query().Get("status"), component.Option{Label: "All"}, component.Option{Value: "2xx", Label: "2xx"},
			component.Option{Value: "3xx", Label: "3xx"}, component.Option{Value: "4xx", Label: "4xx"}, component.Option{Value: "5xx", Label: "5xx"}),
	}
	if f.set {
		p.ResetURL = action
	}
	keys, err := c.Keys.List(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return p, err
	}
	all := []component.Option{{Label: "All"}}
	for _, k := range keys {
		all = append(all, component.Option{Value: k.ID.String(), Label: k.Name + " " + k.Display})
	}
	p.Keys = component.Options(f.query().Get("key"), all...)
	all = []component.Option{{Label: "All"}}
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		shares, err := metering.Shares(ctx, tx.PGX, filter(r, c.Clock.Now().AddDate(-1, 0, 0), c.Clock.Now()), metering.ByAPI)
		for _, s := range shares {
			all = append(all, component.Option{Value: s.ID, Label: s.Label})
		}
		return err
	})
	p.APIs = component.Options(f.api, all...)
	return p, err
}

// start is what to do when there is nothing to show yet.
func (c *Console) start(r *request.Request) (component.LinkButtonProps, error) {
	subs, err := c.Subscriptions.List(r.Ctx(), r.Identity.Organization)
	if err != nil || len(subs) == 0 {
		return component.LinkButtonProps{Label: "Choose an API", URL: "/apis", Kind: component.Primary}, err
	}
	keys, err := c.Keys.List(r.Ctx(), r.Identity.Organization)
	if err != nil || len(keys) == 0 || !keys[0].Works(c.Clock.Now()) {
		return component.LinkButtonProps{Label: "Create a key", URL: "/console/keys", Kind: component.Primary}, err
	}
	return component.LinkButtonProps{Label: "Make your first call", URL: "/console/first-call/" + keys[0].ID.String(), Kind: component.Primary}, nil
}

func callRows(calls []metering.Call, now time.Time) []page.CallRow {
	out := make([]page.CallRow, len(calls))
	for i, call := range calls {
		out[i] = page.CallRow{
			Time: format.Moment(call.At.In(now.Location()), now), Method: call.Method, Operation: call.Path, OperationURL: "/apis/" + call.APISlug + "/" + call.OpSlug,
			Status: format.Count(int64(call.Status)), Tone: tone(call.Status), Latency: format.Latency(call.DurationUs), Key: call.Key, RequestID: call.RequestID.String(),
		}
		if call.Mode == "test" {
			out[i].Key += " (test)"
		}
	}
	return out
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
