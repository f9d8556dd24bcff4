package stripesim

var payParams = []string{"payment_method", "paid_out_of_band", "off_session"}

// payInvoice charges the invoice's amount. A decline answers 402 and leaves
// its failed charge behind.
func payInvoice(c *call) (obj, *apiError) {
	inv, ok := find[invoice](c.tx, c.id)
	if !ok {
		return nil, missing("invoice", c.id)
	}
	switch inv.Status {
	case "paid":
		return nil, invalid("", "Invoice is already paid")
	case "draft":
		return nil, invalid("", "This simulation pays finalized invoices only.")
	case "void":
		return nil, invalid("", "This invoice is void and can no longer be paid.")
	}
	outOfBand, fail := c.p.boolean("paid_out_of_band")
	if fail != nil {
		return nil, fail
	}
	if outOfBand {
		inv.OutOfBand = true
		return c.invoiceView(c.settle(inv)), nil
	}
	pm, fail := c.methodToCharge(inv)
	if fail != nil {
		return nil, fail
	}
	inv.Attempts++
	pi, ch := c.charge(inv, pm)
	if ch.DeclineCode != "" {
		c.put(inv)
		c.emit("invoice.payment_failed", c.invoiceView(inv))
		e := declined(ch.DeclineCode, ch.ID)
		e.Extra = obj{"payment_intent": c.view.paymentIntent(pi), "payment_method": c.view.paymentMethod(pm)}
		return nil, e
	}
	inv.Charge = ch.ID
	return c.invoiceView(c.settle(inv)), nil
}

// methodToCharge is the request's, else the invoice's, else the customer's.
func (c *call) methodToCharge(inv invoice) (paymentMethod, *apiError) {
	cus, _ := find[customer](c.tx, inv.Customer)
	for _, id := range []string{c.p.str("payment_method"), inv.DefaultMethod, cus.DefaultMethod} {
		if id == "" {
			continue
		}
		if fail := c.methodOf(inv.Customer, id, "payment_method"); fail != nil {
			return paymentMethod{}, fail
		}
		pm, _ := find[paymentMethod](c.tx, id)
		return pm, nil
	}
	return paymentMethod{}, invalid("resource_missing", "There is no `default_payment_method` set on this Customer or Invoice. Please create a PaymentMethod and attach it.")
}

// charge makes one attempt to take what the invoice still needs.
func (c *call) charge(inv invoice, pm paymentMethod) (paymentIntent, charge) {
	pi, _ := find[paymentIntent](c.tx, inv.PaymentIntent)
	ch := charge{
		ID: newID("ch_"), Created: c.now, Amount: inv.remaining(), Currency: inv.Currency,
		Customer: inv.Customer, Invoice: inv.ID, PaymentIntent: pi.ID,
		Method: pm.ID, Brand: pm.Brand, Last4: pm.Last4, DeclineCode: pm.OnCharge,
	}
	pi.Amount, pi.Charge, pi.DeclineCode = ch.Amount, ch.ID, ch.DeclineCode
	verdict := "failed"
	if ch.DeclineCode == "" {
		verdict, pi.Status, pi.Method = "succeeded", "succeeded", pm.ID
	}
	c.put(pi)
	c.put(ch)
	c.emit("charge."+verdict, c.view.charge(ch))
	if verdict == "failed" {
		c.emit("payment_intent.payment_failed", c.view.paymentIntent(pi))
	} else {
		c.emit("payment_intent.succeeded", c.view.paymentIntent(pi))
	}
	return pi, ch
}
