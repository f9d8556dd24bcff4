package openapi

import (
	"slices"
	"strings"
)

// exampleSteps bounds what is compared in one document, since schemas that are
// made of others can multiply the work.
const exampleSteps = 1 << 20

// maxExampleDepth bounds how deep a value is compared with its schema.
const maxExampleDepth = 16

// examplesOf checks the examples of a media type or a parameter, and
// examplesIn those that stand in a schema: pages and code samples show them,
// so they should be what the schema says.
func (c *checker) examplesOf(n *node) {
	schema := n.get("schema")
	c.example(n.get("example"), schema)
	for _, m := range n.fields("examples") {
		c.example(c.res.deref(m.value).get("value"), schema)
	}
}

func (c *checker) examplesIn(schema *node) {
	c.example(schema.get("example"), schema)
	for _, m := range schema.list("examples") {
		c.example(m.value, schema)
	}
}

// example reports the first place where a value is not what its schema says.
func (c *checker) example(value, schema *node) {
	if value == nil || schema == nil {
		return
	}
	wrong, why := c.mismatch(value, schema, 0)
	if wrong != nil {
		c.found.warn("example-mismatch", wrong.at, "This example is %s, but its schema says %s.", clipText(wrong.plain(), 60), why)
	}
}

// mismatch compares types and enums, through properties, items and allOf. What
// has alternatives is left alone.
func (c *checker) mismatch(value, schema *node, depth int) (wrong *node, why string) {
	c.compared++
	if c.compared > exampleSteps || depth > maxExampleDepth {
		return nil, ""
	}
	schema = c.res.deref(schema)
	if !schema.isObject() || value.kind == kindNull && (schema.isTrue("nullable") || schema.isTrue("x-nullable")) {
		return nil, ""
	}
	if types := schemaTypesOf(schema); len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isOfType(value, t) }) {
		return value, strings.Join(types, " or ")
	}
	if enum := schema.list("enum"); len(enum) > 0 && len(enum) <= 100 && !hasScalar(enum, value) {
		return value, "one of " + clipText(schema.get("enum").plain(), 120)
	}
	for _, m := range schema.list("allOf") {
		if wrong, why = c.mismatch(value, m.value, depth+1); wrong != nil {
			return wrong, why
		}
	}
	return c.mismatchWithin(value, schema, depth)
}

func (c *checker) mismatchWithin(value, schema *node, depth int) (wrong *node, why string) {
	for _, m := range value.kids {
		of := schema.get("items")
		if value.kind == kindObject {
			of = schema.get("properties").get(m.name)
		}
		if of == nil {
			continue
		}
		if wrong, why = c.mismatch(m.value, of, depth+1); wrong != nil {
			return wrong, why
		}
	}
	return nil, ""
}

// schemaTypesOf lists the types that a schema allows; none: any. What is no
// type of JSON Schema has a finding of its own and allows any.
func schemaTypesOf(schema *node) (types []string) {
	if t := schema.str("type"); t != "" {
		types = []string{t}
	}
	for _, m := range schema.list("type") {
		types = append(types, m.value.plain())
	}
	for _, t := range types {
		if t == "file" || !slices.Contains(schemaTypes, t) {
			return nil
		}
	}
	return types
}

func isOfType(n *node, t string) bool {
	switch n.kind {
	case kindNull:
		return t == "null"
	case kindBool:
		return t == "boolean"
	case kindNumber:
		return t == "number" || t == "integer" && !strings.ContainsAny(strings.TrimSuffix(n.text, ".0"), ".eE")
	case kindString:
		return t == "string"
	case kindArray:
		return t == "array"
	default:
		return t == "object"
	}
}

// hasScalar reports whether an enum has the value. Arrays and objects are not compared.
func hasScalar(enum []member, value *node) bool {
	if len(value.kids) > 0 {
		return true
	}
	return slices.ContainsFunc(enum, func(m member) bool { return m.value.kind == value.kind && m.value.text == value.text })
}
