package billing

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"tollgate/internal/invoices"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Webhook stores a delivery of Stripe's, once, and has it applied. The
// signature is all that makes it believable.
func (s *Service) Webhook(ctx context.Context, payload []byte, signature string) error {
	event, err := s.stripe.VerifyWebhook(payload, signature, s.clock.Real())
	if err != nil {
		return (&problem.Error{Code: "bad-request", Message: "The signature does not fit the delivery."}).Because(err)
	}
	return s.db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		res := tx.Exec(`INSERT INTO stripe_events (id, type, object_id, received_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, event.ID, event.Type, event.ObjectID, s.clock.Real())
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error // delivered before
		}
		return s.queue.Add(ctx, tx, EventJob{Event: event.ID})
	})
}

// applyEvent takes an event as a hint: it fetches the object anew and brings
// our state in line, whatever the order of deliveries.
func (s *Service) applyEvent(ctx context.Context, id string) error {
	var event struct{ Type, ObjectID string }
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT type, object_id FROM stripe_events WHERE id = ?`, id).Scan(&event).Error
	})
	if err != nil {
		return err
	}
	outcome, err := s.applyObject(ctx, event.Type, event.ObjectID)
	if err != nil {
		return fmt.Errorf("apply %s: %w", event.Type, err)
	}
	return s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Exec(`UPDATE stripe_events SET applied_at = ?, outcome = ? WHERE id = ?`, s.clock.Real(), outcome, id).Error
	})
}

func (s *Service) applyObject(ctx context.Context, kind, object string) (outcome string, err error) {
	switch kind {
	case "invoice.paid", "invoice.payment_succeeded", "invoice.voided", "invoice.marked_uncollectible", "invoice.finalized", "invoice.payment_failed":
		return s.syncInvoice(ctx, object)
	case "checkout.session.completed":
		if _, err := s.CheckoutDone(ctx, object); err != nil {
			if e := problem.As(err); e.Code == "internal" {
				return "", err
			}
			return "not ours: " + problem.As(err).Message, nil
		}
		return "card stored", nil
	}
	return "nothing to do", nil
}

func (s *Service) syncInvoice(ctx context.Context, stripeID string) (string, error) {
	var id uuid.UUID
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT id FROM invoices WHERE stripe_invoice_id = $1`, stripeID).Scan(&id)
	})
	if postgres.IsNotFound(err) {
		return "not one of our invoices", nil
	}
	if err != nil {
		return "", err
	}
	doc, err := s.invoices.Get(ctx, id)
	if err != nil || doc.State != invoices.Open {
		return "already " + doc.State, err
	}
	theirs, err := s.stripe.Invoice(ctx, stripeID)
	if err != nil {
		return "", err
	}
	return "invoice is " + string(theirs.Status), s.settle(ctx, &doc, theirs)
}
