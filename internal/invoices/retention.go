package invoices

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/metering"
	"tollgate/internal/postgres"
)

// DropCallsJob lets single calls go that have been kept for long enough.
type DropCallsJob struct{}

// Kind implements [river.JobArgs].
func (DropCallsJob) Kind() string { return "drop_calls" }

// DropCalls drops the single calls of days that ended more than kept days ago,
// oldest first, once nothing is left to be billed of them. What each invoice
// line counted on them stays. It returns how many days went and is safe to
// repeat and to run twice at once.
func (s *Service) DropCalls(ctx context.Context, kept int) (dropped int, err error) {
	ctx = postgres.AsStaff(ctx)
	days, err := s.old(ctx, kept)
	for _, day := range days {
		went := false
		err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) (err error) {
			went, err = metering.DropDay(ctx, tx.PGX, day, s.clock.Now())
			return err
		})
		switch {
		case errors.Is(err, metering.ErrDayChanged): // the next time
		case err != nil:
			return dropped, err
		case went:
			dropped++
		}
	}
	return dropped, err
}

// old are the stored days that ended more than kept days ago, oldest first.
func (s *Service) old(ctx context.Context, kept int) (days []time.Time, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		days, err = metering.Days(ctx, tx.PGX)
		return err
	})
	oldest := s.clock.Now().AddDate(0, 0, -kept)
	return slices.DeleteFunc(days, func(day time.Time) bool { return day.AddDate(0, 0, 1).After(oldest) }), err
}

// Unbilled is late usage with whose it is.
type Unbilled struct {
	metering.Unbilled
	Org      uuid.UUID
	Customer string
}

// Unbilled lists the late calls that keep days which ended more than kept days
// ago from being dropped, for finance. Those of a running subscription come on
// its next invoice; those of one that ended long ago stay until somebody acts.
func (s *Service) Unbilled(ctx context.Context, kept int) (out []Unbilled, err error) {
	ctx = postgres.AsStaff(ctx)
	days, err := s.old(ctx, kept)
	if err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		for _, day := range days {
			late, err := metering.UnbilledOf(ctx, tx.PGX, day)
			if err != nil {
				return err
			}
			for _, l := range late {
				u := Unbilled{Unbilled: l}
				err := tx.PGX.QueryRow(ctx, `SELECT o.id, o.name FROM subscriptions s JOIN organizations o ON o.id = s.org_id WHERE s.id = $1`, l.Subscription).Scan(&u.Org, &u.Customer)
				if err != nil {
					return err
				}
				out = append(out, u)
			}
		}
		return nil
	})
	return out, err
}

// DayCount is what a line counted on one day, of one API and key.
type DayCount struct {
	metering.KeptRow      // Hash is empty while the single calls are stored
	Gone             bool // the single calls
}

// Days splits a usage line into days, APIs and keys, oldest first, with the
// quantity on the line's meter. Of days whose single calls are gone it knows
// what was stored of them.
func (s *Service) Days(ctx context.Context, l Line) (out []DayCount, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		meter, err := meterOf(ctx, tx, l)
		if err != nil {
			return err
		}
		kept, err := metering.KeptOf(ctx, tx.PGX, l.ID)
		if err != nil {
			return err
		}
		days, err := metering.BillableByDay(ctx, tx.PGX, l.Bounds())
		for _, k := range kept {
			out = append(out, DayCount{k, true})
		}
		for _, d := range days {
			out = append(out, DayCount{metering.KeptRow{Day: d.Day, VersionID: d.VersionID, API: d.API, KeyID: d.KeyID, Key: d.Key, Calls: d.Calls, Quantity: d.On(meter)}, false})
		}
		return err
	})
	slices.SortStableFunc(out, func(a, b DayCount) int { return a.Day.Compare(b.Day) })
	return out, err
}

// Meter is what a usage line counts.
func (s *Service) Meter(ctx context.Context, l Line) (meter string, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		meter, err = meterOf(ctx, tx, l)
		return err
	})
	return meter, err
}

func meterOf(ctx context.Context, tx *postgres.Tx, l Line) (meter string, err error) {
	if l.ComponentID == nil {
		return metering.Requests, nil
	}
	err = tx.PGX.QueryRow(ctx, `SELECT meter FROM price_components WHERE id = $1`, *l.ComponentID).Scan(&meter)
	return meter, err
}

// Dropped is the moment before which no single call is stored; zero: all are.
func (s *Service) Dropped(ctx context.Context) (until time.Time, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		until, err = metering.Dropped(ctx, tx.PGX)
		return err
	})
	return until, err
}
