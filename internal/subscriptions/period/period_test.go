package period

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPeriodsFollowTheAnchorDay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		anchor int
		start  string
		ends   []string
	}{
		{31, "2026-01-31", []string{"2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"}},
		{31, "2028-01-31", []string{"2028-02-29", "2028-03-31"}},
		{30, "2026-01-30", []string{"2026-02-28", "2026-03-30"}},
		{29, "2026-01-29", []string{"2026-02-28", "2026-03-29"}},
		{15, "2026-11-15", []string{"2026-12-15", "2027-01-15"}},
	} {
		start, err := time.Parse(time.DateOnly, c.start)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.ends {
			p := From(start, c.anchor, time.UTC)
			if got := p.End.Format(time.DateOnly); got != want {
				t.Errorf("anchor %d from %s: ends %s, want %s", c.anchor, start.Format(time.DateOnly), got, want)
			}
			start = p.End
		}
	}
}

func TestPeriodsKeepTheLocalTimeAcrossDaylightSaving(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 10, 0, 0, 0, 0, berlin)
	if got := From(start, 10, berlin).End; !got.Equal(time.Date(2026, 4, 10, 0, 0, 0, 0, berlin)) {
		t.Errorf("ends %v", got.In(berlin))
	}
}

func TestPeriodsFollowEachOtherWithoutGap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0).UTC()
		anchor := start.Day()
		for range 24 {
			p := From(start, anchor, time.UTC)
			days := p.End.Sub(p.Start).Hours() / 24
			if !p.Start.Equal(start) || days < 28 || days > 31 {
				t.Fatalf("from %v: %v to %v", start, p.Start, p.End)
			}
			start = p.End
		}
	})
}

func TestTheNextPeriodBeginsWhereTheLastOneEnds(t *testing.T) {
	t.Parallel()
	first := From(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), 31, time.UTC)
	for _, c := range []struct {
		name, now, start string
	}{
		{"before it", "2026-01-01T00:00:00Z", "2026-01-31"},
		{"within it", "2026-02-28T11:59:59Z", "2026-01-31"},
		{"at its end", "2026-02-28T12:00:00Z", "2026-02-28"},
		{"a year later", "2027-02-10T00:00:00Z", "2027-01-31"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := first.At(now, 31, time.UTC); got.Start.Format(time.DateOnly) != c.start {
			t.Errorf("%s: %v to %v, want it to begin on %s", c.name, got.Start, got.End, c.start)
		}
	}
}
