package openapi

import (
	"slices"
	"strings"
)

// checker walks everything that pages are made of and reports what is wrong.
// Each value is walked once. What an operation reaches can be an error; what
// nothing uses is never more than a warning.
type checker struct {
	res   *resolver
	found *findings
	seen  map[*node]bool
	queue []task // references found on the way, so that chains do not nest calls
	grade Severity

	compared int // steps of comparing examples with schemas
}

type task struct {
	n    *node
	walk func(*checker, *node)
}

func (c *checker) run(n *node, walk func(*checker, *node)) {
	c.queue = append(c.queue, task{n, walk})
	for len(c.queue) > 0 {
		t := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		c.visit(t.n, t.walk)
	}
}

// visit checks n's own reference and walks it, or queues what it refers to.
func (c *checker) visit(n *node, walk func(*checker, *node)) {
	if n == nil || c.seen[n] {
		return
	}
	c.seen[n] = true
	if r := n.get("$ref"); r != nil {
		c.reference(n, r, walk)
	}
	walk(c, n)
}

func (c *checker) reference(n, r *node, walk func(*checker, *node)) {
	switch {
	case r.kind != kindString:
		c.found.add(c.grade, "invalid-ref", r.at, "$ref is %s; it must be a string.", r.kind)
	case !strings.HasPrefix(r.text, "#"):
		c.found.add(c.grade, "external-ref", r.at, "The reference %.200q leaves the document; bundle it into one file first.", r.text)
	default:
		target := c.res.lookup(r.text)
		if target == nil {
			c.found.add(c.grade, "unresolved-ref", r.at, "The reference %.200q points at nothing; add it or correct the name.", r.text)
			return
		}
		if c.res.deref(n) == nil && onlyRefs(c.res, target) {
			c.found.add(c.grade, "reference-loop", r.at, "The reference %.200q leads back to itself and never to a value.", r.text)
			return
		}
		c.queue = append(c.queue, task{target, walk})
	}
}

// onlyRefs tells a loop from a chain that ends at a broken reference, which
// has its own finding.
func onlyRefs(res *resolver, n *node) bool {
	for range maxRefChain {
		to := ref(n)
		if to == "" {
			return false
		}
		if n = res.lookup(to); n == nil {
			return false
		}
	}
	return true
}

func (c *checker) each(n *node, name string, walk func(*checker, *node)) {
	for _, m := range n.fields(name) {
		c.visit(m.value, walk)
	}
	for _, m := range n.list(name) {
		c.visit(m.value, walk)
	}
}

// check walks the operations, then whatever no operation reached.
func check(root *node, eps []endpoint, res *resolver, found *findings) {
	c := &checker{res: res, found: found, seen: map[*node]bool{}, grade: Error}
	for _, m := range root.fields("paths") {
		if !strings.HasPrefix(m.name, "x-") {
			c.run(m.value, (*checker).pathItem)
		}
	}
	c.operations(root, eps)
	c.grade = Warning
	for _, m := range root.fields("webhooks") {
		c.run(m.value, (*checker).pathItem)
	}
	parts := root.get("components")
	for name, walk := range map[string]func(*checker, *node){
		"schemas": (*checker).schema, "parameters": (*checker).parameter, "responses": (*checker).response,
		"requestBodies": (*checker).body, "headers": (*checker).parameter, "pathItems": (*checker).pathItem,
	} {
		for _, m := range parts.fields(name) {
			c.run(m.value, walk)
		}
	}
}

func (c *checker) pathItem(n *node) {
	c.each(n, "parameters", (*checker).parameter)
	for _, m := range n.kids {
		if n.kind == kindObject && httpMethods[m.name] != "" {
			c.visit(m.value, (*checker).operation)
		}
	}
}

func (c *checker) operation(n *node) {
	c.each(n, "parameters", (*checker).parameter)
	c.visit(n.get("requestBody"), (*checker).body)
	c.each(n, "responses", (*checker).response)
}

func (c *checker) parameter(n *node) {
	c.visit(n.get("schema"), (*checker).schema)
	c.each(n, "content", (*checker).media)
	c.each(n, "examples", (*checker).leaf)
	c.examplesOf(n)
}

func (c *checker) body(n *node) { c.each(n, "content", (*checker).media) }

func (c *checker) response(n *node) {
	c.each(n, "headers", (*checker).parameter)
	c.each(n, "content", (*checker).media)
}

func (c *checker) media(n *node) {
	c.visit(n.get("schema"), (*checker).schema)
	c.each(n, "examples", (*checker).leaf)
	c.examplesOf(n)
}

func (c *checker) leaf(*node) {}

var (
	schemaMaps  = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	schemaLists = []string{"allOf", "oneOf", "anyOf", "prefixItems"}
	schemaOnes  = []string{"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties", "unevaluatedItems"}
	schemaTypes = []string{"string", "number", "integer", "boolean", "object", "array", "null", "file"}
)

func (c *checker) schema(n *node) {
	if n.kind != kindObject {
		if n.kind != kindBool {
			c.found.warn("invalid-schema", n.at, "A schema is %s here; it must be an object, and is shown as any value.", n.kind)
		}
		return
	}
	for _, name := range slices.Concat(schemaMaps, schemaLists) {
		c.each(n, name, (*checker).schema)
	}
	for _, name := range schemaOnes {
		c.visit(n.get(name), (*checker).schema)
	}
	c.schemaType(n)
	c.examplesIn(n)
}

func (c *checker) schemaType(n *node) {
	t := n.get("type")
	if t == nil {
		return
	}
	types := []member{{value: t}}
	if t.kind == kindArray {
		types = t.kids
	}
	for _, m := range types {
		if m.value.kind != kindString || !slices.Contains(schemaTypes, m.value.text) {
			c.found.warn("unknown-type", m.value.at, "%.60s is no type of JSON Schema; use string, number, integer, boolean, object, array or null.", m.value.raw())
		}
		if m.value.text == "array" && n.get("items") == nil && n.get("prefixItems") == nil && n.get("allOf") == nil {
			c.found.warn("missing-items", t.at, "An array without items; say what its elements are.")
		}
	}
	if req := n.get("required"); req != nil && req.kind != kindArray {
		c.found.warn("invalid-required", req.at, "required is %s; in a schema it must be an array of property names.", req.kind)
	}
}
