package billing

import (
	"context"

	"github.com/google/uuid"

	"tollgate/internal/invoices"
	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
	"tollgate/internal/subscriptions/period"
)

// Forecast is what a subscription's running period costs so far.
type Forecast struct {
	Subscription subscriptions.Listed
	Terms        plans.Terms
	Calls        int64 // billable so far
	Lines        []invoices.Line
	Subtotal     int64 // minor units
}

// Next works out the next invoice of each of an organization's subscriptions,
// as if the period ended now.
func (s *Service) Next(ctx context.Context, org uuid.UUID) ([]Forecast, error) {
	ctx = postgres.AsStaff(ctx)
	subs, err := s.subscriptions.List(ctx, org)
	if err != nil {
		return nil, err
	}
	var out []Forecast
	for _, sub := range subs {
		if sub.State == subscriptions.Ended {
			continue
		}
		f, err := s.forecast(ctx, sub)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (s *Service) forecast(ctx context.Context, sub subscriptions.Listed) (f Forecast, err error) {
	f.Subscription = sub
	if f.Terms, err = s.termsOf(ctx, sub.PlanVersionID); err != nil {
		return f, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		current := subscriptions.BillingPeriod{SubscriptionID: sub.ID, OrgID: sub.OrgID, StartsAt: *sub.PeriodStart, EndsAt: *sub.PeriodEnd, PlanVersionID: sub.PlanVersionID}
		counted, err := metering.CountSoFar(ctx, tx.PGX, sub.ID, current.StartsAt, current.EndsAt)
		if err != nil {
			return err
		}
		f.Calls = counted.Calls
		if f.Lines, err = s.ratedLines(tx, current, f.Terms, counted, metering.Bounds{Subscription: sub.ID, From: current.StartsAt, To: current.EndsAt, BatchTo: metering.AllBatches}, invoices.Usage); err != nil {
			return err
		}
		if sub.CancelAtEnd || f.Terms.RecurringFee == 0 {
			return nil
		}
		following := subscriptions.BillingPeriod{SubscriptionID: sub.ID, OrgID: sub.OrgID, PlanVersionID: sub.PlanVersionID,
			StartsAt: current.EndsAt, EndsAt: period.From(current.EndsAt, sub.AnchorDay, sub.Location()).End}
		fee, err := s.feeLine(ctx, following, f.Terms)
		f.Lines = append(f.Lines, fee)
		return err
	})
	for _, l := range f.Lines {
		f.Subtotal += l.Amount
	}
	return f, err
}

// Recomputed is a usage line worked out again from its frozen bounds.
type Recomputed struct {
	Calls  int64
	Stored int64 // of these, known by the counts stored of days whose single calls are gone
	Amount int64
	Hash   string // over the single calls that are stored
	Same   bool   // as billed, to the call and to the cent
}

// Recompute counts and rates a usage line again, from the calls themselves.
func (s *Service) Recompute(ctx context.Context, line invoices.Line) (r Recomputed, err error) {
	ctx = postgres.AsStaff(ctx)
	terms, err := s.termsOf(ctx, line.PlanVersionID)
	if err != nil {
		return r, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		counted, err := metering.CountBillable(ctx, tx.PGX, line.Bounds())
		if err != nil {
			return err
		}
		kept, err := metering.KeptOf(ctx, tx.PGX, line.ID)
		if err != nil {
			return err
		}
		var quantity int64
		for _, k := range kept {
			r.Stored, quantity = r.Stored+k.Calls, quantity+k.Quantity
		}
		r.Calls, r.Hash = counted.Calls+r.Stored, counted.Hash
		for _, c := range terms.Components {
			if line.ComponentID == nil || c.ID != *line.ComponentID {
				continue
			}
			rated, err := s.rate(tx, line.Bounds(), c, counted.On(c.Meter)+quantity, line.Kind)
			if err != nil {
				return err
			}
			r.Amount = rated.Amount
		}
		return nil
	})
	r.Same = r.Calls == line.EventCount && r.Amount == line.Amount && (r.Hash == line.UsageHash || r.Stored > 0)
	return r, err
}
