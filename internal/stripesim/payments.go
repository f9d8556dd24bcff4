package stripesim

import "net/http"

type paymentIntent struct {
	ID          string
	Created     int64
	Amount      int64
	Currency    string
	Customer    string
	Invoice     string
	Method      string
	Status      string
	Charge      string
	DeclineCode string
}

func (p paymentIntent) recordID() string { return p.ID }
func (paymentIntent) recordKind() string { return "payment_intent" }

type charge struct {
	ID            string
	Created       int64
	Amount        int64
	Refunded      int64
	Currency      string
	Customer      string
	Invoice       string
	PaymentIntent string
	Method        string
	Brand         string
	Last4         string
	DeclineCode   string // empty: it succeeded
}

func (ch charge) recordID() string { return ch.ID }
func (charge) recordKind() string  { return "charge" }

func (v viewer) paymentIntent(p paymentIntent) obj {
	received := int64(0)
	if p.Status == "succeeded" {
		received = p.Amount
	}
	out := obj{
		"id": p.ID, "object": "payment_intent", "created": p.Created, "livemode": false,
		"amount": p.Amount, "amount_capturable": 0, "amount_received": received, "application": nil,
		"application_fee_amount": nil, "automatic_payment_methods": nil, "canceled_at": nil,
		"cancellation_reason": nil, "capture_method": "automatic", "client_secret": p.ID + "_secret_simulated",
		"confirmation_method": "automatic", "currency": p.Currency, "customer": orNull(p.Customer),
		"description": nil, "last_payment_error": nil, "latest_charge": orNull(p.Charge), "metadata": obj{},
		"next_action": nil, "on_behalf_of": nil, "payment_method": orNull(p.Method),
		"payment_method_options": obj{}, "payment_method_types": []any{"card"}, "processing": nil,
		"receipt_email": nil, "review": nil, "setup_future_usage": nil, "shipping": nil,
		"statement_descriptor": nil, "statement_descriptor_suffix": nil, "status": p.Status,
		"transfer_data": nil, "transfer_group": nil,
	}
	if p.DeclineCode != "" {
		out["last_payment_error"] = obj{
			"type": "card_error", "code": "card_declined", "decline_code": p.DeclineCode,
			"charge": p.Charge, "message": declineMessage(p.DeclineCode),
		}
	}
	if !v.modern {
		out["invoice"] = orNull(p.Invoice)
	}
	return out
}

func (v viewer) charge(ch charge) obj {
	ok := ch.DeclineCode == ""
	status, captured := "succeeded", ch.Amount
	outcome := obj{
		"network_status": "approved_by_network", "reason": nil, "risk_level": "normal",
		"seller_message": "Payment complete.", "type": "authorized",
	}
	if !ok {
		status, captured = "failed", 0
		outcome["network_status"], outcome["reason"], outcome["type"] = "declined_by_network", ch.DeclineCode, "issuer_declined"
		outcome["seller_message"] = "The bank did not return any further details with this decline."
	}
	out := obj{
		"id": ch.ID, "object": "charge", "created": ch.Created, "livemode": false,
		"amount": ch.Amount, "amount_captured": captured, "amount_refunded": ch.Refunded,
		"application": nil, "application_fee": nil, "application_fee_amount": nil,
		"balance_transaction": nil, "billing_details": billingDetails("", ""),
		"calculated_statement_descriptor": "SIMULATED", "captured": ok, "currency": ch.Currency,
		"customer": orNull(ch.Customer), "description": nil, "disputed": false,
		"failure_balance_transaction": nil, "failure_code": nil, "failure_message": nil,
		"fraud_details": obj{}, "metadata": obj{}, "on_behalf_of": nil, "outcome": outcome, "paid": ok,
		"payment_intent": orNull(ch.PaymentIntent), "payment_method": orNull(ch.Method),
		"payment_method_details": nil, "receipt_email": nil, "receipt_number": nil, "receipt_url": nil,
		"refunded": ok && ch.Refunded == ch.Amount, "review": nil, "shipping": nil,
		"source_transfer": nil, "statement_descriptor": nil, "statement_descriptor_suffix": nil,
		"status": status, "transfer_data": nil, "transfer_group": nil,
	}
	if !ok {
		out["failure_code"], out["failure_message"] = "card_declined", declineMessage(ch.DeclineCode)
	}
	if !v.modern {
		out["invoice"] = orNull(ch.Invoice)
	}
	return out
}

func getPaymentIntent(c *call) (obj, *apiError) {
	pi, ok := find[paymentIntent](c.tx, c.id)
	if !ok {
		return nil, missing("payment_intent", c.id)
	}
	return c.view.paymentIntent(pi), nil
}

func getCharge(c *call) (obj, *apiError) {
	ch, ok := find[charge](c.tx, c.id)
	if !ok {
		return nil, missing("charge", c.id)
	}
	return c.view.charge(ch), nil
}

// intentFor gives a finalized invoice the payment intent that will pay it.
func (c *call) intentFor(inv invoice) invoice {
	pi := paymentIntent{
		ID: newID("pi_"), Created: c.now, Amount: inv.AmountDue, Currency: inv.Currency,
		Customer: inv.Customer, Invoice: inv.ID, Status: "requires_payment_method",
	}
	c.put(pi)
	c.emit("payment_intent.created", c.view.paymentIntent(pi))
	inv.PaymentIntent = pi.ID
	return inv
}

// declined is the answer to a card that was refused.
func declined(code, chargeID string) *apiError {
	return &apiError{
		Status: http.StatusPaymentRequired, Type: "card_error", Code: "card_declined",
		DeclineCode: code, Message: declineMessage(code), Charge: chargeID, keepEffects: true,
	}
}
