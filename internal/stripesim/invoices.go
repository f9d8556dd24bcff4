package stripesim

import (
	"fmt"
	"strings"
)

// maxInvoiceItems is Stripe's bound on the items of one invoice.
const maxInvoiceItems = 250

type invoice struct {
	ID               string
	Created          int64
	Status           string // draft, open, paid, void, uncollectible
	Customer         string
	Currency         string
	CollectionMethod string
	AutoAdvance      bool
	Description      string
	Footer           string
	DefaultMethod    string
	DueDate          int64
	Metadata         map[string]string
	Number           string
	OwnNumber        string // given by the caller at creation
	Items            int
	Subtotal         int64 // minor units
	StartingBalance  int64 // the customer's before finalization
	EndingBalance    int64
	AmountDue        int64
	AmountPaid       int64
	PreCredits       int64 // credit notes before payment
	PostCredits      int64 // credit notes after payment
	OutOfBand        bool
	Attempts         int64
	PaymentIntent    string
	Charge           string
	FinalizedAt      int64
	PaidAt           int64
	VoidedAt         int64
	WrittenOffAt     int64
}

func (i invoice) recordID() string { return i.ID }
func (invoice) recordKind() string { return "invoice" }

// due is what a payment would take now.
func (i invoice) due() int64 {
	if i.Status == "draft" {
		return max(i.Subtotal, 0)
	}
	return i.AmountDue - i.PreCredits
}

func (i invoice) remaining() int64 {
	if i.Status == "paid" || i.Status == "void" {
		return 0
	}
	return i.due() - i.AmountPaid
}

var invoiceCreateParams = []string{
	"customer", "currency", "collection_method", "auto_advance", "pending_invoice_items_behavior",
	"description", "footer", "default_payment_method", "due_date", "days_until_due", "metadata", "number",
}

func createInvoice(c *call) (obj, *apiError) {
	cus, fail := c.customerParam()
	if fail != nil {
		return nil, fail
	}
	pending, fail := c.p.oneOf("pending_invoice_items_behavior", "exclude", "include")
	if fail != nil {
		return nil, fail
	}
	inv := invoice{
		ID: newID("in_"), Created: c.now, Status: "draft", Customer: cus.ID,
		Currency: strings.ToLower(c.p.str("currency")), OwnNumber: c.p.str("number"),
	}
	if inv.Currency == "" {
		inv.Currency = "usd"
	}
	if !isCurrency(inv.Currency) {
		return nil, invalidParam("currency", "Invalid currency: "+inv.Currency)
	}
	if inv.CollectionMethod, fail = c.p.oneOf("collection_method", "charge_automatically", "send_invoice"); fail != nil {
		return nil, fail
	}
	if inv, fail = c.changeInvoice(inv); fail != nil {
		return nil, fail
	}
	if fail := c.dueDate(&inv); fail != nil {
		return nil, fail
	}
	if pending == "include" {
		inv = c.adoptPending(inv)
	}
	c.put(inv)
	out := c.invoiceView(inv)
	c.emit("invoice.created", out)
	return out, nil
}

func (c *call) dueDate(inv *invoice) *apiError {
	for _, name := range []string{"due_date", "days_until_due"} {
		if !c.p.has(name) {
			continue
		}
		if inv.CollectionMethod != "send_invoice" {
			return invalidParam(name, "You can only set "+name+" with collection_method=send_invoice.")
		}
		n, fail := c.p.integer(name)
		if fail != nil {
			return fail
		}
		if inv.DueDate = n; name == "days_until_due" {
			inv.DueDate = c.now + n*day
		}
	}
	return nil
}

// adoptPending moves the customer's items that wait for an invoice into this one.
func (c *call) adoptPending(inv invoice) invoice {
	var mine []invoiceItem
	each(c.tx, func(it invoiceItem) bool {
		if it.Invoice == "" && it.Customer == inv.Customer && it.Currency == inv.Currency {
			mine = append(mine, it)
		}
		return len(mine) < maxInvoiceItems
	})
	for _, it := range mine {
		it.Invoice = inv.ID
		c.put(it)
		inv.Items++
		inv.Subtotal += it.Amount
	}
	return inv
}

func getInvoice(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	return c.invoiceView(inv), nil
}

func listInvoices(c *call) (obj, *apiError) {
	ids := newestFirst(c.tx, func(i invoice) bool {
		return c.p.same("customer", i.Customer) && c.p.same("status", i.Status) && c.p.same("collection_method", i.CollectionMethod)
	})
	return c.page("/v1/invoices", ids, renderer(c, c.invoiceView))
}

var invoiceUpdateParams = []string{"description", "footer", "default_payment_method", "metadata", "auto_advance"}

func updateInvoice(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	if inv.Status != "draft" && (c.p.has("description") || c.p.has("footer")) {
		return nil, notEditable("Finalized invoices can't be updated in this way.")
	}
	inv, fail := c.changeInvoice(inv)
	if fail != nil {
		return nil, fail
	}
	c.put(inv)
	out := c.invoiceView(inv)
	c.emit("invoice.updated", out)
	return out, nil
}

func (c *call) changeInvoice(inv invoice) (invoice, *apiError) {
	if c.p.has("description") {
		inv.Description = c.p.str("description")
	}
	if c.p.has("footer") {
		inv.Footer = c.p.str("footer")
	}
	if c.p.has("auto_advance") {
		b, fail := c.p.boolean("auto_advance")
		if fail != nil {
			return inv, fail
		}
		inv.AutoAdvance = b
	}
	if c.p.has("default_payment_method") {
		id := c.p.str("default_payment_method")
		if fail := c.methodOf(inv.Customer, id, "default_payment_method"); fail != nil {
			return inv, fail
		}
		inv.DefaultMethod = id
	}
	var fail *apiError
	inv.Metadata, fail = c.p.mergeMetadata(inv.Metadata)
	return inv, fail
}

func deleteInvoice(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	if inv.Status != "draft" {
		return nil, notEditable("You can only delete draft invoices. This one is " + inv.Status + ".")
	}
	c.emit("invoice.deleted", c.invoiceView(inv))
	for _, it := range c.itemsOf(inv.ID) {
		c.delete(it.ID)
	}
	c.delete(inv.ID)
	return obj{"id": inv.ID, "object": "invoice", "deleted": true}, nil
}

// finalizeInvoice fixes number and amounts. Nothing due (a total of zero or
// less, covered by credit, or under the smallest charge) is paid at once, and
// the difference stays on the customer's balance.
func finalizeInvoice(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	if inv.Status != "draft" {
		return nil, notEditable("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
	}
	if c.p.has("auto_advance") {
		b, fail := c.p.boolean("auto_advance")
		if fail != nil {
			return nil, fail
		}
		inv.AutoAdvance = b
	}
	cus, _ := find[customer](c.tx, inv.Customer)
	cus.Invoices++
	inv.Number = inv.OwnNumber
	if inv.Number == "" {
		inv.Number = fmt.Sprintf("%s-%04d", cus.Prefix, cus.Invoices)
	}
	inv.StartingBalance = cus.Balance
	inv.AmountDue = max(inv.Subtotal+cus.Balance, 0)
	cus.Balance += inv.Subtotal - inv.AmountDue
	if inv.AmountDue > 0 && inv.AmountDue < smallestCharge(inv.Currency) {
		cus.Balance += inv.AmountDue
		inv.AmountDue = 0
	}
	cus.Currency, inv.EndingBalance = inv.Currency, cus.Balance
	inv.Status, inv.FinalizedAt = "open", c.now
	c.put(cus)
	if inv.AmountDue > 0 {
		inv = c.intentFor(inv)
	}
	c.put(inv)
	c.emit("invoice.finalized", c.invoiceView(inv))
	if inv.AmountDue == 0 {
		inv = c.settle(inv)
	}
	return c.invoiceView(inv), nil
}

// settle marks an open invoice as paid.
func (c *call) settle(inv invoice) invoice {
	inv.Status, inv.PaidAt = "paid", c.now
	inv.AmountPaid = inv.due()
	c.put(inv)
	out := c.invoiceView(inv)
	c.emit("invoice.paid", out)
	c.emit("invoice.payment_succeeded", out)
	return inv
}

func voidInvoice(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	if inv.Status != "open" && inv.Status != "uncollectible" {
		return nil, notEditable("You can only void open invoices. This one is " + inv.Status + ".")
	}
	if pi, ok := find[paymentIntent](c.tx, inv.PaymentIntent); ok {
		pi.Status = "canceled"
		c.put(pi)
	}
	inv.Status, inv.VoidedAt = "void", c.now
	c.put(inv)
	out := c.invoiceView(inv)
	c.emit("invoice.voided", out)
	return out, nil
}

// markUncollectible writes an open invoice off. It can still be paid.
func markUncollectible(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	if inv.Status != "open" {
		return nil, notEditable("You can only mark open invoices as uncollectible. This one is " + inv.Status + ".")
	}
	inv.Status, inv.WrittenOffAt = "uncollectible", c.now
	c.put(inv)
	out := c.invoiceView(inv)
	c.emit("invoice.marked_uncollectible", out)
	return out, nil
}

func notEditable(message string) *apiError { return invalid("invoice_not_editable", message) }
