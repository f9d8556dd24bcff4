package openapi

import (
	"regexp"
	"slices"
	"strings"
)

// operations checks what concerns operations one by one and together.
func (c *checker) operations(root *node, eps []endpoint) {
	ids := map[string]endpoint{}
	schemes := root.get("components").get("securitySchemes")
	c.security(root, schemes)
	for _, e := range eps {
		name := e.method + " " + clipText(e.path, 200)
		switch id := e.op.str("operationId"); {
		case id == "":
			c.found.warn("missing-operation-id", e.at, "%s has no operationId; its page's address will follow from method and path.", name)
		case ids[id].op != nil:
			c.found.warn("duplicate-operation-id", e.op.get("operationId").at, "The operationId %.100q is also that of line %d; make it unique.", id, ids[id].at.line)
		default:
			ids[id] = e
		}
		if e.op.str("summary") == "" && e.op.str("description") == "" {
			c.found.warn("missing-summary", e.at, "%s has neither summary nor description.", name)
		}
		c.parameters(e, name)
		c.responses(e, name)
		c.security(e.op, schemes)
		c.metered(e, name)
		if e.op.get("requestBody") != nil && (e.method == "GET" || e.method == "HEAD") {
			c.found.warn("unexpected-body", e.op.get("requestBody").at, "%s has a request body, which many clients and proxies drop.", name)
		}
	}
}

func (c *checker) parameters(e endpoint, name string) {
	declared := map[string]bool{}
	for _, p := range mergedParameters(e, c.res) {
		in, field := p.n.str("in"), p.n.str("name")
		switch {
		case field == "" || !slices.Contains(parameterPlaces, in):
			c.found.warn("invalid-parameter", p.at, "A parameter of %s lacks a name, or its in is not one of path, query, header, cookie; it is not shown.", name)
			continue
		case p.repeated:
			c.found.warn("duplicate-parameter", p.at, "%s has the %s parameter %.60q twice; only the last is shown.", name, in, field)
		case p.n.get("schema") == nil && p.n.get("content") == nil:
			c.found.warn("missing-schema", p.at, "The %s parameter %.60q of %s has no schema.", in, field, name)
		}
		if in != "path" {
			continue
		}
		declared[field] = true
		switch {
		case !slices.Contains(e.template.params, field):
			c.found.warn("unused-path-parameter", p.at, "The path of %s has no {%.60s}.", name, field)
		case !p.n.isTrue("required"):
			c.found.warn("optional-path-parameter", p.at, "The path parameter %.60q of %s must say required: true.", field, name)
		}
	}
	for _, field := range e.template.params {
		if !declared[field] {
			c.found.warn("missing-path-parameter", e.at, "%s does not describe its path parameter {%.60s}; it is shown as a string.", name, field)
		}
	}
}

var statusCode = regexp.MustCompile(`^([1-5](\d\d|XX)|default)$`)

func (c *checker) responses(e endpoint, name string) {
	responses := e.op.fields("responses")
	if len(responses) == 0 {
		c.found.warn("missing-responses", e.at, "%s describes no responses.", name)
	}
	for _, m := range responses {
		if !statusCode.MatchString(strings.ToUpper(m.name)) && m.name != "default" && !strings.HasPrefix(m.name, "x-") {
			c.found.warn("invalid-status", m.at, "%.40q is no response status; write 200, 2XX or default.", m.name)
		}
	}
}

func (c *checker) security(n, schemes *node) {
	for _, m := range n.list("security") {
		if m.value.kind != kindObject {
			continue
		}
		for _, s := range m.value.kids {
			if schemes.get(s.name) == nil {
				c.found.warn("unknown-security-scheme", s.at, "The security scheme %.60q is not declared under components.", s.name)
			}
		}
	}
}

// checkInfo checks what stands at the head of the document.
func checkInfo(root *node, found *findings) {
	info := root.get("info")
	if !info.isObject() {
		found.warn("missing-info", root.at, "The document has no info object; add a title and a version.")
	} else {
		if info.scalar("title") == "" {
			found.warn("missing-title", info.at, "info has no title.")
		}
		if info.scalar("version") == "" {
			found.warn("missing-version", info.at, "info has no version.")
		}
	}
	if len(root.list("servers")) == 0 {
		found.warn("missing-servers", root.at, "The document names no server; calls go to the upstream that you set.")
	}
}
