package metering

import "strings"

// The meters that a price component can have.
const (
	Requests = "requests"
	Units    = "units"
	BytesIn  = "bytes_in"  // of the requests' bodies
	BytesOut = "bytes_out" // of the answers' bodies
	Bytes    = "bytes"     // both
	Duration = "duration"  // milliseconds, whole ones of each call, rounded up
)

// Meters lists them in the order in which people choose.
func Meters() []string { return []string{Requests, Units, BytesOut, BytesIn, Bytes, Duration} }

// Amounts are calls and what they come to on each meter.
type Amounts struct{ Calls, Units, BytesIn, BytesOut, Millis int64 }

// On is the amount on one meter; an unknown meter counts calls.
func (a Amounts) On(meter string) int64 {
	switch meter {
	case Units:
		return a.Units
	case BytesIn:
		return a.BytesIn
	case BytesOut:
		return a.BytesOut
	case Bytes:
		return a.BytesIn + a.BytesOut
	case Duration:
		return a.Millis
	}
	return a.Calls
}

// Plus adds.
func (a Amounts) Plus(b Amounts) Amounts {
	return Amounts{a.Calls + b.Calls, a.Units + b.Units, a.BytesIn + b.BytesIn, a.BytesOut + b.BytesOut, a.Millis + b.Millis}
}

// Amounts are what one call comes to.
func (c Call) Amounts() Amounts {
	return Amounts{1, c.Units, c.BytesIn, c.BytesOut, (c.DurationUs + 999) / 1000}
}

// millis is a call's duration on its meter, in SQL.
const millis = `(duration_us + 999) / 1000`

func sumOf(columns ...string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = "coalesce(sum(" + c + "), 0)::bigint"
	}
	return strings.Join(out, ", ")
}
