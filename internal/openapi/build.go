package openapi

import (
	"encoding/json"
	"slices"
	"strings"
)

// tiers are the sizes tried for each schema tree and example of an operation,
// until the operation fits.
var tiers = []int{treeBytes, treeBytes / 2, treeBytes / 4, treeBytes / 10, 1200, 300}

// Rows made for a document before its later operations get smaller trees, so
// that memory stays bounded whatever the document repeats.
const (
	manyRows    = 400_000
	tooManyRows = 800_000
)

// Bounds of one operation's lists.
const (
	maxParameters = 150
	maxResponses  = 60
	maxHeaders    = 60
	maxContents   = 12
)

// builder makes operations from the tree.
type builder struct {
	root     *node
	res      *resolver
	forest   *forest
	examples map[exampleKey]json.RawMessage
	slugs    map[string]bool
}

type exampleKey struct {
	schema *Schema
	to     Direction
}

func buildOperations(root *node, eps []endpoint, res *resolver) []Operation {
	b := &builder{root: root, res: res, forest: newForest(res), examples: map[exampleKey]json.RawMessage{}, slugs: map[string]bool{}}
	ops := make([]Operation, 0, len(eps))
	for _, e := range eps {
		op := b.fitted(e)
		op.Slug = b.slug(op)
		ops = append(ops, op)
	}
	return ops
}

// fitted makes the operation with the largest trees that keep it within bounds.
func (b *builder) fitted(e endpoint) Operation {
	first := 0
	switch {
	case b.forest.rows > tooManyRows:
		first = len(tiers) - 1
	case b.forest.rows > manyRows:
		first = 3
	}
	for _, limit := range tiers[first:] {
		op := b.operation(e, limit)
		if op.size() <= maxOperationBytes {
			return op
		}
	}
	op := b.operation(e, tiers[len(tiers)-1])
	op.Truncated = true
	op.Description = clipText(op.Description, 8<<10)
	for op.size() > maxOperationBytes && len(op.Responses)+len(op.Parameters) > 0 {
		op.Responses = op.Responses[:len(op.Responses)/2]
		if len(op.Responses) == 0 {
			op.Parameters = op.Parameters[:len(op.Parameters)/2]
		}
	}
	if op.size() > maxOperationBytes {
		op.RequestBody = nil
	}
	return op
}

// size is the operation's length as JSON.
func (op *Operation) size() int {
	out, err := json.Marshal(op)
	if err != nil {
		return maxOperationBytes + 1
	}
	return len(out)
}

func (b *builder) operation(e endpoint, limit int) Operation {
	op := Operation{
		OperationID: clipText(e.op.str("operationId"), 300),
		Method:      e.method,
		Path:        e.path,
		Summary:     clipText(firstText(e.op.str("summary"), e.item.str("summary")), 500),
		Description: clipText(firstText(e.op.str("description"), e.item.str("description")), 40<<10),
		Deprecated:  e.op.isTrue("deprecated"),
		Security:    b.security(e.op),
		Weight:      weight(e.op),
		UnitsFrom:   unitsFrom(e.op),
	}
	if tags := e.op.list("tags"); len(tags) > 0 && tags[0].value.kind == kindString {
		op.Tag = clipText(tags[0].value.text, 200)
	}
	op.Parameters = b.parameters(e, min(limit, 4<<10))
	if body := b.res.deref(e.op.get("requestBody")); body.isObject() {
		op.RequestBody = &Body{
			Anchor:      "request-body",
			Description: clipText(body.str("description"), min(limit, 4<<10)),
			Required:    body.isTrue("required"),
			Content:     b.contents(body, limit, InRequest),
		}
	}
	for _, m := range e.op.fields("responses") {
		if r := b.res.deref(m.value); r.isObject() && !strings.HasPrefix(m.name, "x-") && len(op.Responses) < maxResponses {
			op.Responses = append(op.Responses, b.response(m.name, r, limit))
		}
	}
	return op
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (b *builder) response(status string, r *node, limit int) Response {
	status = clipText(status, 20)
	out := Response{
		Status:      status,
		Anchor:      "response-" + slugText(status),
		Description: clipText(r.str("description"), min(limit, 4<<10)),
		Content:     b.contents(r, limit, InResponse),
	}
	for _, m := range r.fields("headers") {
		h := b.res.deref(m.value)
		if !h.isObject() || len(out.Headers) == maxHeaders {
			continue
		}
		header := Header{Name: clipText(m.name, 200), Description: clipText(h.str("description"), 1000), Required: h.isTrue("required")}
		if s := h.get("schema"); s != nil {
			header.Schema = b.forest.tree(s, min(limit, 1000)).root
		}
		out.Headers = append(out.Headers, header)
	}
	return out
}

// contents lists a body's media types; those with one schema and example stand
// together, as generators often repeat them.
func (b *builder) contents(n *node, limit int, to Direction) []Content {
	type group struct{ schema, example *node }
	var out []Content
	var groups []group
	for _, m := range n.fields("content") {
		media := b.res.deref(m.value)
		g := group{media.get("schema"), b.explicitExample(media)}
		if g.schema != nil {
			g.schema = b.forest.target(g.schema)
		}
		name := clipText(m.name, 200)
		if i := slices.Index(groups, g); i >= 0 && mediaKind(out[i].MediaTypes[0]) == mediaKind(name) {
			if len(out[i].MediaTypes) < maxContents {
				out[i].MediaTypes = append(out[i].MediaTypes, name)
			}
			continue
		}
		if len(out) == maxContents {
			break
		}
		groups = append(groups, g)
		c := Content{MediaTypes: []string{name}}
		if s := media.get("schema"); s != nil {
			c.Schema = b.forest.tree(s, limit).root
		}
		c.Example = b.example(g.example, c.Schema, name, limit, to)
		out = append(out, c)
	}
	return out
}

// explicitExample is the author's example of a parameter or media type.
func (b *builder) explicitExample(n *node) *node {
	if e := n.get("example"); e != nil {
		return e
	}
	for _, m := range n.fields("examples") {
		if v := b.res.deref(m.value).get("value"); v != nil {
			return v
		}
	}
	return nil
}

func (b *builder) example(given *node, s *Schema, mediaType string, limit int, to Direction) json.RawMessage {
	if given != nil {
		if given.weight(limit) > limit {
			given = given.shortened(16, 200)
		}
		if out := smallRaw(given, limit); out != nil {
			return out
		}
	}
	if k := mediaKind(mediaType); s == nil || k == mediaOther && (s.Kind != "string" || s.Lists > 0) {
		return nil
	}
	key := exampleKey{s, to}
	if out, ok := b.examples[key]; ok {
		return out
	}
	out := Example(s, to)
	b.examples[key] = out
	return out
}

// shortened returns the value with one element per list and short texts.
func (n *node) shortened(depth, text int) *node {
	out := &node{kind: n.kind, at: n.at, text: n.text}
	if n.kind == kindString {
		out.text = clipText(n.text, text)
	}
	if depth == 0 {
		return out
	}
	for i, m := range n.kids {
		if i == 1 && n.kind == kindArray || i == 60 {
			break
		}
		m.value = m.value.shortened(depth-1, text)
		out.kids = append(out.kids, m)
	}
	return out
}

// security lists the alternatives of an operation, or the document's.
func (b *builder) security(op *node) []string {
	list := op.get("security")
	if list == nil {
		list = b.root.get("security")
	}
	if list == nil || list.kind != kindArray {
		return nil
	}
	var out []string
	for _, m := range list.kids {
		var names []string
		if m.value.isObject() {
			for _, s := range m.value.kids {
				names = append(names, s.name)
			}
		}
		if text := clipText(strings.Join(names, " + "), 300); len(out) < 30 && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}
