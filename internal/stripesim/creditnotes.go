package stripesim

import "fmt"

type creditNote struct {
	ID       string
	Line     string
	Created  int64
	Number   string
	Invoice  string
	Customer string
	Currency string
	Amount   int64
	Refund   string // empty before payment
	Memo     string
	Reason   string
	Metadata map[string]string
}

func (n creditNote) recordID() string { return n.ID }
func (creditNote) recordKind() string { return "credit_note" }

func (v viewer) creditNote(n creditNote) obj {
	kind := "pre_payment"
	if n.Refund != "" {
		kind = "post_payment"
	}
	line := obj{
		"id": n.Line, "object": "credit_note_line_item", "livemode": false, "amount": n.Amount,
		"description": orNull(n.Memo), "discount_amount": 0, "discount_amounts": []any{}, "quantity": 1,
		"tax_rates": []any{}, "type": "custom_line_item", "unit_amount": n.Amount, "unit_amount_decimal": nil,
	}
	out := obj{
		"id": n.ID, "object": "credit_note", "created": n.Created, "livemode": false,
		"amount": n.Amount, "amount_shipping": 0, "currency": n.Currency, "customer": n.Customer,
		"customer_balance_transaction": nil, "discount_amount": 0, "discount_amounts": []any{},
		"effective_at": n.Created, "invoice": n.Invoice,
		"lines": listOf("/v1/credit_notes/"+n.ID+"/lines", []any{line}, false),
		"memo":  orNull(n.Memo), "metadata": n.Metadata, "number": n.Number, "out_of_band_amount": nil,
		"pdf": v.public + "/invoices/" + n.Invoice + "/pdf", "reason": orNull(n.Reason),
		"shipping_cost": nil, "status": "issued", "subtotal": n.Amount, "subtotal_excluding_tax": n.Amount,
		"total": n.Amount, "total_excluding_tax": n.Amount, "type": kind, "voided_at": nil,
	}
	if !v.modern {
		line["tax_amounts"] = []any{}
		out["refund"], out["tax_amounts"] = orNull(n.Refund), []any{}
		return out
	}
	line["pretax_credit_amounts"] = []any{}
	out["post_payment_amount"], out["pre_payment_amount"] = int64(0), int64(0)
	out[kind+"_amount"] = n.Amount
	out["pretax_credit_amounts"], out["refunds"] = []any{}, []any{}
	if n.Refund != "" {
		out["refunds"] = []any{obj{
			"amount_refunded": n.Amount, "refund": n.Refund, "payment_record_refund": nil, "type": "refund",
		}}
	}
	return out
}

var creditNoteParams = []string{"invoice", "amount", "refund_amount", "memo", "reason", "metadata"}

// createCreditNote lowers an open invoice, or refunds a part of a paid one.
func createCreditNote(c *call) (obj, *apiError) {
	id, fail := c.p.require("invoice")
	if fail != nil {
		return nil, fail
	}
	inv, ok := find[invoice](c.tx, id)
	if !ok {
		return nil, missingParam("invoice", "invoice", id)
	}
	amount, fail := c.p.integer("amount")
	if fail != nil {
		return nil, fail
	}
	if amount <= 0 || amount > inv.Subtotal-inv.PreCredits-inv.PostCredits {
		return nil, invalidParam("amount", "The sum of credit amount, refund amount and out of band amount must be positive and at most what the invoice has left to credit.")
	}
	meta, fail := c.p.mergeMetadata(nil)
	if fail != nil {
		return nil, fail
	}
	n := creditNote{
		ID: newID("cn_"), Line: newID("cnli_"), Created: c.now, Invoice: inv.ID, Customer: inv.Customer,
		Currency: inv.Currency, Amount: amount, Memo: c.p.str("memo"), Reason: c.p.str("reason"), Metadata: meta,
	}
	if fail := c.credit(&inv, &n); fail != nil {
		return nil, fail
	}
	seq := len(newestFirst(c.tx, func(o creditNote) bool { return o.Invoice == inv.ID })) + 1
	n.Number = fmt.Sprintf("%s-CN-%02d", inv.Number, seq)
	c.put(n)
	out := c.view.creditNote(n)
	c.emit("credit_note.created", out)
	return out, nil
}

// credit moves the note's amount: off the open invoice, or back to the card.
func (c *call) credit(inv *invoice, n *creditNote) *apiError {
	switch inv.Status {
	case "open":
		if n.Amount > inv.remaining() {
			return invalidParam("amount", "The amount is more than remains to be paid.")
		}
		inv.PreCredits += n.Amount
		c.put(*inv)
		if inv.remaining() == 0 {
			*inv = c.settle(*inv)
		}
		return nil
	case "paid":
		back, fail := c.p.integer("refund_amount")
		if fail != nil || back != n.Amount {
			return invalidParam("refund_amount", "On a paid invoice this simulation needs refund_amount equal to amount.")
		}
		ch, ok := find[charge](c.tx, inv.Charge)
		if !ok {
			return invalid("", "This invoice has no charge that could be refunded.")
		}
		r, fail := c.refund(ch, back, "", map[string]string{})
		if fail != nil {
			return fail
		}
		n.Refund = r.ID
		inv.PostCredits += n.Amount
		c.put(*inv)
		return nil
	}
	return invalid("", "You can only create credit notes for open or paid invoices.")
}

func getCreditNote(c *call) (obj, *apiError) {
	n, ok := find[creditNote](c.tx, c.id)
	if !ok {
		return nil, missing("credit_note", c.id)
	}
	return c.view.creditNote(n), nil
}

func listCreditNotes(c *call) (obj, *apiError) {
	ids := newestFirst(c.tx, func(n creditNote) bool { return c.p.same("invoice", n.Invoice) && c.p.same("customer", n.Customer) })
	return c.page("/v1/credit_notes", ids, renderer(c, c.view.creditNote))
}
