package studio

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/quota"
	"tollgate/web/page"
)

// windows by the value of the field limit_per. The other values are at_once,
// period, month and prepaid.
var windows = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// slotDays are the days by the value of the field slot_days; none: every day.
func slotDays(value string) []time.Weekday {
	switch value {
	case "weekdays":
		return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	case "weekend":
		return []time.Weekday{time.Saturday, time.Sunday}
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		if value == strings.ToLower(day.String()) {
			return []time.Weekday{day}
		}
	}
	return nil
}

// limitInputs are the rows as typed.
func limitInputs(r *request.Request) (out []page.LimitInput) {
	same := func(field string) string { return field }
	for i, in := range inputs(r, page.LimitFields, same, plans.MaxLimits) {
		l := page.LimitInput{Inputs: in}
		for _, slot := range inputs(r, page.SlotFields, func(field string) string { return page.SlotName(field, i) }, plans.MaxSlots) {
			if slot.Typed(page.SlotFrom, page.SlotTo, page.SlotPercent) {
				l.Slots = append(l.Slots, slot)
			}
		}
		out = append(out, l)
	}
	return out
}

// inputs are rows of fields that are posted once per row, under a name each.
func inputs(r *request.Request, fields []string, posted func(string) string, most int) (out []page.Inputs) {
	for _, field := range fields {
		for i, value := range r.FormAll(posted(field)) {
			if i == most {
				break
			}
			if i == len(out) {
				out = append(out, page.Inputs{})
			}
			out[i][field] = page.Input{Value: strings.TrimSpace(value)}
		}
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
	per := row.Inputs[page.LimitPer].Value
	l := plans.Limit{
		Calls: count(row.Inputs, page.LimitCalls), Quota: per == "period" || per == "month" || per == "prepaid", CalendarMonth: per == "month", Prepaid: per == "prepaid", Concurrent: per == "at_once", Window: windows[per],
		Hard: row.Inputs[page.LimitEnd].Value != "soft", Algorithm: quota.Algorithm(firstOf(row.Inputs[page.LimitAlgorithm].Value, string(quota.FixedWindow))),
		Scope: quota.Scope(row.Inputs[page.LimitScope].Value), Burst: count(row.Inputs, page.LimitBurst), Operation: row.Inputs[page.LimitOperation].Value,
	}
	l.Adapt.Surge = quota.Surge{Percent: count(row.Inputs, page.SurgePercent), For: time.Duration(min(count(row.Inputs, page.SurgeMinutes), 100_000)) * time.Minute}
	l.Adapt.Shrink = quota.Shrink{Percent: count(row.Inputs, page.ShrinkPercent), Errors: count(row.Inputs, page.ShrinkErrors), Latency: time.Duration(min(count(row.Inputs, page.ShrinkLatency), 1_000_000)) * time.Millisecond}
	for _, slot := range row.Slots {
		l.Adapt.Schedule = append(l.Adapt.Schedule, quota.Slot{Days: slotDays(slot[page.SlotDays].Value), From: slot[page.SlotFrom].Value, To: slot[page.SlotTo].Value, Percent: count(slot, page.SlotPercent)})
	}
	return l
}

// count reads a whole number; nothing is 0.
func count(in page.Inputs, name string) int64 {
	n, err := format.ParseCount(in[name].Value)
	if err != nil {
		in.Fail(name, err.Error())
	}
	return n
}

// limitNames and slotNames lead from the names of plans.LimitField and
// plans.SlotField to the rows' fields.
var (
	limitNames = map[string]string{
		"calls": page.LimitCalls, "window": page.LimitPer, "scope": page.LimitScope, "algorithm": page.LimitAlgorithm, "burst": page.LimitBurst, "operation": page.LimitOperation,
		"surge": page.SurgePercent, "shrink": page.ShrinkPercent, "adapt": page.LimitPer,
	}
	slotNames = map[string]string{"from": page.SlotFrom, "to": page.SlotTo, "percent": page.SlotPercent}
)

// limitMistake puts what is wrong with a limit beside its field, and reports
// whether the message was about one.
func (f *planForm) limitMistake(name, message string) bool {
	parts := strings.Split(name, ".")
	if len(parts) < 3 || parts[0] != "limits" {
		return false
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n >= len(f.rows) {
		return false
	}
	row := f.fields.Limits[f.rows[n]]
	if len(parts) == 5 && parts[2] == "schedule" {
		k, err := strconv.Atoi(parts[3])
		if err != nil || k >= len(row.Slots) {
			return false
		}
		row.Slots[k].Fail(slotNames[parts[4]], message)
		return true
	}
	if limitNames[parts[2]] == "" {
		return false
	}
	row.Fail(limitNames[parts[2]], message)
	return true
}

func (f *planForm) limitMistakes() bool {
	return slices.ContainsFunc(f.fields.Limits, page.LimitInput.Mistaken)
}

// operations offers the published operations of a product as what a limit can
// count alone, and notes where another one is typed.
func (p *Pages) operations(r *request.Request, product uuid.UUID, f *page.PlanFields) error {
	all, err := p.Plans.Operations(r.Ctx(), product)
	if err != nil {
		return err
	}
	known := map[string]bool{"": true}
	for _, o := range all {
		known[o.Call] = true
		f.Operations = append(f.Operations, o.Call)
	}
	for _, row := range f.Limits {
		if !known[row.Inputs[page.LimitOperation].Value] {
			row.Fail(page.LimitOperation, "No published operation of this product has this name, so the limit would count nothing. Choose one from the list, or leave this empty.")
		}
	}
	return nil
}

// addRow adds the empty row that was asked for.
func (f *planForm) addRow(r *request.Request) {
	limits := f.fields.Limits
	if n, err := strconv.Atoi(r.Form("add_slot")); err == nil && n >= 1 && n <= len(limits) && len(limits[n-1].Slots) < plans.MaxSlots {
		l := &limits[n-1]
		l.Slots, l.Focus = append(l.Slots, page.Inputs{}), page.SlotDays
	}
	if r.Form("add_limit") != "" && len(limits) < plans.MaxLimits {
		f.fields.Limits = append(limits, page.LimitInput{Focus: page.LimitCalls})
	}
}

// adding reports whether the form was sent for one more row.
func adding(r *request.Request) bool { return r.Form("add_limit") != "" || r.Form("add_slot") != "" }

// asking reports whether the form was sent for another look at it only: a
// preview, or one more row.
func asking(r *request.Request) bool { return r.Form("preview") != "" || adding(r) }
