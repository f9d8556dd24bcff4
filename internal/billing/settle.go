package billing

import (
	"context"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/audit"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// settle takes in what Stripe says of an issued invoice.
func (s *Service) settle(ctx context.Context, doc *invoices.Document, theirs stripe.Invoice) error {
	switch theirs.Status {
	case stripe.InvoicePaid:
		return s.conclude(ctx, doc, invoices.Paid, map[string]any{"paid_at": s.clock.Now(), "amount_paid": theirs.AmountPaid})
	case stripe.InvoiceVoid:
		return s.conclude(ctx, doc, invoices.Void, map[string]any{})
	case stripe.InvoiceUncollectible: // still owed, but nobody expects it any more
		return s.set(ctx, doc.ID, map[string]any{"next_attempt_at": nil, "failure": "It was marked as uncollectible at Stripe."})
	}
	return nil
}

// conclude notes that an invoice is paid or void, once, and lets calls through
// again if that was all that was owed.
func (s *Service) conclude(ctx context.Context, doc *invoices.Document, state string, values map[string]any) error {
	values["state"], values["failure"], values["next_attempt_at"] = state, "", nil
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		res := tx.Model(&invoices.Invoice{}).Where("id = ? AND state IN ?", doc.ID, []string{invoices.Approved, invoices.Open}).Updates(values)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error // concluded before
		}
		doc.State = state
		if err := audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: doc.OrgID, Action: "invoice." + state, Object: "invoice", ID: doc.ID.String()}); err != nil {
			return err
		}
		return s.restore(ctx, tx, doc)
	})
}

// restore lets a subscription's calls through if nothing of it is owed. What
// stands against that does not undo a payment: it is noted for finance.
func (s *Service) restore(ctx context.Context, tx *postgres.Tx, doc *invoices.Document) error {
	var owing int64
	if err := tx.Raw(`SELECT count(*) FROM invoices WHERE subscription_id = ? AND state = 'open'`, doc.SubscriptionID).Scan(&owing).Error; err != nil || owing > 0 {
		return err
	}
	if doc.State == invoices.Void {
		return s.subscriptions.Resume(ctx, doc.SubscriptionID)
	}
	err := pgx.BeginFunc(ctx, tx.PGX, func(pgx.Tx) error { return s.subscriptions.Activate(ctx, doc.SubscriptionID) })
	if !problem.Is(err, "conflict") {
		return err
	}
	return tx.Exec(`UPDATE invoices SET failure = ? WHERE id = ?`, "Paid, but its subscription could not begin. "+problem.As(err).Message+" The payment is to be given back.", doc.ID).Error
}
