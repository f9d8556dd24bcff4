package offer

import (
	"slices"
	"strings"
	"time"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/quota"
)

// RateLimit says how fast calls may come: 10 calls a second, 100 calls an hour
// and 5 calls at once.
func RateLimit(t plans.Terms) string {
	var all []string
	for _, l := range t.Limits {
		if !l.Quota {
			all = append(all, Limit(l))
		}
	}
	if len(all) == 0 {
		return "No rate limit"
	}
	return Sentence(all)
}

// Rates are a plan's rates and bounds of calls under way, each described; or
// that there is none.
func Rates(t plans.Terms) (out []string) {
	for _, l := range t.Limits {
		if !l.Quota {
			out = append(out, Described(l))
		}
	}
	if len(out) == 0 {
		out = append(out, "No rate limit")
	}
	return out
}

// Sentence joins parts: a, b and c.
func Sentence(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// Limit says one limit: 10 calls a second of each key; 5 calls at once; 10,000
// calls a month.
func Limit(l plans.Limit) string {
	calls := format.Counted(l.Calls, "call", "calls")
	switch {
	case l.Prepaid && l.Calls == 0:
		return "prepaid calls"
	case l.Prepaid:
		return "prepaid calls, " + format.Count(l.Calls) + " to begin with"
	case l.Quota:
		return calls + " a " + Month(l)
	case l.Concurrent:
		calls += " at once"
	default:
		calls += " " + format.Every(l.Window)
	}
	if l.Operation != "" {
		calls += " of " + l.Operation
	}
	return calls + whose(l.Scope)
}

func whose(s quota.Scope) string {
	switch s {
	case quota.PerKey:
		return " with each key"
	case quota.PerIP:
		return " from each address"
	case quota.PerOrganization:
		return " in the whole organization"
	case quota.PerOperation:
		return " to each operation"
	}
	return ""
}

// Month is what a quota's period is called.
func Month(l plans.Limit) string {
	if l.CalendarMonth {
		return "calendar month"
	}
	return "month"
}

// Pace says how a rate counts, where that is more than calls in a window:
// evenly, up to 20 ahead.
func Pace(l plans.Limit) string {
	switch {
	case l.Quota || l.Concurrent:
		return ""
	case l.Algorithm == quota.TokenBucket && l.Burst > 0:
		return "refilled evenly, up to " + format.Count(l.Burst) + " in a burst"
	case l.Algorithm == quota.TokenBucket:
		return "refilled evenly"
	case l.Algorithm == quota.LeakyBucket && l.Burst > 0:
		return "at an even pace, up to " + format.Count(l.Burst) + " ahead of it"
	case l.Algorithm == quota.LeakyBucket:
		return "at an even pace"
	case l.Algorithm == quota.SlidingWindow || l.Algorithm == quota.SlidingLog:
		return "at any time, not by the clock"
	}
	return ""
}

// fewSlots is how many declared times are told one by one.
const fewSlots = 3

// Moves says how a limit adapts, in clauses: 150 % Monday to Friday 08:00–18:00.
func Moves(l plans.Limit) (out []string) {
	if n := len(l.Adapt.Schedule); n > fewSlots {
		out = append(out, "changes at "+format.Count(int64(n))+" declared times")
	} else {
		for _, s := range l.Adapt.Schedule {
			out = append(out, format.Count(s.Percent)+" % "+slotDays(s.Days)+slotHours(s))
		}
	}
	if s := l.Adapt.Surge; s.Percent > 0 {
		out = append(out, "rises to "+format.Count(s.Percent)+" % for "+format.Window(s.For)+" in a rush")
	}
	if s := l.Adapt.Shrink; s.Percent > 0 {
		out = append(out, "falls to "+format.Count(s.Percent)+" % while the API is unwell")
	}
	return out
}

func slotDays(days []time.Weekday) string {
	has := func(from, to time.Weekday) bool {
		for d := from; d <= to; d++ {
			if !slices.Contains(days, d) {
				return false
			}
		}
		return true
	}
	switch {
	case len(days) == 0 || has(time.Sunday, time.Saturday):
		return "every day"
	case len(days) == 5 && has(time.Monday, time.Friday):
		return "Monday to Friday"
	}
	var names []string
	for _, d := range days {
		names = append(names, d.String())
	}
	return Sentence(names)
}

func slotHours(s quota.Slot) string {
	if s.From == "00:00" && s.To == "00:00" {
		return "" // the whole day
	}
	return " " + s.From + "–" + s.To
}

// Described is a limit with how it counts and moves.
func Described(l plans.Limit) string {
	text := Limit(l)
	clauses := Moves(l)
	if pace := Pace(l); pace != "" {
		clauses = append([]string{pace}, clauses...)
	}
	if len(clauses) > 0 {
		text += " (" + strings.Join(clauses, "; ") + ")"
	}
	return text
}

// QuotaOf finds a plan's quota.
func QuotaOf(t plans.Terms) (plans.Limit, bool) {
	for _, l := range t.Limits {
		if l.Quota {
			return l, true
		}
	}
	return plans.Limit{}, false
}

// Prepaid reports whether a plan serves calls only as far as a balance reaches.
func Prepaid(t plans.Terms) bool {
	q, ok := QuotaOf(t)
	return ok && q.Prepaid
}

// Quota says how many calls a period holds: 100,000 a month; or that they are
// prepaid.
func Quota(t plans.Terms) string {
	if q, ok := QuotaOf(t); ok {
		if text := Limit(q); q.Prepaid {
			return strings.ToUpper(text[:1]) + text[1:]
		}
		return format.Count(q.Calls) + " a " + Month(q)
	}
	return "No quota"
}

// Points are what a price card lists.
func Points(t plans.Terms) []string {
	var out []string
	for _, c := range t.Components {
		if c.Included > 0 {
			out = append(out, format.Counted(c.Included, "call", "calls")+" a month included")
		}
	}
	if billed := Billed(t); billed != "" {
		out = append(out, billed)
	}
	if q, ok := QuotaOf(t); ok && q.Prepaid {
		out = append(out, Quota(t)+"; beyond the balance: "+strings.ToLower(Overage(t)))
	} else if ok {
		out = append(out, "Up to "+Limit(q)+"; beyond: "+strings.ToLower(Overage(t)))
	}
	return append(out, Rates(t)...)
}
