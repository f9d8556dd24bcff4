package billing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
)

// Next is where subscribing leads.
type Next struct {
	Subscription uuid.UUID
	CheckoutURL  string // store a card there first; empty: done
}

// Subscribe puts an application on a plan. A free plan begins at once; one with
// prices needs a card, stored in Stripe's Checkout, and its first fee paid.
func (s *Service) Subscribe(ctx context.Context, who accounts.Identity, application, plan uuid.UUID) (Next, error) {
	member := postgres.AsMember(ctx, who.Organization, who.User) // a private plan of somebody else is not found
	offer, product, err := s.plans.OfferOf(member, plan)
	if err != nil {
		return Next{}, err
	}
	if offer.Sale != plans.SelfServe {
		return Next{}, problem.Conflict("The plan %s is made to measure: ask for it, and you will get an offer.", offer.Name)
	}
	sub, err := s.subscriptions.Choose(member, subscriptions.Choice{Org: who.Organization, Application: application, Product: product.ID, PlanVersion: offer.Terms.VersionID})
	if err != nil {
		return Next{}, err
	}
	staff := postgres.AsStaff(ctx)
	org, err := s.accounts.Organization(staff, who.Organization)
	if err != nil {
		return Next{}, err
	}
	if !offer.Terms.Free() && org.PaymentMethodID == "" {
		session, err := s.openCheckout(staff, org, sub, offer.Terms.Currency)
		return Next{Subscription: sub.ID, CheckoutURL: session.URL}, err
	}
	return Next{Subscription: sub.ID}, s.begin(staff, org, sub.ID)
}

// openCheckout opens the page that stores a card for a subscription. A double
// click gets the same page.
func (s *Service) openCheckout(ctx context.Context, org accounts.Organization, sub subscriptions.Subscription, currency string) (stripe.CheckoutSession, error) {
	session, err := s.storeCardAt(ctx, org, stripe.SetupInput{
		Currency: currency, Metadata: map[string]string{"subscription": sub.ID.String()},
		IdempotencyKey: "setup-" + sub.ID.String() + "-" + fingerprint(sub.CheckoutSessionID) + s.clock.Now().Format("-20060102"),
	})
	if err != nil {
		return session, err
	}
	return session, s.subscriptions.SetCheckout(ctx, sub.ID, session.ID)
}

// OpenCardUpdate opens the page that stores another card.
func (s *Service) OpenCardUpdate(ctx context.Context, who accounts.Identity) (string, error) {
	staff := postgres.AsStaff(ctx)
	org, err := s.accounts.Organization(staff, who.Organization)
	if err != nil {
		return "", err
	}
	session, err := s.storeCardAt(staff, org, stripe.SetupInput{
		Currency: "usd", Metadata: map[string]string{}, // any currency: it only decides which ways to pay are offered
		IdempotencyKey: "card-" + uuid.NewString(), // each click may open a page: nothing is charged
	})
	return session.URL, err
}

// storeCardAt opens a Checkout page for an organization; it returns to the console.
func (s *Service) storeCardAt(ctx context.Context, org accounts.Organization, in stripe.SetupInput) (stripe.CheckoutSession, error) {
	customer, err := s.ensureCustomer(ctx, org)
	if err != nil {
		return stripe.CheckoutSession{}, err
	}
	in.CustomerID, in.Metadata["organization"] = customer, org.ID.String()
	in.SuccessURL = s.publicURL + "/console/checkout/return?session_id={CHECKOUT_SESSION_ID}"
	in.CancelURL = s.publicURL + "/console/billing"
	return repeat(in.IdempotencyKey, nil, func(key string) (stripe.CheckoutSession, error) {
		in.IdempotencyKey = key
		return s.stripe.CreateSetupCheckout(ctx, in)
	})
}

func fingerprint(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))[:8] }

// beginRefused begins what an organization has just tried to subscribe to with
// a card that was refused; of several that exclude each other, the latest.
func (s *Service) beginRefused(ctx context.Context, org accounts.Organization) error {
	var ids []uuid.UUID
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT id FROM subscriptions WHERE org_id = ? AND state = 'pending' AND period_start > ? ORDER BY period_start DESC`, org.ID, s.clock.Now().Add(-staleCheckout)).Scan(&ids).Error
	})
	for _, id := range ids {
		if began := s.begin(ctx, org, id); !problem.Is(began, "conflict") {
			err = errors.Join(err, began)
		}
	}
	return err
}

// staleCheckout is how long after it began an unpaid first period is given up:
// whoever pays later gets a whole period from then on.
const staleCheckout = time.Hour

// begin starts a subscription's first period and collects its fee in advance.
// It is a conflict if the application has another one for the same API versions.
func (s *Service) begin(ctx context.Context, org accounts.Organization, id uuid.UUID) error {
	since := s.clock.Now().Add(-staleCheckout)
	if err := s.voidFirst(ctx, id, since); err != nil {
		return err
	}
	if err := s.giveUpRefused(ctx, id); err != nil {
		return err
	}
	invoice, err := s.start(ctx, org, id, since)
	if problem.Is(err, "conflict") {
		return errors.Join(s.voidFirst(ctx, id, s.clock.Now()), err)
	}
	if err != nil || invoice == uuid.Nil {
		return err
	}
	return s.Collect(ctx, invoice)
}

// giveUpRefused ends what was tried before in place of a subscription and could
// not be paid.
func (s *Service) giveUpRefused(ctx context.Context, id uuid.UUID) error {
	refused, err := s.subscriptions.Refused(ctx, id)
	if err != nil {
		return err
	}
	for _, other := range refused {
		if err := s.voidFirst(ctx, other, s.clock.Now()); err != nil {
			return err
		}
		if err := s.subscriptions.GiveUp(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// start takes the place of a subscription and makes its first invoice, if it
// has fees in advance; without, it is active at once.
func (s *Service) start(ctx context.Context, org accounts.Organization, id uuid.UUID, since time.Time) (invoice uuid.UUID, err error) {
	var lost error
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		sub, err := s.subscriptions.Begin(ctx, id, org.Location(), since)
		if problem.Is(err, "conflict") {
			lost = err
			return nil // its end is kept
		}
		if err != nil || sub.State != subscriptions.Pending {
			return err
		}
		terms, err := s.termsOf(ctx, sub.PlanVersionID)
		if err != nil {
			return err
		}
		if terms.RecurringFee == 0 {
			return s.subscriptions.Activate(ctx, id)
		}
		invoice, err = s.firstInvoice(ctx, tx, sub, terms)
		return err
	})
	if err == nil {
		err = lost
	}
	return invoice, err
}

// firstInvoice makes the invoice of the first period's fee, or finds it.
func (s *Service) firstInvoice(ctx context.Context, tx *postgres.Tx, sub subscriptions.Subscription, terms plans.Terms) (id uuid.UUID, err error) {
	err = tx.PGX.QueryRow(ctx, `SELECT id FROM invoices WHERE subscription_id = $1 AND reason = 'first' AND state <> 'void' AND period_start = $2 LIMIT 1`, sub.ID, sub.PeriodStart).Scan(&id)
	if !postgres.IsNotFound(err) {
		return id, err
	}
	var first subscriptions.BillingPeriod
	if err := tx.Where("subscription_id = ? AND number = 1", sub.ID).First(&first).Error; err != nil {
		return id, err
	}
	line, err := s.feeLine(ctx, first, terms)
	if err != nil {
		return id, err
	}
	now := s.clock.Now()
	inv := invoices.Invoice{ID: postgres.NewID(), OrgID: sub.OrgID, SubscriptionID: sub.ID, Reason: invoices.First, State: invoices.Approved,
		Currency: terms.Currency, PeriodStart: first.StartsAt, PeriodEnd: first.EndsAt, CreatedAt: now, ApprovedAt: &now}
	if err := invoices.Insert(ctx, tx, &inv, []invoices.Line{line}); err != nil {
		return id, err
	}
	return inv.ID, s.queue.Add(ctx, tx, CollectJob{Invoice: inv.ID}) // should we die before Collect has run
}
