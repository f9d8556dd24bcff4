package openapi

import (
	"slices"
	"strings"
)

// schemaWords are what a Swagger parameter or header says about its type.
var schemaWords = []string{
	"type", "format", "items", "default", "enum", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
	"maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "x-nullable",
}

func (s *swagger) parameter(p *node) *node {
	if !p.isObject() {
		return p
	}
	if to := ref(p); to != "" {
		return object(p.at, "$ref", newString(p.at, swaggerRefs.Replace(to)))
	}
	out := p.without(append([]string{"collectionFormat"}, schemaWords...)...)
	if p.get("type") != nil {
		out = out.with("schema", s.inlineSchema(p))
	}
	if p.str("type") != "array" || p.get("in") == nil {
		return out
	}
	styled := func(style string, explode bool) *node {
		text := "false"
		if explode {
			text = "true"
		}
		return out.with("style", newString(p.at, style)).with("explode", &node{kind: kindBool, at: p.at, text: text})
	}
	switch in := p.str("in"); {
	case p.str("collectionFormat") == "multi":
		return styled("form", true)
	case p.str("collectionFormat") == "ssv" && in == "query":
		return styled("spaceDelimited", false)
	case p.str("collectionFormat") == "pipes" && in == "query":
		return styled("pipeDelimited", false)
	case in == "query":
		return styled("form", false)
	}
	return out
}

func (s *swagger) inlineSchema(p *node) *node {
	var kids []member
	for _, m := range p.kids {
		if slices.Contains(schemaWords, m.name) {
			kids = append(kids, m)
		}
	}
	return s.schema(newObject(p.at, kids).without("collectionFormat"))
}

func (s *swagger) response(r *node, produces []string) *node {
	if !r.isObject() {
		return r
	}
	if to := ref(r); to != "" {
		return object(r.at, "$ref", newString(r.at, swaggerRefs.Replace(to)))
	}
	out := r.without("schema", "examples", "headers")
	if r.get("description") == nil {
		out = out.with("description", newString(r.at, ""))
	}
	if h := r.get("headers"); h != nil {
		out = out.with("headers", mapFields(h, s.header))
	}
	schema, examples := s.schema(r.get("schema")), r.get("examples")
	if schema == nil && examples == nil {
		return out
	}
	types := slices.Clone(produces)
	for _, m := range r.fields("examples") {
		if !slices.Contains(types, m.name) {
			types = append(types, m.name)
		}
	}
	if len(types) == 0 {
		types = []string{"application/json"}
	}
	content := &node{kind: kindObject, at: r.at}
	for _, t := range types {
		content.kids = append(content.kids, member{name: t, at: r.at, value: object(r.at, "schema", schema, "example", examples.get(t))})
	}
	content.buildIndex()
	return out.with("content", content)
}

func (s *swagger) header(h *node) *node {
	if !h.isObject() {
		return h
	}
	return object(h.at, "description", h.get("description"), "schema", s.inlineSchema(h))
}

// schema rewrites references and the few words that 3.0 spells differently.
func (s *swagger) schema(n *node) *node {
	if n == nil || n.kind == kindArray {
		return mapFields(n, s.schema)
	}
	if n.kind != kindObject {
		return n
	}
	kids := make([]member, 0, len(n.kids))
	for _, m := range n.kids {
		kids = append(kids, s.schemaMember(n, m))
	}
	if n.str("type") == "file" {
		kids = append(kids, member{name: "format", at: n.at, value: newString(n.at, "binary")})
	}
	return newObject(n.at, dropDuplicates(kids, newFindings()))
}

func (s *swagger) schemaMember(_ *node, m member) member {
	switch m.name {
	case "$ref":
		if m.value.kind == kindString {
			m.value = newString(m.value.at, swaggerRefs.Replace(m.value.text))
		}
	case "type":
		if m.value.text == "file" {
			m.value = newString(m.value.at, "string")
		}
	case "x-nullable":
		m.name = "nullable"
	case "discriminator":
		if m.value.kind == kindString {
			m.value = object(m.value.at, "propertyName", m.value)
		}
	case "properties":
		m.value = mapFields(m.value, s.schema)
	case "items", "additionalProperties", "allOf", "not":
		m.value = s.schema(m.value)
	}
	return m
}

func securityScheme(n *node) *node {
	switch {
	case !n.isObject():
		return n
	case n.str("type") == "basic":
		return n.with("type", newString(n.at, "http")).with("scheme", newString(n.at, "basic"))
	case n.str("type") != "oauth2":
		return n
	}
	name := map[string]string{"accessCode": "authorizationCode", "application": "clientCredentials"}[n.str("flow")]
	if name == "" {
		name = strings.ToLower(n.str("flow"))
	}
	scopes := n.get("scopes")
	if scopes == nil {
		scopes = &node{kind: kindObject, at: n.at}
	}
	flow := object(n.at, "authorizationUrl", n.get("authorizationUrl"), "tokenUrl", n.get("tokenUrl"), "scopes", scopes)
	return n.without("flow", "authorizationUrl", "tokenUrl", "scopes").with("flows", object(n.at, name, flow))
}
