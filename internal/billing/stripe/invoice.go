package stripe

import (
	"context"

	stripego "github.com/stripe/stripe-go/v76"
)

// InvoiceStatus is where an invoice stands at Stripe.
type InvoiceStatus string

// The states of an invoice.
const (
	InvoiceDraft         InvoiceStatus = "draft"
	InvoiceOpen          InvoiceStatus = "open"
	InvoicePaid          InvoiceStatus = "paid"
	InvoiceVoid          InvoiceStatus = "void"
	InvoiceUncollectible InvoiceStatus = "uncollectible"
)

// Invoice is Stripe's view of an invoice, amounts in minor units. Only
// members are read that mean the same in old and current API versions.
type Invoice struct {
	ID         string
	Number     string // Stripe's, empty for drafts
	Status     InvoiceStatus
	Currency   string // lower case
	Subtotal   int64  // Σ items
	Total      int64
	AmountPaid int64
}

func invoiceOf(i *stripego.Invoice) Invoice {
	return Invoice{ID: i.ID, Number: i.Number, Status: InvoiceStatus(i.Status), Currency: string(i.Currency), Subtotal: i.Subtotal, Total: i.Total, AmountPaid: i.AmountPaid}
}

func invoiceResult(i *stripego.Invoice, err error) (Invoice, error) {
	if err != nil {
		return Invoice{}, wrap(err)
	}
	return invoiceOf(i), nil
}

// InvoiceInput is a new, empty draft.
type InvoiceInput struct {
	CustomerID     string
	Currency       string
	OurInvoiceID   string
	OurNumber      string
	Description    string
	IdempotencyKey string
}

// CreateInvoice makes a draft that stays one until Finalize: it takes up no
// stray items and Stripe advances it by itself never.
func (c *Client) CreateInvoice(ctx context.Context, in InvoiceInput) (Invoice, error) {
	p, err := write(ctx, in.IdempotencyKey)
	currency, currencyErr := currencyCode(in.Currency)
	meta := map[string]string{metaInvoice: in.OurInvoiceID}
	if in.OurNumber != "" {
		meta[metaNumber] = in.OurNumber
	}
	err = firstError(err, currencyErr, checkID("customer", "cus_", in.CustomerID), checkText("description", in.Description), checkMetadata(meta))
	if err == nil && in.OurInvoiceID == "" {
		err = invalid("our_invoice_id", "an invoice needs our id")
	}
	if err != nil {
		return Invoice{}, err
	}
	return invoiceResult(c.api.Invoices.New(&stripego.InvoiceParams{
		Params: p, Customer: stripego.String(in.CustomerID), Currency: stripego.String(currency),
		AutoAdvance:                 stripego.Bool(false),
		CollectionMethod:            stripego.String(string(stripego.InvoiceCollectionMethodChargeAutomatically)),
		PendingInvoiceItemsBehavior: stripego.String("exclude"),
		Description:                 optional(in.Description),
		Metadata:                    meta,
	}))
}

// Invoice fetches an invoice.
func (c *Client) Invoice(ctx context.Context, id string) (Invoice, error) {
	if err := checkID("invoice", "in_", id); err != nil {
		return Invoice{}, err
	}
	return invoiceResult(c.api.Invoices.Get(id, &stripego.InvoiceParams{Params: stripego.Params{Context: ctx}}))
}

// Finalize fixes a draft. Compare Subtotal with our own sum first: this cannot
// be undone. An invoice with nothing to pay comes back as paid.
func (c *Client) Finalize(ctx context.Context, id, idempotencyKey string) (Invoice, error) {
	p, err := write(ctx, idempotencyKey)
	if err := firstError(err, checkID("invoice", "in_", id)); err != nil {
		return Invoice{}, err
	}
	return invoiceResult(c.api.Invoices.FinalizeInvoice(id, &stripego.InvoiceFinalizeInvoiceParams{
		Params: p, AutoAdvance: stripego.Bool(false),
	}))
}

// Pay charges an open invoice to the given card (empty: the invoice's, else
// the customer's). A refusal by the bank is an *Error of kind Declined; that
// answer belongs to the key, so each attempt needs a key of its own.
func (c *Client) Pay(ctx context.Context, id, paymentMethodID, idempotencyKey string) (Invoice, error) {
	p, err := write(ctx, idempotencyKey)
	err = firstError(err, checkID("invoice", "in_", id))
	if err == nil && paymentMethodID != "" {
		err = checkID("payment_method", "pm_", paymentMethodID)
	}
	if err != nil {
		return Invoice{}, err
	}
	return invoiceResult(c.api.Invoices.Pay(id, &stripego.InvoicePayParams{
		Params: p, PaymentMethod: optional(paymentMethodID), OffSession: stripego.Bool(true),
	}))
}

// Void cancels an open invoice for good.
func (c *Client) Void(ctx context.Context, id, idempotencyKey string) (Invoice, error) {
	p, err := write(ctx, idempotencyKey)
	if err := firstError(err, checkID("invoice", "in_", id)); err != nil {
		return Invoice{}, err
	}
	return invoiceResult(c.api.Invoices.VoidInvoice(id, &stripego.InvoiceVoidInvoiceParams{Params: p}))
}

// DeleteDraft removes a draft and its items.
func (c *Client) DeleteDraft(ctx context.Context, id, idempotencyKey string) error {
	p, err := write(ctx, idempotencyKey)
	if err := firstError(err, checkID("invoice", "in_", id)); err != nil {
		return err
	}
	_, err = c.api.Invoices.Del(id, &stripego.InvoiceParams{Params: p})
	return wrap(err)
}
