package quota

import (
	"testing"
	"time"
)

func TestSchedulesFollowTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	day := Slot{Days: weekdays, From: "08:00", To: "18:00", Percent: 200}
	night := Slot{Days: []time.Weekday{time.Saturday}, From: "22:00", To: "06:00", Percent: 50}
	early := Slot{From: "02:00", To: "03:00", Percent: 300}
	for _, tt := range []struct {
		name  string
		slots []Slot
		at    string // UTC
		want  int64
	}{
		{"before", []Slot{day}, "2026-11-02T06:59:59Z", 100},
		{"from", []Slot{day}, "2026-11-02T07:00:00Z", 200},
		{"until", []Slot{day}, "2026-11-02T16:59:59Z", 200},
		{"after", []Slot{day}, "2026-11-02T17:00:00Z", 100},
		{"another day", []Slot{day}, "2026-11-01T12:00:00Z", 100},
		{"the day by the wall, not by UTC", []Slot{{Days: []time.Weekday{time.Monday}, From: "00:00", To: "01:00", Percent: 150}}, "2026-11-01T23:30:00Z", 150},
		{"in summer an hour earlier", []Slot{day}, "2026-07-06T06:00:00Z", 200},
		{"the evening on which a night begins", []Slot{night}, "2026-11-07T22:00:00Z", 50},
		{"its morning, a day later", []Slot{night}, "2026-11-08T04:59:00Z", 50},
		{"its end", []Slot{night}, "2026-11-08T05:00:00Z", 100},
		{"the morning of its own day", []Slot{night}, "2026-11-07T04:00:00Z", 100},
		{"the hour that spring leaves out", []Slot{early}, "2026-03-29T01:00:00Z", 100},
		{"the hour that autumn repeats, first", []Slot{early}, "2026-10-25T00:30:00Z", 300},
		{"the hour that autumn repeats, again", []Slot{early}, "2026-10-25T01:30:00Z", 300},
		{"the first slot counts", []Slot{{From: "00:00", To: "00:00", Percent: 120}, day}, "2026-11-02T12:00:00Z", 120},
	} {
		r, err := NewRule(Limit{Algorithm: FixedWindow, Scope: PerKey, Calls: 10, Window: time.Second, Adapt: Adapt{Schedule: tt.slots}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Percent(&Moved{}, berlin, Health{}, at.UnixMicro()); got != tt.want {
			t.Errorf("%s: %d %%, want %d", tt.name, got, tt.want)
		}
	}
}

func TestALimitShrinksAndRecoversWithHysteresis(t *testing.T) {
	t.Parallel()
	s := Shrink{Percent: 50, Errors: 20, Latency: time.Second}
	unwell := false
	for i, step := range []struct {
		h    Health
		want bool
	}{
		{Health{19, 999 * time.Millisecond}, false},
		{Health{20, 0}, true},
		{Health{16, 0}, true}, // under the threshold, not yet under three quarters of it
		{Health{14, 800 * time.Millisecond}, true},
		{Health{14, 700 * time.Millisecond}, false},
		{Health{19, 0}, false},
		{Health{0, time.Second}, true},
	} {
		if unwell = s.Unwell(unwell, step.h); unwell != step.want {
			t.Errorf("step %d: %v", i, unwell)
		}
	}
	if (Shrink{Errors: 1}).Unwell(true, Health{Errors: 100}) {
		t.Error("a limit without a factor shrank")
	}
}

func TestALimitInForceIsShownAndHeldTo(t *testing.T) {
	t.Parallel()
	s, tb := prepared(t, Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 10, Window: time.Hour,
		Adapt: Adapt{Shrink: Shrink{Percent: 50, Errors: 20}}}), table{}
	sick := somebody
	sick.Health = Health{Errors: 30}
	passed := 0
	for range 10 {
		d := tb.decide(s, Call{Who: &sick, Now: start})
		if d.Status.Limit != 5 {
			t.Fatalf("%+v", d.Status)
		}
		if d.OK {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d calls passed, want half of ten", passed)
	}
	if d := tb.decide(s, Call{Who: &somebody, Now: start}); !d.OK || d.Status.Limit != 10 || d.Status.Remaining != 0 {
		t.Errorf("well again, in the same window: %+v", d)
	}
}

// surging makes demand calls in each of n windows of a second.
func surging(tb table, s *Set, who *Subject, from, n, demand int64) (passed int64) {
	for w := range n {
		for i := range demand {
			if tb.decide(s, Call{Who: who, Now: from + w*1_000_000 + i}).OK {
				passed++
			}
		}
	}
	return passed
}

func TestASurgeIsLetThroughOnceAndForAWhile(t *testing.T) {
	t.Parallel()
	s := prepared(t, Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 100, Window: time.Second,
		Adapt: Adapt{Surge: Surge{Percent: 150, For: 10 * time.Second}}})
	t.Run("a caller who needs more for once", func(t *testing.T) {
		t.Parallel()
		tb := table{}
		surging(tb, s, &somebody, start, 30, 50)
		if got := surging(tb, s, &somebody, start+30_000_000, 10, 200); got != 10*150 {
			t.Errorf("%d calls passed in ten seconds of surge, want 1500", got)
		}
		if got := surging(tb, s, &somebody, start+41_000_000, 30, 200); got != 30*100 {
			t.Errorf("%d calls passed in the half minute after it, want 3000", got)
		}
	})
	t.Run("a caller who always asks for more", func(t *testing.T) {
		t.Parallel()
		tb := table{}
		surging(tb, s, &somebody, start, 60, 200)
		if got := surging(tb, s, &somebody, start+60_000_000, 60, 200); got != 60*100 {
			t.Errorf("%d calls passed in a minute, want 6000", got)
		}
	})
	t.Run("an upstream that is not healthy", func(t *testing.T) {
		t.Parallel()
		tb, sick := table{}, somebody
		sick.Health = Health{Errors: surgeErrors}
		surging(tb, s, &sick, start, 30, 50)
		if got := surging(tb, s, &sick, start+30_000_000, 10, 200); got != 10*100 {
			t.Errorf("%d calls passed, want 1000", got)
		}
	})
}
