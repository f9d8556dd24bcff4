package format

import (
	"strconv"
	"strings"
	"time"

	"tollgate/web/component"
)

// Date writes a day: 1 December 2026.
func Date(t time.Time) string { return t.Format("2 January 2006") }

// ShortDate writes a day: 1 Dec 2026.
func ShortDate(t time.Time) string { return t.Format("2 Jan 2006") }

// DateTime writes a moment in t's own zone: 23 Nov 2026, 04:56 UTC.
func DateTime(t time.Time) string { return t.Format("2 Jan 2006, 15:04 MST") }

// Period writes a half-open span of days: 1 Nov – 1 Dec 2026.
func Period(start, end time.Time) string {
	first := "2 Jan"
	if start.Year() != end.Year() {
		first = "2 Jan 2006"
	}
	return start.Format(first) + " – " + ShortDate(end)
}

// Moment fills a component.Time: how long ago t was at now, and the moment
// itself in t's zone. The zero time is empty.
func Moment(t, now time.Time) component.TimeProps {
	if t.IsZero() {
		return component.TimeProps{}
	}
	return component.TimeProps{Text: Ago(t, now), ISO: t.Format(time.RFC3339), Full: DateTime(t)}
}

// Ago says how long before now (or after it) t is.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		if d > -time.Minute {
			return "just now"
		}
		return "in " + span(-d)
	}
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < 30*24*time.Hour:
		return span(d) + " ago"
	}
	return ShortDate(t)
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return Counted(int64(d/time.Second), "second", "seconds")
	case d < time.Hour:
		return Counted(int64(d/time.Minute), "minute", "minutes")
	case d < 24*time.Hour:
		return Counted(int64(d/time.Hour), "hour", "hours")
	}
	return Counted(int64(d/(24*time.Hour)), "day", "days")
}

// Latency writes how long an answer took: 0.4 ms, 38 ms, 1.2 s.
func Latency(us int64) string {
	switch {
	case us < 0:
		return ""
	case us < 10_000:
		return strconv.FormatInt(us/1000, 10) + "." + strconv.FormatInt(us%1000/100, 10) + " ms"
	case us < 1_000_000:
		return strconv.FormatInt(us/1000, 10) + " ms"
	}
	return strconv.FormatInt(us/1_000_000, 10) + "." + strconv.FormatInt(us%1_000_000/100_000, 10) + " s"
}

// Window writes the length of a rate limit's window: second, 10 minutes.
func Window(d time.Duration) string {
	for _, unit := range []struct {
		length    time.Duration
		one, many string
	}{{24 * time.Hour, "day", "days"}, {time.Hour, "hour", "hours"}, {time.Minute, "minute", "minutes"}, {time.Second, "second", "seconds"}} {
		if d >= unit.length && d%unit.length == 0 {
			if d == unit.length {
				return unit.one
			}
			return Counted(int64(d/unit.length), unit.one, unit.many)
		}
	}
	return d.String()
}

// Every writes how often a window begins: a second, an hour, every 10 minutes.
func Every(d time.Duration) string {
	switch unit := Window(d); {
	case unit == "hour":
		return "an hour"
	case strings.Contains(unit, " "):
		return "every " + unit
	default:
		return "a " + unit
	}
}

// Size writes a number of bytes: 512 bytes, 38 kB, 12.9 MB.
func Size(n int64) string {
	switch {
	case n < 1000:
		return Counted(n, "byte", "bytes")
	case n < 1_000_000:
		return Count(n/1000) + " kB"
	}
	return Count(n/1_000_000) + "." + strconv.FormatInt(n%1_000_000/100_000, 10) + " MB"
}
