package snapshot

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
	"tollgate/internal/subscriptions/period"
)

// Plan is what a plan version's terms let through.
type Plan struct {
	Terms
	Limits []quota.Limit // rates and concurrency, by position

	set      *quota.Set // of Limits
	quota    Quota
	position []int32
	billed   uint8 // bit n: status class n
}

// Quota is how many calls a period includes, or how many were paid for in advance.
type Quota struct {
	Calls         int64 // 0: no quota, unless it is prepaid
	Hard          bool  // blocks; else further calls cost
	CalendarMonth bool  // else per billing period
	Prepaid       bool  // else renewed with each period
	Position      int32 // of the limit in the plan
}

// Counts reports whether there is a quota.
func (q Quota) Counts() bool { return q.Calls > 0 || q.Prepaid }

// Position is the place in the plan of the nth of Limits, which overrides name.
func (p *Plan) Position(n int) int32 { return p.position[n] }

// Bills reports whether calls answered with a status are billed.
func (p *Plan) Bills(status int) bool {
	return status >= 100 && status < 800 && p.billed&(1<<(status/100)) != 0
}

func newPlan(t Terms) (*Plan, error) {
	p := &Plan{Terms: t}
	for _, class := range t.Billed {
		p.billed |= 1 << (class & 7)
	}
	for _, l := range t.Limits {
		if l.Kind == "quota" {
			p.quota = Quota{Calls: l.Calls, Hard: l.Hard, CalendarMonth: l.CalendarMonth, Prepaid: l.Prepaid, Position: l.Position}
			continue
		}
		window := time.Duration(l.Window) * time.Second
		p.Limits = append(p.Limits, quota.Limit{
			Concurrent: l.Kind == "concurrency", Algorithm: l.Algorithm, Scope: l.Scope, Operation: l.Operation,
			Calls: l.Calls, Burst: l.Burst, Window: window, Adapt: l.Adapt,
		})
		p.position = append(p.position, l.Position)
	}
	var err error
	if p.set, err = quota.Prepare(p.Limits); err != nil {
		return nil, fmt.Errorf("plan %s: %w", t.Name, err)
	}
	return p, nil
}

// Hold is a subscription with its terms, or an anonymous plan.
type Hold struct {
	Plan   *Plan
	Unpaid bool // an invoice of the subscription could not be paid
	zone   *time.Location
	sets   []effective // while overrides are in force, by their end
	Seat   quota.Seat  // of its quota; all else here never changes
	Subscription
}

// effective is a plan's amounts under overrides.
type effective struct {
	until  time.Time
	limits []quota.Limit
	set    *quota.Set
	quota  Quota
}

// Anonymous reports whether the hold is nobody's: its subscription, application
// and organization have no ids, it has no period, and its quota means nothing.
func (h *Hold) Anonymous() bool { return h.Plan.Anonymous }

// Zone is the organization's time zone.
func (h *Hold) Zone() *time.Location { return h.zone }

// Limits are the rates and bounds of concurrency in force at now, in the plan's
// order. The slice is shared: nobody may change it.
func (h *Hold) Limits(now time.Time) []quota.Limit {
	for i := range h.sets {
		if now.Before(h.sets[i].until) {
			return h.sets[i].limits
		}
	}
	return h.Plan.Limits
}

// Set is Limits, made ready for counting.
func (h *Hold) Set(now time.Time) *quota.Set {
	for i := range h.sets {
		if now.Before(h.sets[i].until) {
			return h.sets[i].set
		}
	}
	return h.Plan.set
}

// Quota is the quota in force at now. A prepaid one is as large as the credits.
func (h *Hold) Quota(now time.Time) Quota {
	if q := h.Plan.quota; q.Prepaid {
		q.Calls = h.Credits
		return q
	}
	for i := range h.sets {
		if now.Before(h.sets[i].until) {
			return h.sets[i].quota
		}
	}
	return h.Plan.quota
}

// Period is the billing period that contains now. It follows from the calendar,
// so that a quota is renewed also while the portal is away; ok is false once the
// subscription was cancelled for the end of a period that has passed.
func (h *Hold) Period(now time.Time) (p period.Period, ok bool) {
	p = period.Period{Start: h.PeriodStart, End: h.PeriodEnd}
	if now.Before(p.End) {
		return p, true
	}
	return p.At(now, h.AnchorDay, h.zone), !h.CancelAtEnd
}

// QuotaPeriod is the window of the quota that contains now: the billing period,
// the calendar month in the organization's zone, or all time for a prepaid one.
func (h *Hold) QuotaPeriod(now time.Time) period.Period {
	if h.Plan.quota.Prepaid {
		return period.Always()
	}
	if !h.Plan.quota.CalendarMonth {
		p, _ := h.Period(now)
		return p
	}
	year, month, _ := now.In(h.zone).Date()
	return period.Period{
		Start: time.Date(year, month, 1, 0, 0, 0, 0, h.zone).UTC(),
		End:   time.Date(year, month+1, 1, 0, 0, 0, 0, h.zone).UTC(),
	}
}

func newHold(s Subscription, p *Plan, zone *time.Location) *Hold {
	s.Plan, s.ProductSlug = p.Name, p.ProductSlug
	return &Hold{Subscription: s, Plan: p, Unpaid: s.State == "unpaid", zone: zone, sets: overridden(p, s.Overrides)}
}

// overridden prepares a plan's amounts for each stretch of time between two
// ends of overrides.
func overridden(p *Plan, overrides []Override) (sets []effective) {
	mine := slices.DeleteFunc(slices.Clone(overrides), func(o Override) bool { return o.Plan != p.ID })
	slices.SortFunc(mine, func(a, b Override) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	for len(mine) > 0 {
		set := effective{until: mine[0].ExpiresAt, limits: slices.Clone(p.Limits), quota: p.quota}
		for _, o := range mine {
			set.apply(p, o)
		}
		var err error
		if set.set, err = quota.Prepare(set.limits); err != nil { // an override of nonsense overrides nothing
			set.limits, set.set = p.Limits, p.set
		}
		sets = append(sets, set)
		mine = slices.DeleteFunc(mine, func(o Override) bool { return !o.ExpiresAt.After(set.until) })
	}
	return sets
}

func (s *effective) apply(p *Plan, o Override) {
	if p.quota.Calls > 0 && p.quota.Position == o.Position {
		s.quota.Calls = o.Calls
		return
	}
	if i := slices.Index(p.position, o.Position); i >= 0 {
		s.limits[i].Calls, s.limits[i].Burst = o.Calls, o.Burst
	}
}

// held is a hold as a row of the view's table.
type held struct{ *Hold }

type holdKey struct{ application, product uuid.UUID }

func (k holdKey) sum() uint64 {
	h := binary.LittleEndian.Uint64(k.application[8:]) ^ binary.LittleEndian.Uint64(k.application[:])*0x9E3779B97F4A7C15
	h ^= binary.LittleEndian.Uint64(k.product[8:])*0xC2B2AE3D27D4EB4F ^ binary.LittleEndian.Uint64(k.product[:])
	h = (h ^ h>>32) * 0xD6E8FEB86659FD93 // the ends of ids are random, their bits must reach all others
	h = (h ^ h>>32) * 0xD6E8FEB86659FD93
	return h ^ h>>32
}

func (h *held) key() holdKey      { return holdKey{h.Application, h.Product} }
func (h *held) is(k holdKey) bool { return h.Application == k.application && h.Product == k.product }
func (h *held) ident() uuid.UUID  { return h.ID }
