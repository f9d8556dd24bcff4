package studio

import (
	"fmt"

	"strings"
	"time"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/quota"
	"tollgate/web/page"
)

// windows by the value of the field limit_per. The other values are at_once,
// period and month.
var windows = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// days by the value of the fields slot_days; absent: every day.
var days = map[string][]time.Weekday{
	"weekdays": {time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
	"weekend":  {time.Saturday, time.Sunday},
}

// limitInputs are the rows as typed.
func limitInputs(r *request.Request) (out []page.LimitInput) {
	all := map[string][]string{}
	rows := 0
	for _, name := range page.LimitFields {
		all[name] = r.FormAll(name)
		rows = max(rows, len(all[name]))
	}
	for i := range min(rows, plans.MaxLimits) {
		row := page.LimitInput{}
		for name, values := range all {
			if i < len(values) {
				row[name] = page.Input{Value: strings.TrimSpace(values[i])}
			}
		}
		out = append(out, row)
	}
	return out
}

// limits reads the rows in which something is typed.
func (f *planForm) limits(r *request.Request) {
	f.fields.Limits = limitInputs(r)
	for i, row := range f.fields.Limits {
		if !row.Used() {
			continue
		}
		f.plan.Limits = append(f.plan.Limits, readLimit(row))
		f.rows = append(f.rows, i)
	}
}

// readLimit reads one row; what is wrong stands in its field.
func readLimit(row page.LimitInput) plans.Limit {
	number := func(name string) int64 {
		n, err := format.ParseCount(row[name].Value)
		if err != nil {
			row.Fail(name, err.Error())
		}
		return n
	}
	per := row[page.LimitPer].Value
	l := plans.Limit{
		Calls: number(page.LimitCalls), Quota: per == "period" || per == "month", CalendarMonth: per == "month", Concurrent: per == "at_once", Window: windows[per],
		Hard: row[page.LimitEnd].Value != "soft", Algorithm: quota.Algorithm(firstOf(row[page.LimitAlgorithm].Value, string(quota.FixedWindow))),
		Scope: quota.Scope(row[page.LimitScope].Value), Burst: number(page.LimitBurst), Operation: row[page.LimitOperation].Value,
	}
	l.Adapt.Surge = quota.Surge{Percent: number(page.SurgePercent), For: time.Duration(min(number(page.SurgeMinutes), 100_000)) * time.Minute}
	l.Adapt.Shrink = quota.Shrink{Percent: number(page.ShrinkPercent), Errors: number(page.ShrinkErrors), Latency: time.Duration(min(number(page.ShrinkLatency), 1_000_000)) * time.Millisecond}
	for n := range page.SlotsOfLimit {
		from, to, percent := row[page.Slot(page.SlotFrom, n)].Value, row[page.Slot(page.SlotTo, n)].Value, number(page.Slot(page.SlotPercent, n))
		if from != "" || to != "" || percent != 0 {
			l.Adapt.Schedule = append(l.Adapt.Schedule, quota.Slot{Days: days[row[page.Slot(page.SlotDays, n)].Value], From: from, To: to, Percent: percent})
		}
	}
	return l
}

// limitNames leads from the names of plans.LimitField to the row's field.
var limitNames = map[string]string{
	"calls": page.LimitCalls, "window": page.LimitPer, "scope": page.LimitScope, "algorithm": page.LimitAlgorithm, "burst": page.LimitBurst, "operation": page.LimitOperation,
	"surge": page.SurgePercent, "shrink": page.ShrinkPercent, "schedule": page.Slot(page.SlotFrom, 0), "adapt": page.Slot(page.SlotFrom, 0),
}

// limitMistake puts what is wrong with a limit beside its field, and reports
// whether the message was about one.
func (f *planForm) limitMistake(name, message string) bool {
	var n int
	var field string
	if _, err := fmt.Sscanf(strings.ReplaceAll(name, ".", " "), "limits %d %s", &n, &field); err != nil || n >= len(f.rows) || limitNames[field] == "" {
		return false
	}
	f.fields.Limits[f.rows[n]].Fail(limitNames[field], message)
	return true
}

func (f *planForm) limitMistakes() bool {
	for _, row := range f.fields.Limits {
		if row.Failed() {
			return true
		}
	}
	return false
}

// asking reports whether the form was sent for another look at it only: a
// preview, or one more row.
func (f *planForm) asking(r *request.Request) bool {
	return r.Form("preview") != "" || r.Form("add_limit") != ""
}
