package subscriptions

import "time"

// Period is a billing period, half-open [Start, End).
type Period struct{ Start, End time.Time }

// PeriodFrom is the monthly period that begins at start: it ends on the anchor
// day of the next month, or on that month's last day when it is shorter, at the
// same local time. anchorDay is 1 to 31.
func PeriodFrom(start time.Time, anchorDay int, loc *time.Location) Period {
	local := start.In(loc)
	year, month, _ := local.Date()
	first := time.Date(year, month+1, 1, 0, 0, 0, 0, loc) // the 1st exists in every month
	day := min(anchorDay, daysIn(first))
	end := time.Date(first.Year(), first.Month(), day, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), loc)
	return Period{Start: start.UTC(), End: end.UTC()}
}

func daysIn(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
