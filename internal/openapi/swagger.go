package openapi

import (
	"slices"
	"strings"
)

// swagger turns a Swagger 2.0 tree into an OpenAPI 3.0 tree. Values keep the
// places they were written at, so findings point into the original.
type swagger struct {
	root     *node
	consumes []string
	produces []string
}

var swaggerRefs = strings.NewReplacer(
	"#/definitions/", "#/components/schemas/",
	"#/parameters/", "#/components/parameters/",
	"#/responses/", "#/components/responses/",
)

func convertSwagger(root *node) *node {
	s := &swagger{root: root, consumes: texts(root.list("consumes")), produces: texts(root.list("produces"))}
	kids := []member{{name: "openapi", at: root.at, value: newString(root.at, "3.0.3")}}
	for _, m := range root.kids {
		switch m.name {
		case "swagger", "host", "basePath", "schemes", "consumes", "produces", "definitions", "parameters", "responses", "securityDefinitions":
		case "paths":
			m.value = s.paths(m.value)
			kids = append(kids, m)
		default:
			kids = append(kids, m)
		}
	}
	if servers := s.servers(); servers != nil {
		kids = append(kids, member{name: "servers", at: servers.at, value: servers})
	}
	return newObject(root.at, append(kids, member{name: "components", at: root.at, value: s.components()}))
}

func texts(list []member) []string {
	var out []string
	for _, m := range list {
		if m.value.kind == kindString {
			out = append(out, m.value.text)
		}
	}
	return out
}

func (s *swagger) servers() *node {
	host, base := s.root.str("host"), s.root.str("basePath")
	if host == "" && base == "" {
		return nil
	}
	where := at(s.root.get("host"), s.root.get("basePath"))
	list := &node{kind: kindArray, at: where}
	schemes := texts(s.root.list("schemes"))
	if len(schemes) == 0 {
		schemes = []string{"https"}
	}
	for _, scheme := range schemes {
		url := base
		if host != "" {
			url = scheme + "://" + host + strings.TrimSuffix(base, "/")
		}
		list.kids = append(list.kids, member{at: where, value: object(where, "url", newString(where, url))})
		if host == "" {
			break
		}
	}
	return list
}

// object makes an object of one or more name, value pairs; nil values are left out.
func object(where place, pairs ...any) *node {
	var kids []member
	for i := 0; i+1 < len(pairs); i += 2 {
		if v, _ := pairs[i+1].(*node); v != nil {
			kids = append(kids, member{name: pairs[i].(string), at: where, value: v})
		}
	}
	return newObject(where, kids)
}

// mapFields returns a copy of the object with each member's value replaced.
func mapFields(n *node, f func(*node) *node) *node {
	if n == nil || n.kind != kindObject && n.kind != kindArray {
		return n
	}
	out := &node{kind: n.kind, at: n.at, kids: make([]member, len(n.kids))}
	for i, m := range n.kids {
		m.value = f(m.value)
		out.kids[i] = m
	}
	out.buildIndex()
	return out
}

func (s *swagger) components() *node {
	params := &node{kind: kindObject}
	for _, m := range s.root.fields("parameters") {
		// References to body parameters are written out where they are used.
		if in := m.value.str("in"); in != "body" && in != "formData" {
			m.value = s.parameter(m.value)
			params.kids = append(params.kids, m)
		}
	}
	params.buildIndex()
	responses := mapFields(s.root.get("responses"), func(n *node) *node { return s.response(n, s.produces) })
	return object(s.root.at,
		"schemas", mapFields(s.root.get("definitions"), s.schema),
		"parameters", orNil(params), "responses", responses,
		"securitySchemes", mapFields(s.root.get("securityDefinitions"), securityScheme))
}

func orNil(n *node) *node {
	if len(n.kids) == 0 {
		return nil
	}
	return n
}

func (s *swagger) paths(n *node) *node { return mapFields(n, s.pathItem) }

func (s *swagger) pathItem(n *node) *node {
	if !n.isObject() {
		return n
	}
	shared, body := s.parameters(n.list("parameters"), s.consumes)
	kids := make([]member, 0, len(n.kids))
	for _, m := range n.kids {
		switch {
		case m.name == "parameters":
			m.value = shared
		case httpMethods[m.name] != "" && m.value.isObject():
			m.value = s.operation(m.value, body)
		}
		kids = append(kids, m)
	}
	return newObject(n.at, kids)
}

func (s *swagger) operation(n, sharedBody *node) *node {
	consumes, produces := s.consumes, s.produces
	if own := n.get("consumes"); own != nil {
		consumes = texts(own.kids)
	}
	if own := n.get("produces"); own != nil {
		produces = texts(own.kids)
	}
	params, body := s.parameters(n.list("parameters"), consumes)
	if body == nil {
		body = sharedBody
	}
	var kids []member
	for _, m := range n.kids {
		switch m.name {
		case "consumes", "produces", "schemes":
			continue
		case "parameters":
			m.value = params
		case "responses":
			m.value = mapFields(m.value, func(r *node) *node { return s.response(r, produces) })
		}
		kids = append(kids, m)
	}
	if body != nil {
		kids = append(kids, member{name: "requestBody", at: body.at, value: body})
	}
	return newObject(n.at, kids)
}

// parameters splits Swagger's parameters into those of OpenAPI 3 and a body.
func (s *swagger) parameters(list []member, consumes []string) (params, body *node) {
	params = &node{kind: kindArray}
	var form []*node
	for _, m := range list {
		p := m.value
		if to := ref(p); to != "" {
			if t := newResolver(s.root).lookup(to); t != nil && slices.Contains([]string{"body", "formData"}, t.str("in")) {
				p = t
			}
		}
		switch p.str("in") {
		case "body":
			body = s.body(p, consumes)
		case "formData":
			form = append(form, p)
		default:
			m.value = s.parameter(p)
			params.kids = append(params.kids, m)
		}
	}
	if len(form) > 0 && body == nil {
		body = s.form(form, consumes)
	}
	return params, body
}

func (s *swagger) body(p *node, consumes []string) *node {
	if len(consumes) == 0 {
		consumes = []string{"application/json"}
	}
	media := object(p.at, "schema", s.schema(p.get("schema")), "example", p.get("x-example"))
	return object(p.at, "description", p.get("description"), "required", p.get("required"), "content", mediaTypes(p.at, consumes, media))
}

func mediaTypes(where place, types []string, media *node) *node {
	content := &node{kind: kindObject, at: where}
	for _, t := range types {
		content.kids = append(content.kids, member{name: t, at: where, value: media})
	}
	content.buildIndex()
	return content
}

func (s *swagger) form(fields []*node, consumes []string) *node {
	where := fields[0].at
	var props, required []member
	typ := "application/x-www-form-urlencoded"
	for _, f := range fields {
		if f.str("type") == "file" {
			typ = "multipart/form-data"
		}
		name := f.get("name")
		if name == nil {
			continue
		}
		v := s.inlineSchema(f)
		if d := f.get("description"); d != nil {
			v = v.with("description", d)
		}
		props = append(props, member{name: f.str("name"), at: f.at, value: v})
		if f.isTrue("required") {
			required = append(required, member{at: name.at, value: name})
		}
	}
	types := slices.DeleteFunc(slices.Clone(consumes), func(t string) bool {
		return t != "multipart/form-data" && (t != "application/x-www-form-urlencoded" || typ != t)
	})
	if len(types) == 0 {
		types = []string{typ}
	}
	schema := object(where, "type", newString(where, "object"), "properties", newObject(where, props))
	if len(required) > 0 {
		schema = schema.with("required", &node{kind: kindArray, at: where, kids: required})
	}
	return object(where, "content", mediaTypes(where, types, object(where, "schema", schema)))
}
