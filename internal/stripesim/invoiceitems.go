package stripesim

import "strings"

type invoiceItem struct {
	ID          string
	Line        string // id of its line on the invoice
	Created     int64
	Customer    string
	Invoice     string // empty while it waits for one
	Amount      int64  // minor units, may be negative
	Currency    string
	Description string
	PeriodStart int64
	PeriodEnd   int64
	Metadata    map[string]string
}

func (it invoiceItem) recordID() string { return it.ID }
func (invoiceItem) recordKind() string  { return "invoiceitem" }

func (v viewer) invoiceItem(it invoiceItem) obj {
	out := obj{
		"id": it.ID, "object": "invoiceitem", "livemode": false, "date": it.Created,
		"amount": it.Amount, "currency": it.Currency, "customer": it.Customer,
		"description": orNull(it.Description), "discountable": it.Amount >= 0, "discounts": []any{},
		"invoice": orNull(it.Invoice), "metadata": it.Metadata,
		"period":    obj{"start": it.PeriodStart, "end": it.PeriodEnd},
		"proration": false, "quantity": 1, "tax_rates": []any{}, "test_clock": nil,
	}
	if v.modern {
		out["quantity_decimal"] = "1"
		out["net_amount"] = it.Amount
		out["parent"] = nil
		out["pricing"] = nil
		return out
	}
	out["price"] = nil
	out["subscription"] = nil
	out["unit_amount"] = it.Amount
	return out
}

// line renders the item as a line of its invoice.
func (v viewer) line(it invoiceItem) obj {
	out := obj{
		"id": it.Line, "object": "line_item", "livemode": false,
		"amount": it.Amount, "currency": it.Currency, "description": orNull(it.Description),
		"discount_amounts": []any{}, "discountable": it.Amount >= 0, "discounts": []any{},
		"invoice": orNull(it.Invoice), "metadata": it.Metadata,
		"period": obj{"start": it.PeriodStart, "end": it.PeriodEnd}, "quantity": 1,
	}
	if v.modern {
		out["subtotal"] = it.Amount
		out["quantity_decimal"] = "1"
		out["parent"] = obj{
			"type": "invoice_item_details", "subscription_item_details": nil,
			"invoice_item_details": obj{"invoice_item": it.ID, "proration": false, "proration_details": nil, "subscription": nil},
		}
		out["pricing"] = nil
		out["taxes"] = []any{}
		return out
	}
	out["invoice_item"] = it.ID
	out["price"] = nil
	out["proration"] = false
	out["proration_details"] = obj{"credited_items": nil}
	out["subscription"] = nil
	out["tax_amounts"] = []any{}
	out["tax_rates"] = []any{}
	out["type"] = "invoiceitem"
	return out
}

// itemsOf returns an invoice's items, oldest first.
func (c *call) itemsOf(invoiceID string) []invoiceItem {
	var out []invoiceItem
	each(c.tx, func(it invoiceItem) bool {
		if it.Invoice == invoiceID {
			out = append(out, it)
		}
		return true
	})
	return out
}

var itemParams = []string{"customer", "invoice", "amount", "currency", "description", "metadata", "period"}

func createInvoiceItem(c *call) (obj, *apiError) {
	cus, fail := c.customerParam()
	if fail != nil {
		return nil, fail
	}
	it := invoiceItem{
		ID: newID("ii_"), Line: newID("il_"), Created: c.now, Customer: cus.ID,
		Invoice: c.p.str("invoice"), Currency: strings.ToLower(c.p.str("currency")),
		Description: c.p.str("description"), PeriodStart: c.now, PeriodEnd: c.now,
	}
	if it, fail = c.itemAmounts(it); fail != nil {
		return nil, fail
	}
	if it.Invoice != "" {
		if fail := c.addToInvoice(&it); fail != nil {
			return nil, fail
		}
	}
	if !isCurrency(it.Currency) {
		return nil, invalidParam("currency", "Invalid currency: "+it.Currency)
	}
	c.put(it)
	out := c.view.invoiceItem(it)
	c.emit("invoiceitem.created", out)
	return out, nil
}

func (c *call) itemAmounts(it invoiceItem) (invoiceItem, *apiError) {
	if _, fail := c.p.require("amount"); fail != nil {
		return it, fail
	}
	var fail *apiError
	if it.Amount, fail = c.p.integer("amount"); fail != nil {
		return it, fail
	}
	if it.Amount > maxAmount || it.Amount < -maxAmount {
		return it, invalidParam("amount", "Amount must be no more than 99999999 in either direction.")
	}
	if len(it.Description) > 5000 {
		return it, invalidParam("description", "Invalid string: must be at most 5000 characters.")
	}
	if c.p.has("period[start]") {
		if it.PeriodStart, fail = c.p.integer("period[start]"); fail != nil {
			return it, fail
		}
		if it.PeriodEnd, fail = c.p.integer("period[end]"); fail != nil {
			return it, fail
		}
	}
	it.Metadata, fail = c.p.mergeMetadata(nil)
	return it, fail
}

// addToInvoice puts the item on its draft and into the draft's totals.
func (c *call) addToInvoice(it *invoiceItem) *apiError {
	inv, ok := find[invoice](c.tx, it.Invoice)
	if !ok {
		return missingParam("invoice", "invoice", it.Invoice)
	}
	if inv.Status != "draft" {
		return notEditable("This invoice is no longer editable.")
	}
	if inv.Customer != it.Customer {
		return invalid("", "The invoice belongs to another customer.")
	}
	if it.Currency == "" {
		it.Currency = inv.Currency
	}
	if it.Currency != inv.Currency {
		return invalid("", "The currency of the invoice item ("+it.Currency+") does not match the invoice's ("+inv.Currency+").")
	}
	if inv.Items >= maxInvoiceItems {
		return invalid("", "An invoice can have at most 250 items.")
	}
	inv.Items++
	inv.Subtotal += it.Amount
	c.put(inv)
	return nil
}

func getInvoiceItem(c *call) (obj, *apiError) {
	it, ok := find[invoiceItem](c.tx, c.id)
	if !ok {
		return nil, missing("invoiceitem", c.id)
	}
	return c.view.invoiceItem(it), nil
}

func listInvoiceItems(c *call) (obj, *apiError) {
	pending, fail := c.p.boolean("pending")
	if fail != nil {
		return nil, fail
	}
	ids := newestFirst(c.tx, func(it invoiceItem) bool {
		return c.p.same("customer", it.Customer) && c.p.same("invoice", it.Invoice) && (!pending || it.Invoice == "")
	})
	return c.page("/v1/invoiceitems", ids, renderer(c, c.view.invoiceItem))
}

func deleteInvoiceItem(c *call) (obj, *apiError) {
	it, ok := find[invoiceItem](c.tx, c.id)
	if !ok {
		return nil, missing("invoiceitem", c.id)
	}
	if inv, ok := find[invoice](c.tx, it.Invoice); ok {
		if inv.Status != "draft" {
			return nil, notEditable("Items of a finalized invoice can't be deleted.")
		}
		inv.Items--
		inv.Subtotal -= it.Amount
		c.put(inv)
	}
	c.emit("invoiceitem.deleted", c.view.invoiceItem(it))
	c.delete(it.ID)
	return obj{"id": it.ID, "object": "invoiceitem", "deleted": true}, nil
}

// listInvoiceLines pages through an invoice's lines, oldest first.
func listInvoiceLines(c *call) (obj, *apiError) {
	if _, ok := find[invoice](c.tx, c.id); !ok {
		return nil, missing("invoice", c.id)
	}
	byLine := map[string]invoiceItem{}
	var ids []string
	for _, it := range c.itemsOf(c.id) {
		ids = append(ids, it.Line)
		byLine[it.Line] = it
	}
	return c.page("/v1/invoices/"+c.id+"/lines", ids, func(id string) obj { return c.view.line(byLine[id]) })
}
