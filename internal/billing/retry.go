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
		if err := s.claimedPatiently(ctx, inv.ID, s.void); err != nil {
			return err
		}
	}
	return nil
}

// giveUpStale ends what was subscribed to and not paid for within staleCheckout:
// its invoice is voided, so that nobody pays for a period that has long begun.
func (s *Service) giveUpStale(ctx context.Context) error {
	var ids []uuid.UUID
	now := s.clock.Now()
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT s.id FROM subscriptions s WHERE s.state = 'pending' AND s.period_start <= ?
			AND EXISTS (SELECT FROM invoices i WHERE i.subscription_id = s.id AND i.reason = 'first' AND i.state IN ('approved', 'open')) LIMIT 200`, now.Add(-staleCheckout)).Scan(&ids).Error
	})
	for _, id := range ids {
		if failed := errors.Join(s.voidFirst(ctx, id, now.Add(-staleCheckout)), s.subscriptions.GiveUp(ctx, id)); failed != nil {
			err = errors.Join(err, fmt.Errorf("give up subscription %s: %w", id, failed))
		}
	}
	return err
}

// void gives up a claimed invoice, at Stripe as well, as it stands there now.
// If it turns out to be paid, it is.
func (s *Service) void(ctx context.Context, id uuid.UUID) error {
	doc, err := s.invoices.Get(ctx, id)
	if err != nil || (doc.State != invoices.Approved && doc.State != invoices.Open) {
		return err
	}
	if doc.StripeInvoiceID == nil {
		return s.conclude(ctx, &doc, invoices.Void, map[string]any{})
	}
	theirs, err := s.stripe.Invoice(ctx, *doc.StripeInvoiceID)
	if err != nil {
		return err
	}
	if theirs.Status == stripe.InvoicePaid {
		if doc.State == invoices.Approved {
			return s.finalize(ctx, &doc)
		}
		return s.settle(ctx, &doc, theirs)
	}
	if err := s.discard(ctx, &doc, theirs); err != nil {
		return err
	}
	return s.conclude(ctx, &doc, invoices.Void, map[string]any{})
}

// discard deletes or voids what Stripe has of an invoice that is not paid.
func (s *Service) discard(ctx context.Context, doc *invoices.Document, theirs stripe.Invoice) (err error) {
	switch theirs.Status {
	case stripe.InvoiceDraft:
		return s.deleteDraft(ctx, theirs.ID)
	case stripe.InvoiceOpen, stripe.InvoiceUncollectible:
		id := theirs.ID
		theirs, err = repeat("void-"+id, s.noLonger(ctx, doc, theirs.Status), func(key string) (stripe.Invoice, error) { return s.stripe.Void(ctx, id, key) })
		if err != nil {
			return err
		}
	}
	if theirs.Status != stripe.InvoiceVoid {
		return fmt.Errorf("invoice %s is %s at Stripe and cannot be voided", doc.ID, theirs.Status)
	}
	return nil
}

// deleteDraft removes a draft at Stripe; one that is gone already is fine.
func (s *Service) deleteDraft(ctx context.Context, id string) error {
	_, err := repeat("delete-"+id, nil, func(key string) (struct{}, error) { return struct{}{}, s.stripe.DeleteDraft(ctx, id, key) })
	if stripe.KindOf(err) == stripe.NotFound {
		return nil
	}
	return err
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
