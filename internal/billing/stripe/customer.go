package stripe

import (
	"context"
	"maps"
	"time"

	stripego "github.com/stripe/stripe-go/v76"
)

const (
	metaOrganization = "tollgate_organization"
	metaInvoice      = "tollgate_invoice"
	metaNumber       = "tollgate_invoice_number"
	metaLine         = "tollgate_line"
)

// CustomerInput is who will be billed.
type CustomerInput struct {
	OrganizationID string // ours, kept in the customer's metadata
	Name           string
	Email          string
	IdempotencyKey string
}

// CreateCustomer returns the new customer's id, cus_….
func (c *Client) CreateCustomer(ctx context.Context, in CustomerInput) (string, error) {
	p, err := write(ctx, in.IdempotencyKey)
	if err != nil {
		return "", err
	}
	if in.OrganizationID == "" {
		return "", invalid("organization_id", "a customer needs an organization")
	}
	cus, err := c.api.Customers.New(&stripego.CustomerParams{
		Params: p, Name: optional(in.Name), Email: optional(in.Email),
		Metadata: map[string]string{metaOrganization: in.OrganizationID},
	})
	if err != nil {
		return "", wrap(err)
	}
	return cus.ID, nil
}

// UpdateCustomer changes a customer's name and e-mail address.
func (c *Client) UpdateCustomer(ctx context.Context, customerID string, in CustomerInput) error {
	p, err := write(ctx, in.IdempotencyKey)
	if err := firstError(err, checkID("customer", "cus_", customerID)); err != nil {
		return err
	}
	_, err = c.api.Customers.Update(customerID, &stripego.CustomerParams{Params: p, Name: optional(in.Name), Email: optional(in.Email)})
	return wrap(err)
}

// SetDefaultPaymentMethod makes an attached card the one that future invoices
// are charged to.
func (c *Client) SetDefaultPaymentMethod(ctx context.Context, customerID, paymentMethodID, idempotencyKey string) error {
	p, err := write(ctx, idempotencyKey)
	if err := firstError(err, checkID("customer", "cus_", customerID), checkID("payment_method", "pm_", paymentMethodID)); err != nil {
		return err
	}
	_, err = c.api.Customers.Update(customerID, &stripego.CustomerParams{
		Params: p,
		InvoiceSettings: &stripego.CustomerInvoiceSettingsParams{
			DefaultPaymentMethod: stripego.String(paymentMethodID),
		},
	})
	return wrap(err)
}

// SetupInput asks for a page on which a person saves a card.
type SetupInput struct {
	CustomerID string
	Currency   string // of the payments to come
	// SuccessURL is where the browser returns. {CHECKOUT_SESSION_ID} in it is
	// replaced by the session's id.
	SuccessURL     string
	CancelURL      string
	Metadata       map[string]string
	IdempotencyKey string
}

// CheckoutSession is a page to send the browser to.
type CheckoutSession struct {
	ID  string
	URL string
}

// CreateSetupCheckout makes a Checkout page that saves a card and charges nothing.
func (c *Client) CreateSetupCheckout(ctx context.Context, in SetupInput) (CheckoutSession, error) {
	p, err := write(ctx, in.IdempotencyKey)
	currency, currencyErr := currencyCode(in.Currency)
	if err := firstError(err, currencyErr, checkID("customer", "cus_", in.CustomerID), checkMetadata(in.Metadata)); err != nil {
		return CheckoutSession{}, err
	}
	s, err := c.api.CheckoutSessions.New(&stripego.CheckoutSessionParams{
		Params: p, Mode: stripego.String(string(stripego.CheckoutSessionModeSetup)),
		Customer: stripego.String(in.CustomerID), Currency: stripego.String(currency),
		PaymentMethodTypes: stripego.StringSlice([]string{"card"}),
		SuccessURL:         stripego.String(in.SuccessURL), CancelURL: optional(in.CancelURL),
		Metadata: maps.Clone(in.Metadata),
	})
	if err != nil {
		return CheckoutSession{}, wrap(err)
	}
	return CheckoutSession{ID: s.ID, URL: s.URL}, nil
}

// SetupStatus is how far a Checkout page has come.
type SetupStatus string

// The states of a Checkout page.
const (
	SetupOpen     SetupStatus = "open"
	SetupComplete SetupStatus = "complete"
	SetupExpired  SetupStatus = "expired"
)

// PaymentMethod is a saved card, as far as it may be shown.
type PaymentMethod struct {
	ID       string
	Brand    string
	Last4    string
	ExpMonth int
	ExpYear  int
}

// SetupResult is what became of a Checkout page.
type SetupResult struct {
	Status     SetupStatus
	CustomerID string
	// PaymentMethod is empty unless Status is SetupComplete.
	PaymentMethod PaymentMethod
	// CardAt tells completed pages apart by age: when the card was stored, or
	// when the page was opened if it names a card that was stored before.
	CardAt   time.Time
	Metadata map[string]string
}

// SetupResult fetches a Checkout page anew, so that a return page can trust
// it and depends on no webhook.
func (c *Client) SetupResult(ctx context.Context, sessionID string) (SetupResult, error) {
	if err := checkID("session", "cs_", sessionID); err != nil {
		return SetupResult{}, err
	}
	s, err := c.api.CheckoutSessions.Get(sessionID, &stripego.CheckoutSessionParams{
		Params: stripego.Params{Context: ctx},
		Expand: stripego.StringSlice([]string{"setup_intent.payment_method"}),
	})
	if err != nil {
		return SetupResult{}, wrap(err)
	}
	out := SetupResult{Status: SetupStatus(s.Status), Metadata: s.Metadata}
	if s.Customer != nil {
		out.CustomerID = s.Customer.ID
	}
	if si := s.SetupIntent; out.Status == SetupComplete && si != nil && si.PaymentMethod != nil {
		out.PaymentMethod = paymentMethod(si.PaymentMethod)
		out.CardAt = time.Unix(max(s.Created, si.PaymentMethod.Created), 0).UTC()
	}
	return out, nil
}

func paymentMethod(pm *stripego.PaymentMethod) PaymentMethod {
	out := PaymentMethod{ID: pm.ID}
	if card := pm.Card; card != nil {
		out.Brand, out.Last4 = string(card.Brand), card.Last4
		out.ExpMonth, out.ExpYear = int(card.ExpMonth), int(card.ExpYear)
	}
	return out
}
