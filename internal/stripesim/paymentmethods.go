package stripesim

import "time"

type paymentMethod struct {
	ID       string
	Created  int64
	Customer string
	Brand    string
	Last4    string
	ExpMonth int
	ExpYear  int
	OnCharge string // decline code of its charges, empty when they succeed
	Name     string
	Email    string
	Metadata map[string]string
}

func (p paymentMethod) recordID() string { return p.ID }
func (paymentMethod) recordKind() string { return "payment_method" }

func (v viewer) paymentMethod(p paymentMethod) obj {
	return obj{
		"id": p.ID, "object": "payment_method", "created": p.Created, "livemode": false,
		"type": "card", "customer": orNull(p.Customer), "metadata": p.Metadata,
		"billing_details": billingDetails(p.Name, p.Email),
		"card": obj{
			"brand": p.Brand, "display_brand": p.Brand, "last4": p.Last4,
			"exp_month": p.ExpMonth, "exp_year": p.ExpYear, "funding": "credit",
			"country": "US", "fingerprint": nil, "generated_from": nil, "wallet": nil,
			"checks":               obj{"address_line1_check": nil, "address_postal_code_check": nil, "cvc_check": "pass"},
			"networks":             obj{"available": []any{p.Brand}, "preferred": nil},
			"three_d_secure_usage": obj{"supported": true},
		},
	}
}

func billingDetails(name, email string) obj {
	return obj{
		"name": orNull(name), "email": orNull(email), "phone": nil,
		"address": obj{"city": nil, "country": nil, "line1": nil, "line2": nil, "postal_code": nil, "state": nil},
	}
}

func (cd card) method(now int64, month, year int) paymentMethod {
	return paymentMethod{
		ID: newID("pm_"), Created: now, Brand: cd.brand, Last4: cd.last4(),
		ExpMonth: month, ExpYear: year, OnCharge: cd.onCharge, Metadata: map[string]string{},
	}
}

func getPaymentMethod(c *call) (obj, *apiError) {
	pm, ok := find[paymentMethod](c.tx, c.id)
	if !ok {
		return nil, missing("PaymentMethod", c.id)
	}
	return c.view.paymentMethod(pm), nil
}

func listPaymentMethods(c *call) (obj, *apiError) {
	if _, fail := c.customerParam(); fail != nil {
		return nil, fail
	}
	ids := newestFirst(c.tx, func(pm paymentMethod) bool {
		return pm.Customer == c.p.str("customer") && c.p.same("type", "card")
	})
	return c.page("/v1/payment_methods", ids, renderer(c, c.view.paymentMethod))
}

// attachPaymentMethod also accepts Stripe's ready-made test ids, such as
// pm_card_visa, and makes a payment method of them.
func attachPaymentMethod(c *call) (obj, *apiError) {
	cus, fail := c.customerParam()
	if fail != nil {
		return nil, fail
	}
	pm, ok := find[paymentMethod](c.tx, c.id)
	if cd, test := cardByTestID(c.id); test {
		if cd.onSave != "" {
			return nil, declined(cd.onSave, "")
		}
		pm, ok = cd.method(c.now, 12, time.Unix(c.now, 0).UTC().Year()+3), true
	}
	if !ok {
		return nil, missing("PaymentMethod", c.id)
	}
	if pm.Customer != "" && pm.Customer != cus.ID {
		return nil, invalid("payment_method_unexpected_state", "The payment method you provided has already been attached to a customer.")
	}
	pm.Customer = cus.ID
	c.put(pm)
	out := c.view.paymentMethod(pm)
	c.emit("payment_method.attached", out)
	return out, nil
}

func detachPaymentMethod(c *call) (obj, *apiError) {
	pm, ok := find[paymentMethod](c.tx, c.id)
	if !ok {
		return nil, missing("PaymentMethod", c.id)
	}
	if pm.Customer == "" {
		return nil, invalid("payment_method_unexpected_state", "The payment method you provided is not attached to a customer.")
	}
	if cus, ok := find[customer](c.tx, pm.Customer); ok && cus.DefaultMethod == pm.ID {
		cus.DefaultMethod = ""
		c.put(cus)
	}
	pm.Customer = ""
	c.put(pm)
	out := c.view.paymentMethod(pm)
	c.emit("payment_method.detached", out)
	return out, nil
}
