package stripe

import (
	"context"

	stripego "github.com/stripe/stripe-go/v76"
)

// MaxItems is how many items Stripe takes on one invoice.
const MaxItems = 250

// ItemInput is one line of a draft.
type ItemInput struct {
	CustomerID     string
	InvoiceID      string
	Amount         int64 // minor units, negative for credits
	Currency       string
	Description    string
	LineID         string // ours, kept in the item's metadata
	IdempotencyKey string
}

// AddItem puts a line on a draft and returns the item's id, ii_….
func (c *Client) AddItem(ctx context.Context, in ItemInput) (string, error) {
	p, err := write(ctx, in.IdempotencyKey)
	currency, currencyErr := currencyCode(in.Currency)
	meta := map[string]string{metaLine: in.LineID}
	err = firstError(err, currencyErr, checkID("customer", "cus_", in.CustomerID), checkID("invoice", "in_", in.InvoiceID),
		checkAmount(in.Amount, currency), checkText("description", in.Description), checkMetadata(meta))
	if err == nil && in.LineID == "" {
		err = invalid("line_id", "an item needs our line's id")
	}
	if err != nil {
		return "", err
	}
	item, err := c.api.InvoiceItems.New(&stripego.InvoiceItemParams{
		Params: p, Customer: stripego.String(in.CustomerID), Invoice: stripego.String(in.InvoiceID),
		Amount: stripego.Int64(in.Amount), Currency: stripego.String(currency),
		Description: optional(in.Description), Metadata: meta,
	})
	if err != nil {
		return "", wrap(err)
	}
	return item.ID, nil
}

// FindItem looks for our line among an invoice's items: after an unknown
// outcome whose key Stripe may have forgotten.
func (c *Client) FindItem(ctx context.Context, invoiceID, lineID string) (itemID string, found bool, err error) {
	if err := checkID("invoice", "in_", invoiceID); err != nil {
		return "", false, err
	}
	list := &stripego.InvoiceItemListParams{Invoice: stripego.String(invoiceID)}
	list.Context = ctx
	list.Limit = stripego.Int64(100)
	it := c.api.InvoiceItems.List(list)
	for it.Next() {
		if item := it.InvoiceItem(); item.Metadata[metaLine] == lineID {
			return item.ID, true, nil
		}
	}
	return "", false, wrap(it.Err())
}

// RefundInput gives back a part of what a paid invoice took.
type RefundInput struct {
	InvoiceID       string
	Amount          int64 // minor units, positive
	OurCreditNoteID string
	Memo            string // shown to the customer
	IdempotencyKey  string
}

// Refund books a credit note on a paid invoice and sends its amount back to
// the card. It returns the credit note's id, cn_…. (Refunds by charge would
// need members that current API versions took from invoices.)
func (c *Client) Refund(ctx context.Context, in RefundInput) (string, error) {
	p, err := write(ctx, in.IdempotencyKey)
	meta := map[string]string{metaCreditNote: in.OurCreditNoteID}
	err = firstError(err, checkID("invoice", "in_", in.InvoiceID), checkText("memo", in.Memo), checkMetadata(meta))
	if err == nil && in.Amount <= 0 {
		err = invalid("amount", "a refund must be positive")
	}
	if err == nil && in.OurCreditNoteID == "" {
		err = invalid("our_credit_note_id", "a refund needs our credit note's id")
	}
	if err != nil {
		return "", err
	}
	note, err := c.api.CreditNotes.New(&stripego.CreditNoteParams{
		Params: p, Invoice: stripego.String(in.InvoiceID), Amount: stripego.Int64(in.Amount),
		RefundAmount: stripego.Int64(in.Amount), Memo: optional(in.Memo), Metadata: meta,
	})
	if err != nil {
		return "", wrap(err)
	}
	return note.ID, nil
}
