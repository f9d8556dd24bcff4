package billing

import (
	"context"
	"fmt"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/postgres"
)

// redraft gives up what Stripe has of an invoice whose sum was wrong there, and
// makes all of its lines be sent anew. If that was paid all the same, the
// invoice is held once more: a person gives the payment back before the next
// one is charged.
func (s *Service) redraft(ctx context.Context, doc *invoices.Document) error {
	wrong := *doc.StripeInvoiceID
	theirs, err := s.stripe.Invoice(ctx, wrong)
	switch {
	case stripe.KindOf(err) == stripe.NotFound: // deleted already
	case err != nil:
		return err
	case theirs.Status == stripe.InvoicePaid:
		doc.State = invoices.Held
		doc.HoldReason = fmt.Sprintf("%s is paid at Stripe, with another sum than ours. Give that payment back there, then approve: a new one is made and charged.", wrong)
	default:
		if err := s.discard(ctx, doc, theirs); err != nil {
			return err
		}
	}
	doc.StripeInvoiceID, doc.StripeSubtotal, doc.StripeRedrafts = nil, nil, doc.StripeRedrafts+1
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.Exec(`UPDATE stripe_outbox SET stripe_item_id = '', first_sent_at = NULL WHERE line_id IN (SELECT id FROM invoice_lines WHERE invoice_id = ?)`, doc.ID).Error; err != nil {
			return err
		}
		return s.set(ctx, doc.ID, map[string]any{"stripe_invoice_id": nil, "stripe_subtotal": nil, "stripe_redrafts": doc.StripeRedrafts, "state": doc.State, "hold_reason": doc.HoldReason})
	})
}
