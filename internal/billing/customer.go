package billing

import (
	"context"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/audit"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/postgres"
)

// CustomerJob tells Stripe what an organization is called now. Change is an id
// of its own for each change: Stripe answers a key that it knows without acting.
type CustomerJob struct {
	Organization uuid.UUID `json:"organization"`
	Change       uuid.UUID `json:"change"`
}

// Kind implements river.JobArgs.
func (CustomerJob) Kind() string { return "billing.customer" }

// ChangeCustomer changes an organization's name and billing address, here and
// then at Stripe. Issued invoices keep the name they were issued with.
func (s *Service) ChangeCustomer(ctx context.Context, who accounts.Identity, in accounts.OrganizationChange) error {
	return s.db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		if err := s.accounts.ChangeOrganization(ctx, who.Organization, in); err != nil {
			return err
		}
		err := audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: who.Organization, Actor: who.User, Action: "organization.change", Object: "organization", ID: who.Organization.String()})
		if err != nil {
			return err
		}
		return s.queue.Add(ctx, tx, CustomerJob{Organization: who.Organization, Change: postgres.NewID()})
	})
}

func (s *Service) syncCustomer(ctx context.Context, j CustomerJob) error {
	org, err := s.accounts.Organization(ctx, j.Organization)
	if err != nil || org.StripeCustomerID == nil {
		return err // made with its present name when it is needed
	}
	return s.stripe.UpdateCustomer(ctx, *org.StripeCustomerID, stripe.CustomerInput{Name: org.Name, Email: org.BillingEmail, IdempotencyKey: "customer-" + j.Change.String() + "-" + called(org)})
}

func (s *Service) ensureCustomer(ctx context.Context, org accounts.Organization) (string, error) {
	if org.StripeCustomerID != nil {
		return *org.StripeCustomerID, nil
	}
	in := stripe.CustomerInput{OrganizationID: org.ID.String(), Name: org.Name, Email: org.BillingEmail}
	id, err := repeat("customer-"+org.ID.String()+"-"+called(org), nil, func(key string) (string, error) {
		in.IdempotencyKey = key
		return s.stripe.CreateCustomer(ctx, in)
	})
	if err != nil {
		return "", err
	}
	return id, s.accounts.StoreCustomer(ctx, org.ID, id)
}

// called is part of the idempotency keys: the same key with another name would be an error.
func called(org accounts.Organization) string { return fingerprint(org.Name + "\n" + org.BillingEmail) }
