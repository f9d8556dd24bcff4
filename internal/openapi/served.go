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
)

// ServedInput is what the gateway adds to a document.
type ServedInput struct {
	BaseURL string   // where the gateway serves this API
	Limits  []string // sentences like "100 requests per minute", for every operation
}

// Served returns the document that developers download: OpenAPI 3 JSON whose
// only server is the gateway, whose only credentials are Tollgate's keys (the
// document's own schemes stay declared but no operation asks for them), and
// where every operation documents the gateway's 429 and its headers.
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
	root = root.with("servers", server).with("security", security)
	root = root.with("paths", mapFields(root.get("paths"), func(item *node) *node { return servedItem(item, res) }))
	return root.with("components", servedComponents(root.get("components"), in.Limits)).raw(), nil
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
	limited := object(op.at, "$ref", newString(op.at, "#/components/responses/"+limitResponse))
	if own := res.deref(responses.get("429")); own.isObject() {
		limited = own.with("headers", withLimitHeaders(own.get("headers")))
	}
	return op.with("responses", responses.with("429", limited))
}

// limitHeaders are what the gateway answers with, and what they mean.
var limitHeaders = []pair{
	{"X-RateLimit-Limit", "Calls allowed in the current window."},
	{"X-RateLimit-Remaining", "Calls left in the current window."},
	{"X-RateLimit-Reset", "When the window starts anew, in seconds since 1970-01-01 UTC."},
	{"X-Quota-Limit", "Calls included in the billing period, when the plan has a quota."},
	{"X-Quota-Remaining", "Calls left of that quota."},
	{"X-Quota-Reset", "When the next billing period begins, in seconds since 1970-01-01 UTC."},
	{"Retry-After", "Seconds to wait before the next call."},
}

func withLimitHeaders(headers *node) *node {
	if !headers.isObject() {
		headers = newObject(place{}, nil)
	}
	for _, h := range limitHeaders {
		same := func(m member) bool { return strings.EqualFold(m.name, h.name) }
		if slices.ContainsFunc(headers.kids, same) {
			continue
		}
		to := "#/components/headers/" + limitHeader + strings.ReplaceAll(h.name, "-", "")
		headers = headers.with(h.name, object(headers.at, "$ref", newString(headers.at, to)))
	}
	return headers
}

func servedComponents(components *node, limits []string) *node {
	var none place
	text := func(s string) *node { return newString(none, s) }
	section := func(name string) *node {
		if s := components.get(name); s.isObject() {
			return s
		}
		return newObject(none, nil)
	}
	if !components.isObject() {
		components = newObject(none, nil)
	}
	schemes := section("securitySchemes").
		with(schemeBearer, object(none, "type", text("http"), "scheme", text("bearer"), "description", text("An API key, as Authorization: Bearer <key>."))).
		with(schemeHeader, object(none, "type", text("apiKey"), "in", text("header"), "name", text("X-API-Key"), "description", text("An API key.")))
	headers := section("headers")
	for _, h := range limitHeaders {
		schema := object(none, "type", text("integer"), "minimum", &node{kind: kindNumber, text: "0"})
		headers = headers.with(limitHeader+strings.ReplaceAll(h.name, "-", ""), object(none, "description", text(h.value), "schema", schema))
	}
	description := "The rate limit or quota is spent; retry after the time given."
	if len(limits) > 0 {
		description += " Limits: " + strings.Join(limits, "; ") + "."
	}
	problem := object(none, "schema", object(none, "type", text("object"), "properties", object(none,
		"type", object(none, "type", text("string"), "format", text("uri-reference")),
		"title", object(none, "type", text("string")),
		"status", object(none, "type", text("integer")),
		"detail", object(none, "type", text("string")))))
	limited := object(none, "description", text(description), "headers", withLimitHeaders(nil),
		"content", object(none, "application/problem+json", problem))
	return components.with("securitySchemes", schemes).with("headers", headers).
		with("responses", section("responses").with(limitResponse, limited))
}
