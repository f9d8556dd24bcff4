package quota

import (
	"fmt"
	"time"
)

// Health is what the gateway knows of the upstream that a call would go to.
type Health struct {
	Errors  int64         // per cent of late answers that were 5xx, 0 to 100
	Latency time.Duration // late mean time to the first byte
}

// surgeErrors is how many per cent of errors keep a limit from being raised
// where the plan names no threshold of its own.
const surgeErrors = 5

// Moved is how far one subject's limit has been moved, and why.
type Moved struct {
	percent   int64 // in force
	minute    int64 // for which scheduled was looked up
	scheduled int64
	unwell    bool
	until     int64 // µs: the end of the last raise
	window    int64 // for which asked counts
	asked     int64
	average   int64 // of windows before, in sixteenths of a call
}

// Percent moves the limit to now, in µs since the epoch, and reports what is in
// force: the schedule's percentage; lowered while the upstream is unwell, or
// else raised while a surge lasts. A nil zone is UTC.
func (r *Rule) Percent(m *Moved, zone *time.Location, h Health, now int64) int64 {
	if minute := now / 60_000_000; minute != m.minute || m.scheduled == 0 {
		m.minute, m.scheduled = minute, 100
		if len(r.slots) > 0 {
			m.scheduled = scheduled(r.slots, now, zone)
		}
	}
	m.percent = m.scheduled
	m.unwell = r.Adapt.Shrink.Unwell(m.unwell, h)
	switch {
	case m.unwell:
		m.percent = m.percent * r.Adapt.Shrink.Percent / 100
	case r.Adapt.Surge.Percent > 0 && now < m.until && now >= m.until-r.Adapt.Surge.For.Microseconds() && r.fit(h):
		m.percent = m.percent * r.Adapt.Surge.Percent / 100
	}
	m.percent = max(m.percent, 1)
	return m.percent
}

// Ask notes the demand of a call, passed or not.
func (r *Rule) Ask(m *Moved, cost, now int64) {
	if r.Adapt.Surge.Percent == 0 {
		return
	}
	n := now / r.size
	for i := 0; m.window < n && i < 64; i++ { // after so many idle windows nothing is left of the average
		m.average += (m.asked*16 - m.average) / 8
		m.asked = 0
		m.window++
	}
	m.window = max(m.window, n)
	m.asked += cost
}

// Rush begins a raise if a refused caller's demand is out of the ordinary: the
// average of the windows before is within four fifths of the limit, the
// upstream is healthy, and as long as a raise lasts has passed since the last.
// It reports whether it did.
func (r *Rule) Rush(m *Moved, h Health, now int64) bool {
	s := r.Adapt.Surge
	long := s.For.Microseconds()
	late := now < m.until+long && now >= m.until-long
	if s.Percent == 0 || late || m.unwell || !r.fit(h) || m.average > r.Calls*16*4/5 {
		return false
	}
	m.until = now + long
	return true
}

// fit reports whether the upstream could carry more.
func (r *Rule) fit(h Health) bool {
	s := r.Adapt.Shrink
	if s.Errors == 0 {
		s.Errors = surgeErrors
	}
	return h.Errors < s.Errors && (s.Latency == 0 || h.Latency < s.Latency)
}

// Unwell reports whether the limit is lowered: from the moment that errors or
// latency reach their threshold until both are under three quarters of it.
func (s Shrink) Unwell(was bool, h Health) bool {
	if s.Percent == 0 {
		return false
	}
	errors, latency := s.Errors*4, s.Latency*4
	if was {
		errors, latency = s.Errors*3, s.Latency*3
	}
	return errors > 0 && h.Errors*4 >= errors || latency > 0 && h.Latency*4 >= latency
}

func (m *Moved) idle(r *Rule, now int64) bool {
	return now >= m.until+r.Adapt.Surge.For.Microseconds() && now/r.size >= m.window+16
}

// slot is a Slot with its times in minutes of the day.
type slot struct {
	days     [7]bool
	from, to int
	percent  int64
}

func parseSlots(schedule []Slot) ([]slot, error) {
	parsed := make([]slot, 0, len(schedule))
	for i, s := range schedule {
		from, errFrom := time.Parse("15:04", s.From)
		to, errTo := time.Parse("15:04", s.To)
		if errFrom != nil || errTo != nil {
			return nil, fmt.Errorf("slot %d of the schedule: from and to are times such as 08:30, not %q and %q", i, s.From, s.To)
		}
		if s.Percent < 1 || s.Percent > 1000 {
			return nil, fmt.Errorf("slot %d of the schedule: the percentage must be between 1 and 1000, not %d", i, s.Percent)
		}
		p := slot{from: from.Hour()*60 + from.Minute(), to: to.Hour()*60 + to.Minute(), percent: s.Percent}
		for _, d := range s.Days {
			if d < time.Sunday || d > time.Saturday {
				return nil, fmt.Errorf("slot %d of the schedule: %d is no day of the week", i, int(d))
			}
			p.days[d] = true
		}
		if len(s.Days) == 0 {
			p.days = [7]bool{true, true, true, true, true, true, true}
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

// scheduled is the percentage of the first slot that holds now. It compares
// what clocks on the wall show, so that a change to or from summer time moves
// nothing. A slot that passes midnight belongs to the day on which it begins;
// one that ends when it begins lasts the whole day.
func scheduled(slots []slot, now int64, zone *time.Location) int64 {
	if zone == nil {
		zone = time.UTC
	}
	local := time.UnixMicro(now).In(zone)
	day, minute := local.Weekday(), local.Hour()*60+local.Minute()
	for _, s := range slots {
		today, yesterday := s.days[day], s.days[(day+6)%7]
		switch {
		case s.from < s.to && today && minute >= s.from && minute < s.to,
			s.from >= s.to && today && minute >= s.from,
			s.from >= s.to && yesterday && minute < s.to:
			return s.percent
		}
	}
	return 100
}
