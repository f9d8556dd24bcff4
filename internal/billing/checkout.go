package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// CheckoutDone takes in what a Checkout page did: it asks Stripe anew, so that
// neither the browser nor a webhook has to be believed. Each page is applied
// once, and its card never replaces one that was stored later; a repeat does
// what was interrupted. It returns the subscription that the card was stored
// for, if there was one, and a conflict if that one gave way to another.
func (s *Service) CheckoutDone(ctx context.Context, session string) (sub uuid.UUID, err error) {
	staff := postgres.AsStaff(ctx)
	res, err := s.stripe.SetupResult(staff, session)
	if err != nil {
		if stripe.KindOf(err) == stripe.NotFound || stripe.KindOf(err) == stripe.Invalid {
			return sub, problem.NotFound("checkout")
		}
		return sub, err
	}
	org, err := uuid.Parse(res.Metadata["organization"])
	if err != nil || res.Status != stripe.SetupComplete {
		return sub, problem.Conflict("The card was not stored. Open the payment page again.")
	}
	sub, _ = uuid.Parse(res.Metadata["subscription"]) // none: a card update
	done, err := s.takeCard(staff, org, session, res)
	if err != nil {
		return sub, err
	}
	if !done {
		err = s.applyCard(staff, org, sub, session, res)
	} else if sub != uuid.Nil {
		err = s.neverBegan(staff, sub)
	}
	return sub, err
}

func (s *Service) neverBegan(ctx context.Context, id uuid.UUID) error {
	sub, err := s.subscriptions.Get(ctx, id)
	if err != nil {
		return err
	}
	return sub.NeverBegan()
}

// takeCard stores a page's card, unless that was done before or a later one is
// stored, and reports whether all that follows from the page is done.
func (s *Service) takeCard(ctx context.Context, org uuid.UUID, session string, res stripe.SetupResult) (done bool, err error) {
	card := accounts.Card{PaymentMethodID: res.PaymentMethod.ID, Brand: res.PaymentMethod.Brand, Last4: res.PaymentMethod.Last4,
		Expires: fmt.Sprintf("%02d/%d", res.PaymentMethod.ExpMonth, res.PaymentMethod.ExpYear)}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.PGX.Exec(ctx, `SELECT 1 FROM organizations WHERE id = $1 FOR UPDATE`, org); err != nil { // one page at a time
			return err
		}
		var doneAt *time.Time
		err := tx.PGX.QueryRow(ctx, `SELECT done_at FROM stripe_checkouts WHERE session_id = $1`, session).Scan(&doneAt)
		if done = doneAt != nil; !postgres.IsNotFound(err) {
			return err
		}
		var newer bool
		if err := tx.PGX.QueryRow(ctx, `SELECT EXISTS (SELECT FROM stripe_checkouts WHERE org_id = $1 AND card_at > $2)`, org, res.CardAt).Scan(&newer); err != nil {
			return err
		}
		if _, err := tx.PGX.Exec(ctx, `INSERT INTO stripe_checkouts (session_id, org_id, card_at) VALUES ($1, $2, $3)`, session, org, res.CardAt); err != nil || newer {
			return err
		}
		return s.accounts.StoreCard(ctx, org, card)
	})
	return done, err
}

// applyCard does what follows from a card: open invoices are tried, and what
// waits for it begins. An earlier card than the stored one changes nothing at
// Stripe; what it was stored for begins with the later one.
func (s *Service) applyCard(ctx context.Context, org, sub uuid.UUID, session string, res stripe.SetupResult) error {
	o, err := s.accounts.Organization(ctx, org)
	if err != nil {
		return err
	}
	if o.PaymentMethodID == res.PaymentMethod.ID {
		if _, err := repeat("default-"+session, nil, func(key string) (struct{}, error) {
			return struct{}{}, s.stripe.SetDefaultPaymentMethod(ctx, res.CustomerID, res.PaymentMethod.ID, key)
		}); err != nil {
			return err
		}
		if err := s.retryNow(ctx, org); err != nil {
			return err
		}
	}
	if sub == uuid.Nil {
		err = s.beginRefused(ctx, o)
	} else {
		err = s.begin(ctx, o, sub)
	}
	if err != nil && !problem.Is(err, "conflict") {
		return err
	}
	if _, failed := s.update(ctx, `UPDATE stripe_checkouts SET done_at = ? WHERE session_id = ?`, s.clock.Real(), session); failed != nil {
		return failed
	}
	return err
}
