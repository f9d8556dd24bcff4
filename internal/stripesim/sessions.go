package stripesim

import "strings"

type session struct {
	ID              string
	Created         int64
	ExpiresAt       int64
	Status          string // open, complete or expired
	Customer        string
	Currency        string
	ClientReference string
	SuccessURL      string
	CancelURL       string
	SetupIntent     string
	Metadata        map[string]string
}

func (s session) recordID() string { return s.ID }
func (session) recordKind() string { return "checkout.session" }

// state is the status at a moment: open sessions expire by themselves.
func (s session) state(now int64) string {
	if s.Status == "open" && now >= s.ExpiresAt {
		return "expired"
	}
	return s.Status
}

func (v viewer) session(s session) obj {
	out := obj{
		"id": s.ID, "object": "checkout.session", "created": s.Created, "livemode": false,
		"after_expiration": nil, "allow_promotion_codes": nil, "amount_subtotal": nil, "amount_total": nil,
		"automatic_tax":              obj{"enabled": false, "liability": nil, "status": nil},
		"billing_address_collection": nil, "cancel_url": orNull(s.CancelURL),
		"client_reference_id": orNull(s.ClientReference), "client_secret": nil, "consent": nil,
		"consent_collection": nil, "currency": orNull(s.Currency), "custom_fields": []any{},
		"custom_text": obj{"after_submit": nil, "shipping_address": nil, "submit": nil, "terms_of_service_acceptance": nil},
		"customer":    orNull(s.Customer), "customer_creation": nil, "customer_details": nil,
		"customer_email": nil, "expires_at": s.ExpiresAt, "invoice": nil, "invoice_creation": nil,
		"locale": nil, "metadata": s.Metadata, "mode": "setup", "payment_intent": nil,
		"payment_link": nil, "payment_method_collection": "always",
		"payment_method_configuration_details": nil, "payment_method_options": obj{},
		"payment_method_types": []any{"card"}, "payment_status": "no_payment_required",
		"phone_number_collection": obj{"enabled": false}, "recovered_from": nil,
		"setup_intent": s.SetupIntent, "shipping_address_collection": nil, "shipping_cost": nil,
		"shipping_options": []any{}, "status": s.Status, "submit_type": nil, "subscription": nil,
		"success_url": s.SuccessURL, "total_details": nil, "ui_mode": "hosted", "url": nil,
	}
	if v.modern {
		out["ui_mode"] = "hosted_page"
	}
	if s.Status == "open" {
		out["url"] = v.public + "/checkout/" + s.ID
	}
	return out
}

var sessionParams = []string{
	"mode", "customer", "currency", "success_url", "cancel_url", "metadata", "payment_method_types",
	"client_reference_id", "setup_intent_data", "expires_at",
}

func createSession(c *call) (obj, *apiError) {
	if mode, fail := c.p.require("mode"); fail != nil {
		return nil, fail
	} else if mode != "setup" {
		return nil, invalidParam("mode", "This simulation knows mode=setup only.")
	}
	cus, fail := c.customerParam()
	if fail != nil {
		return nil, fail
	}
	for _, name := range []string{"success_url", "cancel_url"} {
		if v := c.p.str(name); (v != "" || name == "success_url") && !isWebURL(v) {
			e := invalidParam(name, "Not a valid URL: "+v)
			e.Code = "url_invalid"
			return nil, e
		}
	}
	currency := strings.ToLower(c.p.str("currency"))
	if currency == "" && len(c.p.list("payment_method_types")) == 0 {
		return nil, invalidParam("currency", "You must provide currency or payment_method_types in setup mode.")
	}
	meta, fail := c.p.mergeMetadata(nil)
	if fail != nil {
		return nil, fail
	}
	si := setupIntent{ID: newID("seti_"), Created: c.now, Customer: cus.ID, Status: "requires_payment_method", Metadata: map[string]string{}}
	s := session{
		ID: newID("cs_test_"), Created: c.now, ExpiresAt: c.now + day, Status: "open",
		Customer: cus.ID, Currency: currency, ClientReference: c.p.str("client_reference_id"),
		SuccessURL: c.p.str("success_url"), CancelURL: c.p.str("cancel_url"),
		SetupIntent: si.ID, Metadata: meta,
	}
	c.put(si)
	c.put(s)
	c.emit("setup_intent.created", c.view.setupIntent(si))
	return c.view.session(s), nil
}

// currentSession finds a session and lets it expire when its time is over.
func (c *call) currentSession(id string) (session, bool) {
	s, ok := find[session](c.tx, id)
	if ok && s.state(c.now) != s.Status {
		s.Status = "expired"
		c.put(s)
		c.emit("checkout.session.expired", c.view.session(s))
	}
	return s, ok
}

func getSession(c *call) (obj, *apiError) {
	s, ok := c.currentSession(c.id)
	if !ok {
		return nil, missing("checkout.session", c.id)
	}
	return c.view.session(s), nil
}

func expireSession(c *call) (obj, *apiError) {
	s, ok := c.currentSession(c.id)
	if !ok {
		return nil, missing("checkout.session", c.id)
	}
	if s.Status != "open" {
		return nil, invalid("", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of "+s.Status+".")
	}
	s.Status = "expired"
	c.put(s)
	out := c.view.session(s)
	c.emit("checkout.session.expired", out)
	return out, nil
}

// complete saves the card and completes the session. A declined card leaves
// the session open and returns its decline code.
func (c *call) complete(s session, cd card, month, year int, name string) (declineCode string) {
	si, _ := find[setupIntent](c.tx, s.SetupIntent)
	if cd.onSave != "" {
		si.DeclineCode = cd.onSave
		c.put(si)
		c.emit("setup_intent.setup_failed", c.view.setupIntent(si))
		return cd.onSave
	}
	pm := cd.method(c.now, month, year)
	pm.Customer, pm.Name = s.Customer, name
	si.Method, si.Status, si.DeclineCode = pm.ID, "succeeded", ""
	s.Status = "complete"
	c.put(pm)
	c.put(si)
	c.put(s)
	c.emit("payment_method.attached", c.view.paymentMethod(pm))
	c.emit("setup_intent.succeeded", c.view.setupIntent(si))
	c.emit("checkout.session.completed", c.view.session(s))
	return ""
}
