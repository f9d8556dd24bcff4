package stripesim

type refund struct {
	ID            string
	Created       int64
	Amount        int64
	Currency      string
	Charge        string
	PaymentIntent string
	Reason        string
	Metadata      map[string]string
}

func (r refund) recordID() string { return r.ID }
func (refund) recordKind() string { return "refund" }

func (v viewer) refund(r refund) obj {
	return obj{
		"id": r.ID, "object": "refund", "created": r.Created, "amount": r.Amount,
		"balance_transaction": nil, "charge": r.Charge, "currency": r.Currency,
		"metadata": r.Metadata, "payment_intent": orNull(r.PaymentIntent), "reason": orNull(r.Reason),
		"receipt_number": nil, "source_transfer_reversal": nil, "status": "succeeded", "transfer_reversal": nil,
	}
}

var refundParams = []string{"charge", "payment_intent", "amount", "reason", "metadata"}

func createRefund(c *call) (obj, *apiError) {
	chargeID := c.p.str("charge")
	if id := c.p.str("payment_intent"); id != "" {
		pi, ok := find[paymentIntent](c.tx, id)
		if !ok {
			return nil, missingParam("payment_intent", "payment_intent", id)
		}
		chargeID = pi.Charge
	}
	ch, ok := find[charge](c.tx, chargeID)
	if !ok {
		return nil, missingParam("charge", "charge", chargeID)
	}
	amount := ch.Amount - ch.Refunded
	if c.p.has("amount") {
		n, fail := c.p.integer("amount")
		if fail != nil {
			return nil, fail
		}
		amount = n
	}
	meta, fail := c.p.mergeMetadata(nil)
	if fail != nil {
		return nil, fail
	}
	r, fail := c.refund(ch, amount, c.p.str("reason"), meta)
	if fail != nil {
		return nil, fail
	}
	return c.view.refund(r), nil
}

// refund gives back a part of a charge that is not given back yet.
func (c *call) refund(ch charge, amount int64, reason string, meta map[string]string) (refund, *apiError) {
	switch {
	case ch.DeclineCode != "":
		return refund{}, invalid("charge_not_refundable", "This charge failed and cannot be refunded.")
	case ch.Refunded == ch.Amount:
		return refund{}, invalid("charge_already_refunded", "Charge "+ch.ID+" has already been refunded.")
	case amount <= 0:
		return refund{}, invalidParam("amount", "Refund amounts must be positive.")
	case amount > ch.Amount-ch.Refunded:
		return refund{}, invalid("", "Refund amount ("+displayAmount(amount, ch.Currency)+") is greater than unrefunded amount on charge ("+displayAmount(ch.Amount-ch.Refunded, ch.Currency)+")")
	}
	r := refund{
		ID: newID("re_"), Created: c.now, Amount: amount, Currency: ch.Currency,
		Charge: ch.ID, PaymentIntent: ch.PaymentIntent, Reason: reason, Metadata: meta,
	}
	ch.Refunded += amount
	c.put(ch)
	c.put(r)
	c.emit("charge.refunded", c.view.charge(ch))
	c.emit("refund.created", c.view.refund(r))
	return r, nil
}

func getRefund(c *call) (obj, *apiError) {
	r, ok := find[refund](c.tx, c.id)
	if !ok {
		return nil, missing("refund", c.id)
	}
	return c.view.refund(r), nil
}

func listRefunds(c *call) (obj, *apiError) {
	ids := newestFirst(c.tx, func(r refund) bool {
		return c.p.same("charge", r.Charge) && c.p.same("payment_intent", r.PaymentIntent)
	})
	return c.page("/v1/refunds", ids, renderer(c, c.view.refund))
}
