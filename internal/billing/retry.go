package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/postgres"
)

// retryAfter is the timetable of a refused payment; after the last step it is
// tried only when another card is stored.
var retryAfter = []time.Duration{3 * 24 * time.Hour, 5 * 24 * time.Hour, 7 * 24 * time.Hour}

// voidFirst gives up a subscription's first invoices of periods that began by
// until and were never paid for.
func (s *Service) voidFirst(ctx context.Context, subscription uuid.UUID, until time.Time) error {
	var stale []invoices.Invoice
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("subscription_id = ? AND reason = 'first' AND state IN ('approved', 'open') AND period_start <= ?", subscription, until).Find(&stale).Error
	})
	if err != nil {
		return err
	}
	for _, inv := range stale {
		if inv.State == invoices.Open {
			theirs, err := s.stripe.Void(ctx, *inv.StripeInvoiceID, "void-"+inv.ID.String())
			if err != nil {
				return err
			}
			if theirs.Status != stripe.InvoiceVoid {
				return fmt.Errorf("invoice %s is %s at Stripe and cannot be voided", inv.ID, theirs.Status)
			}
		}
		if err := s.set(ctx, inv.ID, map[string]any{"state": invoices.Void, "next_attempt_at": nil}); err != nil {
			return err
		}
	}
	return nil
}

// retryDue tries refused payments again whose time has come.
func (s *Service) retryDue(ctx context.Context) (int, error) {
	return s.retry(ctx, `next_attempt_at <= ?`, s.clock.Now())
}

// retryNow tries all open invoices of an organization: it has stored another card.
func (s *Service) retryNow(ctx context.Context, org uuid.UUID) error {
	_, err := s.retry(ctx, `org_id = ?`, org)
	return err
}

func (s *Service) retry(ctx context.Context, which string, arg any) (int, error) {
	var ids []uuid.UUID
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT id FROM invoices WHERE state = 'open' AND reason <> 'first' AND `+which+` ORDER BY created_at LIMIT 200`, arg).Scan(&ids).Error
	})
	for _, id := range ids {
		err = errors.Join(err, s.Collect(ctx, id))
	}
	return len(ids), err
}
