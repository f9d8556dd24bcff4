package stripesim

import "strings"

type customer struct {
	ID            string
	Created       int64
	Name          string
	Email         string
	Description   string
	Phone         string
	Metadata      map[string]string
	DefaultMethod string
	Balance       int64 // minor units; negative is credit
	Currency      string
	Prefix        string // of its invoice numbers
	Invoices      int64  // numbers given so far
}

func (c customer) recordID() string { return c.ID }
func (customer) recordKind() string { return "customer" }

func (v viewer) customer(c customer) obj {
	out := obj{
		"id": c.ID, "object": "customer", "created": c.Created, "livemode": false,
		"address": nil, "balance": c.Balance, "currency": orNull(c.Currency),
		"default_source": nil, "delinquent": false, "description": orNull(c.Description),
		"discount": nil, "email": orNull(c.Email), "invoice_prefix": c.Prefix,
		"invoice_settings": obj{
			"custom_fields": nil, "default_payment_method": orNull(c.DefaultMethod),
			"footer": nil, "rendering_options": nil,
		},
		"metadata": c.Metadata, "name": orNull(c.Name), "next_invoice_sequence": c.Invoices + 1,
		"phone": orNull(c.Phone), "preferred_locales": []any{}, "shipping": nil,
		"tax_exempt": "none", "test_clock": nil,
	}
	return out
}

var customerParams = []string{"name", "email", "description", "phone", "metadata", "invoice_settings", "payment_method", "balance"}

func createCustomer(c *call) (obj, *apiError) {
	cus := customer{ID: newID("cus_"), Created: c.now, Prefix: strings.ToUpper(newID("")[:8])}
	cus, fail := c.changeCustomer(cus)
	if fail != nil {
		return nil, fail
	}
	c.put(cus)
	out := c.view.customer(cus)
	c.emit("customer.created", out)
	return out, nil
}

func getCustomer(c *call) (obj, *apiError) {
	cus, ok := find[customer](c.tx, c.id)
	if !ok {
		return nil, missing("customer", c.id)
	}
	return c.view.customer(cus), nil
}

func updateCustomer(c *call) (obj, *apiError) {
	cus, ok := find[customer](c.tx, c.id)
	if !ok {
		return nil, missing("customer", c.id)
	}
	cus, fail := c.changeCustomer(cus)
	if fail != nil {
		return nil, fail
	}
	c.put(cus)
	out := c.view.customer(cus)
	c.emit("customer.updated", out)
	return out, nil
}

func listCustomers(c *call) (obj, *apiError) {
	ids := newestFirst(c.tx, func(cus customer) bool { return c.p.same("email", cus.Email) })
	return c.page("/v1/customers", ids, renderer(c, c.view.customer))
}

func (c *call) changeCustomer(cus customer) (customer, *apiError) {
	for name, field := range map[string]*string{
		"name": &cus.Name, "email": &cus.Email, "description": &cus.Description, "phone": &cus.Phone,
	} {
		if c.p.has(name) {
			*field = c.p.str(name)
		}
	}
	if cus.Email != "" && !strings.Contains(cus.Email, "@") {
		e := invalidParam("email", "Invalid email address: "+cus.Email)
		e.Code = "email_invalid"
		return cus, e
	}
	if c.p.has("balance") {
		n, fail := c.p.integer("balance")
		if fail != nil {
			return cus, fail
		}
		cus.Balance = n
	}
	var fail *apiError
	if cus.Metadata, fail = c.p.mergeMetadata(cus.Metadata); fail != nil {
		return cus, fail
	}
	if settings := c.p.hash("invoice_settings"); c.p.has("invoice_settings[default_payment_method]") {
		id := settings["default_payment_method"]
		if fail := c.methodOf(cus.ID, id, "invoice_settings[default_payment_method]"); fail != nil {
			return cus, fail
		}
		cus.DefaultMethod = id
	}
	return cus, nil
}

// methodOf fails unless the payment method exists and is the customer's.
func (c *call) methodOf(customerID, id, param string) *apiError {
	if id == "" {
		return nil
	}
	pm, ok := find[paymentMethod](c.tx, id)
	if !ok {
		return missingParam("PaymentMethod", param, id)
	}
	if pm.Customer != customerID {
		return invalid("resource_missing", "The payment method "+id+" is not attached to this customer.")
	}
	return nil
}

// customerParam returns the customer named by the parameter.
func (c *call) customerParam() (customer, *apiError) {
	id, fail := c.p.require("customer")
	if fail != nil {
		return customer{}, fail
	}
	cus, ok := find[customer](c.tx, id)
	if !ok {
		return customer{}, missingParam("customer", "customer", id)
	}
	return cus, nil
}
