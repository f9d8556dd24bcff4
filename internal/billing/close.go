package billing

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
	"tollgate/internal/subscriptions"
)

// closeDue closes every period whose grace has passed. One that cannot be closed
// does not keep the others waiting.
func (s *Service) closeDue(ctx context.Context) (closed int, err error) {
	var last subscriptions.BillingPeriod
	for {
		due, listed := s.subscriptions.DuePeriods(ctx, s.clock.Now().Add(-Grace), last, 100)
		if listed != nil || len(due) == 0 {
			return closed, errors.Join(err, listed)
		}
		for _, p := range due {
			if failed := s.closePeriod(ctx, p); failed != nil {
				err = errors.Join(err, fmt.Errorf("close period %d of subscription %s: %w", p.Number, p.SubscriptionID, failed))
				continue
			}
			closed++
		}
		last = due[len(due)-1]
	}
}

// errClosed says that another process closed the period first.
var errClosed = errors.New("closed already")

// closePeriod freezes a period's usage into a draft, together with the next
// period's fee. Nothing to charge makes no invoice.
func (s *Service) closePeriod(ctx context.Context, p subscriptions.BillingPeriod) error {
	last, err := metering.LastBatch(ctx, s.db.StaffPool())
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		res := tx.Exec(`UPDATE billing_periods SET closed_batch = ? WHERE subscription_id = ? AND number = ? AND closed_batch IS NULL`, last, p.SubscriptionID, p.Number)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return errClosed
		}
		return s.draft(ctx, tx, p, last)
	})
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

// draft writes the invoice of a period that is being closed at batch last.
func (s *Service) draft(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod, last int64) error {
	lines, err := s.usageLines(ctx, tx, p, 0, last, invoices.Usage)
	if err != nil {
		return err
	}
	late, err := s.lateLines(ctx, tx, p, last, stripe.MaxItems-len(lines)-1) // one is the next fee's
	if err != nil {
		return err
	}
	lines = append(lines, late...)
	fee, currency, err := s.nextFee(ctx, tx, p)
	if err != nil {
		return err
	}
	lines = append(lines, fee...)
	if len(lines) == 0 {
		return nil
	}
	inv := invoices.Invoice{
		ID: postgres.NewID(), OrgID: p.OrgID, SubscriptionID: p.SubscriptionID, Reason: invoices.Period, State: invoices.Review,
		Currency: currency, PeriodStart: p.StartsAt, PeriodEnd: p.EndsAt, CreatedAt: s.clock.Now(),
	}
	if len(fee) == 0 {
		inv.Reason = invoices.Final
	}
	return invoices.Insert(ctx, tx, &inv, lines)
}

// usageLines rates a period's usage of batches (after, to]. With after > 0 it
// is late usage: charged is what the whole costs now, less what was billed.
func (s *Service) usageLines(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod, after, to int64, kind string) ([]invoices.Line, error) {
	terms, err := s.termsOf(ctx, p.PlanVersionID)
	if err != nil || len(terms.Components) == 0 { // nothing to hash every call for
		return nil, err
	}
	bounds := metering.Bounds{Subscription: p.SubscriptionID, From: p.StartsAt, To: p.EndsAt, BatchAfter: after, BatchTo: to}
	counted, err := metering.CountBillable(ctx, tx.PGX, bounds)
	if err != nil || (kind == invoices.Adjustment && counted.Calls == 0) {
		return nil, err
	}
	return s.ratedLines(tx, p, terms, counted, bounds, kind)
}

// ratedLines are the lines of counted usage, one for each price component.
func (s *Service) ratedLines(tx *postgres.Tx, p subscriptions.BillingPeriod, terms plans.Terms, counted metering.Counted, b metering.Bounds, kind string) ([]invoices.Line, error) {
	var lines []invoices.Line
	for _, c := range terms.Components {
		quantity := counted.On(c.Meter)
		rated, err := s.rate(tx, b, c, quantity, kind)
		if err != nil {
			return nil, err
		}
		lines = append(lines, invoices.Line{
			Kind: kind, Description: c.Name, Quantity: quantity, Amount: rated.Amount, Details: rated.Details,
			PeriodStart: p.StartsAt, PeriodEnd: p.EndsAt, PlanVersionID: p.PlanVersionID, ComponentID: &c.ID, SubscriptionID: p.SubscriptionID,
			BatchAfter: b.BatchAfter, BatchTo: b.BatchTo, EventCount: counted.Calls, UsageHash: counted.Hash,
		})
	}
	return lines, nil
}

// rate prices the quantity of a line; an adjustment costs what all usage of the
// period costs with it, less what was billed by the lines before it.
func (s *Service) rate(tx *postgres.Tx, b metering.Bounds, c plans.Component, quantity int64, kind string) (pricing.Line, error) {
	if kind != invoices.Adjustment {
		return pricing.Rate(c.Component, quantity)
	}
	var before struct{ Quantity, Amount int64 }
	err := tx.Raw(`SELECT coalesce(sum(quantity), 0)::bigint AS quantity, coalesce(sum(amount), 0)::bigint AS amount FROM invoice_lines
		WHERE subscription_id = ? AND period_start = ? AND component_id = ? AND batch_to <= ? AND invoice_id NOT IN (SELECT id FROM invoices WHERE state = 'void')`,
		b.Subscription, b.From, c.ID, b.BatchAfter).Scan(&before).Error
	if err != nil {
		return pricing.Line{}, err
	}
	whole, err := pricing.Rate(c.Component, before.Quantity+quantity)
	if err != nil {
		return pricing.Line{}, err
	}
	whole.Details = append(whole.Details, pricing.Detail{Amount: -before.Amount, Note: "billed before"})
	whole.Amount -= before.Amount
	return whole, nil
}

// lateLines adjusts earlier periods for usage that arrived after they were
// closed. What makes more lines than most waits for the next invoice.
func (s *Service) lateLines(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod, last int64, most int) (lines []invoices.Line, err error) {
	var closed []subscriptions.BillingPeriod
	// locked, so that two processes cannot bill the same late usage
	err = tx.Raw(`SELECT * FROM billing_periods WHERE subscription_id = ? AND number < ? AND closed_batch < ? ORDER BY number FOR UPDATE`, p.SubscriptionID, p.Number, last).Scan(&closed).Error
	if err != nil {
		return nil, err
	}
	for _, earlier := range closed {
		more, err := s.usageLines(ctx, tx, earlier, *earlier.ClosedBatch, last, invoices.Adjustment)
		if err != nil {
			return nil, err
		}
		if len(lines)+len(more) > most {
			break
		}
		lines = append(lines, more...)
		if err := tx.Exec(`UPDATE billing_periods SET closed_batch = ? WHERE subscription_id = ? AND number = ?`, last, earlier.SubscriptionID, earlier.Number).Error; err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// nextFee is the line of the fee for the period after p, if there is one.
func (s *Service) nextFee(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod) (lines []invoices.Line, currency string, err error) {
	var next subscriptions.BillingPeriod
	err = tx.Where("subscription_id = ? AND number = ?", p.SubscriptionID, p.Number+1).Limit(1).Find(&next).Error
	if err != nil {
		return nil, "", err
	}
	renewed := next.Number != 0
	if !renewed {
		next.PlanVersionID = p.PlanVersionID
	}
	terms, err := s.termsOf(ctx, next.PlanVersionID)
	if err != nil || !renewed || terms.RecurringFee == 0 {
		return nil, terms.Currency, err
	}
	line, err := s.feeLine(ctx, next, terms)
	return []invoices.Line{line}, terms.Currency, err
}

func (s *Service) feeLine(ctx context.Context, p subscriptions.BillingPeriod, terms plans.Terms) (invoices.Line, error) {
	offer, product, err := s.plans.OfferOf(ctx, terms.PlanID)
	return invoices.Line{
		Kind: invoices.Recurring, Description: fmt.Sprintf("%s, plan %s", product.Name, offer.Name), Quantity: 1, Amount: terms.RecurringFee,
		PeriodStart: p.StartsAt, PeriodEnd: p.EndsAt, PlanVersionID: p.PlanVersionID, SubscriptionID: p.SubscriptionID,
	}, err
}

func (s *Service) termsOf(ctx context.Context, version uuid.UUID) (plans.Terms, error) {
	all, err := s.plans.TermsOf(ctx, version)
	return all[version], err
}
