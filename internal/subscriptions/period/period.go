// Package period is the calendar of billing: pure arithmetic that the portal
// renews subscriptions by and the gateway counts quotas by, so that neither
// waits for the other when a period ends.
package period

import "time"

// Period is a billing period, half-open [Start, End), in UTC.
type Period struct{ Start, End time.Time }

// Always is the one period of what is never renewed. Its bounds are fixed, so
// that what was counted in it is found again; it ends in the last year that JSON
// can write.
func Always() Period {
	return Period{Start: time.Unix(0, 0).UTC(), End: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// From is the monthly period that begins at start: it ends on the anchor day of
// the next month, or on that month's last day when it is shorter, at the same
// local time. anchorDay is 1 to 31.
func From(start time.Time, anchorDay int, loc *time.Location) Period {
	local := start.In(loc)
	year, month, _ := local.Date()
	first := time.Date(year, month+1, 1, 0, 0, 0, 0, loc) // the 1st exists in every month
	day := min(anchorDay, daysIn(first))
	end := time.Date(first.Year(), first.Month(), day, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), loc)
	return Period{Start: start.UTC(), End: end.UTC()}
}

// At walks from p to the period that contains now; p itself while it has not ended.
func (p Period) At(now time.Time, anchorDay int, loc *time.Location) Period {
	for !now.Before(p.End) {
		p = From(p.End, anchorDay, loc)
	}
	return p
}

func daysIn(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
