package openapi

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Names that the served document adds.
const (
	schemeBearer  = "TollgateBearer"
	schemeHeader  = "TollgateKey"
	limitResponse = "TollgateTooManyRequests"
	limitHeader   = "TollgateRateLimit"
	largeResponse = "TollgateContentTooLarge"
)

// ServedInput is what the gateway adds to a document.
type ServedInput struct {
	BaseURL string       // where the gateway serves this API
	Plans   []ServedPlan // that anybody may use
}

// ServedPlan is a plan with its limits.
type ServedPlan struct {
	Product, Name string
	Anonymous     bool // needs no key
	Limits        []ServedLimit
}

// ServedLimit is a limit as it is enforced.
type ServedLimit struct {
	Text      string // in words, such as "100 calls a minute"
	Kind      string // rate, concurrency or quota
	Limit     int64  // calls
	Window    int64  // of a rate, seconds
	Period    string // of a quota: billing_period, calendar_month or Prepaid
	Hard      bool   // a quota that blocks
	Algorithm string // of a rate
	Scope     string // whose calls count together
	Burst     int64
	Operation string // empty: every operation
	Adapts    bool   // the limit in force can differ
}

// Served returns the document that developers download: OpenAPI 3 JSON whose
// only server is the gateway, whose only credentials are Tollgate's keys (the
// document's own schemes stay declared but no operation asks for them), where
// every operation documents the headers that tell limits, and the 429, and those
// with a body the 413; and whose member x-tollgate-plans lists the plans' limits.
func (d *Document) Served(in ServedInput) (json.RawMessage, error) {
	if d.root == nil {
		return nil, errors.New("openapi: the document could not be read")
	}
	var none place
	root := d.root
	res := newResolver(root)
	server := &node{kind: kindArray, kids: []member{{value: object(none, "url", newString(none, in.BaseURL))}}}
	security := &node{kind: kindArray, kids: []member{
		{value: object(none, schemeBearer, &node{kind: kindArray})},
		{value: object(none, schemeHeader, &node{kind: kindArray})},
	}}
	if slices.ContainsFunc(in.Plans, func(p ServedPlan) bool { return p.Anonymous }) {
		security.kids = append(security.kids, member{value: newObject(none, nil)})
	}
	root = root.with("servers", server).with("security", security)
	root = root.with("paths", mapFields(root.get("paths"), func(item *node) *node { return servedItem(item, res) }))
	if len(in.Plans) > 0 {
		root = root.with("x-tollgate-plans", servedPlans(in.Plans))
	}
	return root.with("components", servedComponents(root.get("components"), in.Plans)).raw(), nil
}

func servedItem(item *node, res *resolver) *node {
	if !item.isObject() {
		return item
	}
	if ref(item) != "" {
		// Written out, because the shared one is not changed.
		if item = res.deref(item); !item.isObject() {
			return item
		}
	}
	kids := make([]member, 0, len(item.kids))
	for _, m := range item.kids {
		switch {
		case m.name == "servers":
			continue
		case httpMethods[m.name] != "" && m.value.isObject():
			m.value = servedOperation(m.value, res)
		}
		kids = append(kids, m)
	}
	return newObject(item.at, kids)
}

func servedOperation(op *node, res *resolver) *node {
	op = op.without("servers", "security")
	responses := op.get("responses")
	if !responses.isObject() {
		responses = newObject(op.at, nil)
	}
	responses = mapFields(responses, func(r *node) *node { return r }) // a copy: the document's own stays as it is
	for i, m := range responses.kids {
		if strings.HasPrefix(m.name, "2") && m.value.isObject() && ref(m.value) == "" { // shared ones are done once, among the components
			responses.kids[i].value = m.value.with("headers", withLimitHeaders(m.value.get("headers"), limitHeaders))
		}
	}
	limited := object(op.at, "$ref", newString(op.at, "#/components/responses/"+limitResponse))
	if own := res.deref(responses.get("429")); own.isObject() {
		limited = own.with("headers", withLimitHeaders(own.get("headers"), refusalHeaders))
	}
	if op.get("requestBody") != nil && responses.get("413") == nil {
		responses = responses.with("413", object(op.at, "$ref", newString(op.at, "#/components/responses/"+largeResponse)))
	}
	return op.with("responses", responses.with("429", limited))
}
