package stripesim

import (
	"slices"
	"strings"
)

// expandable are the members that hold an id which expand[] may replace by
// its object.
var expandable = []string{
	"charge", "customer", "default_payment_method", "invoice", "latest_charge",
	"payment_intent", "payment_method", "refund", "setup_intent",
}

const maxExpandDepth = 4

// expand replaces the ids that the request asks for by their objects.
func (c *call) expand(out obj) *apiError {
	for _, path := range c.p.list("expand") {
		steps := strings.Split(path, ".")
		if len(steps) > maxExpandDepth {
			return invalidParam("expand", "You cannot expand more than 4 levels of a property: "+path)
		}
		if fail := c.expandSteps(out, steps, path); fail != nil {
			return fail
		}
	}
	return nil
}

func (c *call) expandSteps(in obj, steps []string, path string) *apiError {
	if len(steps) == 0 {
		return nil
	}
	name := steps[0]
	v, present := in[name]
	if list, ok := v.([]any); ok && name == "data" {
		for _, item := range list {
			if inner, ok := item.(obj); ok {
				if fail := c.expandSteps(inner, steps[1:], path); fail != nil {
					return fail
				}
			}
		}
		return nil
	}
	if inner, ok := v.(obj); ok {
		return c.expandSteps(inner, steps[1:], path)
	}
	if !present || !slices.Contains(expandable, name) {
		return invalidParam("expand", "This property cannot be expanded ("+path+").")
	}
	id, ok := v.(string)
	if !ok {
		return nil // null stays null
	}
	full, ok := c.object(id)
	if !ok {
		return nil
	}
	in[name] = full
	return c.expandSteps(full, steps[1:], path)
}

// object renders whatever has this id.
func (c *call) object(id string) (obj, bool) {
	r, ok := c.lookup(id)
	if !ok {
		return nil, false
	}
	switch v := r.(type) {
	case customer:
		return c.view.customer(v), true
	case session:
		return c.view.session(v), true
	case setupIntent:
		return c.view.setupIntent(v), true
	case paymentMethod:
		return c.view.paymentMethod(v), true
	case invoice:
		return c.invoiceView(v), true
	case invoiceItem:
		return c.view.invoiceItem(v), true
	case paymentIntent:
		return c.view.paymentIntent(v), true
	case charge:
		return c.view.charge(v), true
	case refund:
		return c.view.refund(v), true
	case creditNote:
		return c.view.creditNote(v), true
	}
	return nil, false
}
