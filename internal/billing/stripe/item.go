package stripe

import (
	"context"

	stripego "github.com/stripe/stripe-go/v76"
)

// MaxItems is how many items Stripe takes on one invoice. Callers keep to it.
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
