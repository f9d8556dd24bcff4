package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/metering"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
)

// lateFor is how long after a subscription's end usage that was still on its way is looked for.
const lateFor = 60 * 24 * time.Hour

// lateReach is how old such usage may be: it bounds the days that are looked at.
// Older usage is told to finance when its day should be dropped.
const lateReach = 366 * 24 * time.Hour

// BillLate drafts an invoice of its own for usage that arrived after the last
// period of an ended subscription was closed: no other invoice would carry it.
// It returns how many it made and is safe to repeat and to run twice at once.
func (s *Service) BillLate(ctx context.Context) (made int, err error) {
	ctx = postgres.AsStaff(ctx)
	var ids []uuid.UUID
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT s.id FROM subscriptions s WHERE s.state = 'ended' AND s.ended_at >= ?
				AND NOT EXISTS (SELECT FROM billing_periods b WHERE b.subscription_id = s.id AND b.closed_batch IS NULL)
				AND EXISTS (SELECT FROM billing_periods b JOIN usage_events e ON e.subscription_id = b.subscription_id AND e.at >= b.starts_at AND e.at < b.ends_at
					WHERE b.subscription_id = s.id AND e.billable AND e.batch_id > b.closed_batch AND e.at >= ?)`, s.clock.Now().Add(-lateFor), s.clock.Now().Add(-lateReach)).Scan(&ids).Error
	})
	for _, id := range ids {
		drafted, failed := s.billLate(ctx, id)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("bill late usage of subscription %s: %w", id, failed))
		}
		if drafted {
			made++
		}
	}
	return made, err
}

func (s *Service) billLate(ctx context.Context, subscription uuid.UUID) (drafted bool, err error) {
	last, err := metering.LastBatch(ctx, s.db.StaffPool())
	if err != nil {
		return false, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var final subscriptions.BillingPeriod
		if err := tx.Where("subscription_id = ?", subscription).Order("number DESC").First(&final).Error; err != nil {
			return err
		}
		after := final
		after.Number++
		lines, err := s.lateLines(ctx, tx, after, last, stripe.MaxItems)
		if err != nil || len(lines) == 0 {
			return err
		}
		terms, err := s.termsOf(ctx, final.PlanVersionID)
		if err != nil {
			return err
		}
		drafted = true
		return invoices.Insert(ctx, tx, &invoices.Invoice{
			ID: postgres.NewID(), OrgID: final.OrgID, SubscriptionID: subscription, Reason: invoices.Final, State: invoices.Review,
			Currency: terms.Currency, PeriodStart: final.StartsAt, PeriodEnd: final.EndsAt, CreatedAt: s.clock.Now(),
		}, lines)
	})
	return drafted && err == nil, err
}
