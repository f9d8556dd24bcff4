package openapi

import (
	"slices"
	"strings"
)

var parameterPlaces = []string{"path", "query", "header", "cookie"}

// mergedParameter is a parameter of an operation after its path item's.
type mergedParameter struct {
	n        *node
	at       place
	repeated bool // the same list names it again
}

// mergedParameters joins the parameters of a path item with the operation's,
// which replace those of the same name and place.
func mergedParameters(e endpoint, res *resolver) []mergedParameter {
	type key struct{ in, name string }
	var out []mergedParameter
	index := map[key]int{}
	for level, n := range []*node{e.item, e.op} {
		from := len(out)
		for _, m := range n.list("parameters") {
			p := res.deref(m.value)
			if !p.isObject() {
				continue
			}
			k := key{p.str("in"), p.str("name")}
			i, ok := index[k]
			if ok {
				out[i] = mergedParameter{p, m.at, level == 0 || i >= from}
				continue
			}
			index[k] = len(out)
			out = append(out, mergedParameter{n: p, at: m.at})
		}
	}
	return out
}

// parameters lists path parameters in the path's order, then the others.
func (b *builder) parameters(e endpoint, limit int) []Parameter {
	var out []Parameter
	known := map[string]bool{}
	for _, p := range mergedParameters(e, b.res) {
		in, name := p.n.str("in"), p.n.str("name")
		if name == "" || !slices.Contains(parameterPlaces, in) || in == "path" && !slices.Contains(e.template.params, name) {
			continue
		}
		if len(out) >= maxParameters && in != "path" {
			continue
		}
		known[in+name] = true
		out = append(out, b.parameter(p.n, limit))
	}
	for _, name := range e.template.params {
		if !known["path"+name] {
			s := &Schema{Type: "string", Kind: "string"}
			out = append(out, Parameter{Name: name, In: "path", Required: true, Schema: s, Example: appendString(nil, pathExample(name))})
		}
	}
	slices.SortStableFunc(out, func(a, c Parameter) int {
		return rank(a, e.template.params) - rank(c, e.template.params)
	})
	taken := map[string]bool{}
	for i := range out {
		out[i].Anchor = unique(taken, out[i].In+"-"+slugText(out[i].Name))
	}
	return out
}

func rank(p Parameter, path []string) int {
	if p.In == "path" {
		return slices.Index(path, p.Name)
	}
	return len(path) + slices.Index(parameterPlaces, p.In)
}

func (b *builder) parameter(n *node, limit int) Parameter {
	p := Parameter{
		Name:        clipText(n.str("name"), maxPath),
		In:          n.str("in"),
		Description: clipText(n.str("description"), limit),
		Required:    n.isTrue("required") || n.str("in") == "path",
		Deprecated:  n.isTrue("deprecated"),
		Schema:      &Schema{Type: "any"},
	}
	schema, media := n.get("schema"), ""
	if content := n.fields("content"); schema == nil && len(content) > 0 {
		media = content[0].name
		schema = b.res.deref(content[0].value).get("schema")
	}
	if schema != nil {
		p.Schema = b.forest.tree(schema, limit).root
	}
	p.Style, p.Explode = style(n)
	if p.In == "path" && p.Schema.Kind == "string" && textFor(named(p.Schema, p.Name)) == "string" && p.Schema.Sample == nil {
		// In a path the name reads better than the word string.
		p.Schema = clone(p.Schema)
		p.Schema.Sample = appendString(nil, p.Name)
	}
	p.Example = b.example(b.explicitExample(n), named(p.Schema, p.Name), firstText(media, "application/json"), limit, InRequest)
	return p
}

func pathExample(name string) string {
	if v := textFor(&Schema{Name: name}); v != "string" {
		return v
	}
	return name
}

func clone(s *Schema) *Schema {
	out := *s
	return &out
}

// named gives a schema the name that its example may be guessed from.
func named(s *Schema, name string) *Schema {
	out := clone(s)
	out.Name = strings.TrimPrefix(name, "X-")
	return out
}

// style returns how a list or object is written, "" for the default of its place.
func style(n *node) (string, bool) {
	in, style := n.str("in"), clipText(n.str("style"), 30)
	form := in == "query" || in == "cookie"
	if form && style == "form" || !form && style == "simple" {
		style = ""
	}
	if e := n.get("explode"); e != nil {
		return style, e.text == "true"
	}
	return style, form && style == ""
}
