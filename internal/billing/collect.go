package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/postgres"
)

// idempotencyWindow is how long Stripe surely remembers a key (Stripe's
// documentation, "Idempotent requests"). After it, what may have been sent is looked up.
const idempotencyWindow = 23 * time.Hour

// Collect issues an approved invoice at Stripe and has it paid. Every step is
// stored when it is done and has a key of its own, so that it can be repeated
// after any interruption. A refused card is not an error here: it is noted, and
// tried again by the timetable. Before anything is final, Stripe's sum is
// compared with ours. An invoice that somebody else is collecting is left to them.
func (s *Service) Collect(ctx context.Context, id uuid.UUID) error {
	if err := s.claimed(ctx, id, s.collect); !errors.Is(err, errBusy) {
		return err
	}
	return nil
}

// collectJob is Collect for the queue: it comes back to an invoice that is being
// collected, in case whoever does it dies.
func (s *Service) collectJob(ctx context.Context, j CollectJob) error {
	err := s.claimed(ctx, j.Invoice, s.collect)
	if errors.Is(err, errBusy) {
		return jobs.Later(30 * time.Second)
	}
	return err
}

func (s *Service) collect(ctx context.Context, id uuid.UUID) error {
	doc, err := s.invoices.Get(ctx, id)
	if err != nil {
		return err
	}
	switch doc.State {
	case invoices.Approved:
		if doc.StripeSubtotal != nil { // approved although the sums differed
			if err := s.redraft(ctx, &doc); err != nil || doc.State != invoices.Approved {
				return err
			}
		}
		if err := s.issue(ctx, &doc); err != nil {
			return fmt.Errorf("issue invoice %s: %w", id, err)
		}
	case invoices.Open:
	default:
		return nil
	}
	if doc.State == invoices.Open {
		return s.pay(ctx, &doc)
	}
	return nil
}

// issue makes the invoice at Stripe, line by line, compares the sums, and
// finalizes it.
func (s *Service) issue(ctx context.Context, doc *invoices.Document) error {
	org, err := s.accounts.Organization(ctx, doc.OrgID)
	if err != nil {
		return err
	}
	customer, err := s.ensureCustomer(ctx, org)
	if err != nil {
		return err
	}
	if err := s.number(ctx, doc); err != nil {
		return err
	}
	if doc.StripeInvoiceID == nil {
		made, err := s.createDraft(ctx, doc, customer)
		if err != nil {
			return err
		}
		doc.StripeInvoiceID = &made.ID
		if err := s.set(ctx, doc.ID, map[string]any{"stripe_invoice_id": made.ID}); err != nil {
			return err
		}
	}
	if err := s.sendLines(ctx, doc, customer); err != nil {
		return err
	}
	return s.finalize(ctx, doc)
}

// createDraft makes the empty draft. An earlier one, made by a request whose
// outcome was never known, stays an empty draft: it does no harm.
func (s *Service) createDraft(ctx context.Context, doc *invoices.Document, customer string) (stripe.Invoice, error) {
	in := stripe.InvoiceInput{CustomerID: customer, Currency: doc.Currency, OurInvoiceID: doc.ID.String(), OurNumber: doc.Name(), Description: doc.ProductName + ", " + doc.Name()}
	key := fmt.Sprintf("invoice-%s-%d-%s", doc.ID, doc.StripeRedrafts, fingerprint(in.Description+customer))
	return repeat(key, nil, func(key string) (stripe.Invoice, error) {
		in.IdempotencyKey = key
		return s.stripe.CreateInvoice(ctx, in)
	})
}

// number gives the invoice its number and fixes the customer's name, once.
func (s *Service) number(ctx context.Context, doc *invoices.Document) error {
	if doc.Number != nil {
		return nil
	}
	return s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		var n string
		err := tx.Raw(`
			UPDATE invoices SET number = 'TG-' || lpad(nextval('invoice_numbers')::text, 6, '0'), billed_to = (SELECT name FROM organizations o WHERE o.id = org_id)
			WHERE id = ? AND number IS NULL RETURNING number`, doc.ID).Scan(&n).Error
		doc.Number = &n
		return err
	})
}

// sendLines puts each line of the outbox on Stripe's draft, once.
func (s *Service) sendLines(ctx context.Context, doc *invoices.Document, customer string) error {
	for _, line := range doc.Lines {
		var sent struct {
			StripeItemID string
			FirstSentAt  *time.Time
		}
		err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
			return tx.Raw(`UPDATE stripe_outbox SET first_sent_at = coalesce(first_sent_at, ?) WHERE line_id = ? RETURNING stripe_item_id, first_sent_at`, s.clock.Real(), line.ID).Scan(&sent).Error
		})
		if err != nil {
			return err
		}
		if sent.StripeItemID != "" {
			continue
		}
		item, err := s.sendLine(ctx, doc, line, customer, sent.FirstSentAt)
		if err != nil {
			return err
		}
		err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
			return tx.Exec(`UPDATE stripe_outbox SET stripe_item_id = ? WHERE line_id = ?`, item, line.ID).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) sendLine(ctx context.Context, doc *invoices.Document, line invoices.Line, customer string, firstSent *time.Time) (string, error) {
	key := "line-" + line.ID.String() + "-" + *doc.StripeInvoiceID
	if firstSent != nil && s.clock.Real().Sub(*firstSent) > idempotencyWindow {
		item, found, err := s.stripe.FindItem(ctx, *doc.StripeInvoiceID, line.ID.String())
		if err != nil || found {
			return item, err
		}
	}
	loc := doc.Location()
	in := stripe.ItemInput{CustomerID: customer, InvoiceID: *doc.StripeInvoiceID, Amount: line.Amount, Currency: doc.Currency,
		Description: fmt.Sprintf("%s (%s – %s)", line.Description, line.PeriodStart.In(loc).Format("2 Jan 2006"), line.PeriodEnd.In(loc).Format("2 Jan 2006")), LineID: line.ID.String()}
	find := func() (string, bool, error) { return s.stripe.FindItem(ctx, *doc.StripeInvoiceID, line.ID.String()) }
	return repeat(key, find, func(key string) (string, error) {
		in.IdempotencyKey = key
		return s.stripe.AddItem(ctx, in)
	})
}

// finalize compares the sums and fixes the invoice. Different sums stop it for
// finance to look at.
func (s *Service) finalize(ctx context.Context, doc *invoices.Document) error {
	theirs, err := s.stripe.Invoice(ctx, *doc.StripeInvoiceID)
	if err != nil {
		return err
	}
	if theirs.Subtotal != doc.Subtotal || theirs.Currency != doc.Currency {
		doc.State = invoices.Held
		return s.set(ctx, doc.ID, map[string]any{"state": invoices.Held, "stripe_subtotal": theirs.Subtotal,
			"hold_reason": fmt.Sprintf("Stripe's sum is %d, ours %d (minor units). Nothing was issued. Approve it to have Stripe's draft thrown away and made anew.", theirs.Subtotal, doc.Subtotal)})
	}
	if theirs.Status == stripe.InvoiceDraft {
		if theirs, err = repeat("finalize-"+*doc.StripeInvoiceID, s.noLonger(ctx, doc, stripe.InvoiceDraft), func(key string) (stripe.Invoice, error) {
			return s.stripe.Finalize(ctx, *doc.StripeInvoiceID, key)
		}); err != nil {
			return err
		}
	}
	doc.State = invoices.Open
	err = s.set(ctx, doc.ID, map[string]any{"state": invoices.Open, "issued_at": s.clock.Now(), "stripe_number": theirs.Number, "stripe_subtotal": theirs.Subtotal})
	if err != nil || theirs.Status != stripe.InvoicePaid {
		return err
	}
	return s.settle(ctx, doc, theirs)
}

// pay charges the stored card. What was written off at Stripe leaves the
// timetable and is tried again only when another card is stored.
func (s *Service) pay(ctx context.Context, doc *invoices.Document) error {
	org, err := s.accounts.Organization(ctx, doc.OrgID)
	if err != nil {
		return err
	}
	theirs, err := s.stripe.Invoice(ctx, *doc.StripeInvoiceID)
	if err != nil {
		return err
	}
	if theirs.Status == stripe.InvoiceOpen || (theirs.Status == stripe.InvoiceUncollectible && doc.NextAttemptAt == nil) {
		if org.PaymentMethodID == "" {
			return s.refused(ctx, doc, "No card is stored.")
		}
		key := fmt.Sprintf("pay-%s-%d-%s", *doc.StripeInvoiceID, doc.PayAttempts, fingerprint(org.PaymentMethodID))
		theirs, err = repeat(key, s.noLonger(ctx, doc, theirs.Status), func(key string) (stripe.Invoice, error) {
			return s.stripe.Pay(ctx, *doc.StripeInvoiceID, org.PaymentMethodID, key)
		})
		if stripe.KindOf(err) == stripe.Declined {
			var declined *stripe.Error
			errors.As(err, &declined)
			return s.refused(ctx, doc, declined.Message)
		}
		if err != nil {
			return err
		}
	}
	return s.settle(ctx, doc, theirs)
}

// refused notes a refused payment, plans the next attempt, and suspends calls.
func (s *Service) refused(ctx context.Context, doc *invoices.Document, why string) error {
	values := map[string]any{"failure": why, "pay_attempts": doc.PayAttempts + 1, "next_attempt_at": nil}
	if doc.Reason != invoices.First && doc.PayAttempts < len(retryAfter) { // a first fee is tried when its buyer tries again
		values["next_attempt_at"] = s.clock.Now().Add(retryAfter[doc.PayAttempts])
	}
	if err := s.set(ctx, doc.ID, values); err != nil {
		return err
	}
	return s.subscriptions.Suspend(ctx, doc.SubscriptionID)
}

// errConcluded says that an invoice was paid, voided or set aside meanwhile.
var errConcluded = errors.New("the invoice was concluded meanwhile")

// set changes an invoice that is being collected, and no other.
func (s *Service) set(ctx context.Context, id uuid.UUID, values map[string]any) error {
	return s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		res := tx.Model(&invoices.Invoice{}).Where("id = ? AND state IN ?", id, []string{invoices.Approved, invoices.Open}).Updates(values)
		if res.Error == nil && res.RowsAffected == 0 {
			return errConcluded
		}
		return res.Error
	})
}

// Approve releases a draft and has it collected.
func (s *Service) Approve(ctx context.Context, actor, id uuid.UUID) error {
	return s.invoices.Approve(ctx, actor, id, func(ctx context.Context, tx *postgres.Tx) error { return s.queue.Add(ctx, tx, CollectJob{Invoice: id}) })
}
