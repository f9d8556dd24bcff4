package openapi

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// view is a schema with its references and allOf parts joined. Where several
// of them say the same thing the outermost wins.
type view struct {
	id, items, mapValue     *node
	ref                     string
	types                   []string
	format, description     string
	properties              []member
	known                   map[string]bool
	required                map[string]bool
	variants                []*node
	enum                    []string
	constraints             []string
	def, example            *node
	nullable, deprecated    bool
	readOnly, writeOnly     bool
	clip                    bool
	folded                  []*node
	minimum, minLen, maxLen *node
	maximum                 *node
}

func (s *shaper) view(n *node) *view {
	v := &view{id: n, known: map[string]bool{}, required: map[string]bool{}}
	s.fold(v, n, 0)
	if t := v.id; t == n {
		v.id = s.identity(n)
	}
	// A choice with one real alternative is no choice.
	for len(v.variants) == 1 && len(v.folded) < maxFolds {
		only := v.variants[0]
		v.variants = nil
		if len(v.properties) == 0 {
			v.id = s.identity(only)
		}
		s.fold(v, only, 0)
	}
	return v
}

// identity follows plain references, and an allOf of one, to the schema that
// is meant.
func (s *shaper) identity(n *node) *node {
	for range maxRefChain {
		switch all := n.list("allOf"); {
		case ref(n) != "":
			if t := s.res.deref(n); t != nil {
				n = t
				continue
			}
			return n
		case len(all) == 1 && n.get("properties") == nil:
			n = all[0].value
		default:
			return n
		}
	}
	return n
}

func (s *shaper) fold(v *view, n *node, depth int) {
	if n == nil || slices.Contains(v.folded, n) {
		return
	}
	if len(v.folded) >= maxFolds || depth > maxRefChain {
		v.clip = true
		return
	}
	v.folded = append(v.folded, n)
	if n.kind == kindBool && n.text == "false" {
		v.types = []string{"nothing"}
	}
	if n.kind != kindObject {
		return
	}
	if to := ref(n); to != "" {
		if v.ref == "" && depth == 0 {
			v.ref = refName(to)
		}
		v.foldTexts(n) // 3.1 allows texts beside a reference
		s.fold(v, s.res.lookup(to), depth)
		return
	}
	v.foldTexts(n)
	v.foldType(n)
	v.foldConstraints(n)
	all := n.list("allOf")
	for _, part := range all {
		d := depth + 1
		if len(all) == 1 {
			d = depth
		}
		s.fold(v, part.value, d)
	}
	v.foldMembers(n)
	s.foldVariants(v, n)
}

func (v *view) foldTexts(n *node) {
	if v.description == "" {
		v.description = n.scalar("description")
	}
	if v.description == "" {
		if title := n.scalar("title"); title != v.ref {
			v.description = title
		}
	}
	if v.def == nil {
		v.def = n.get("default")
	}
	if v.example == nil {
		v.example = n.get("example")
	}
	if list := n.list("examples"); v.example == nil && len(list) > 0 {
		v.example = list[0].value
	}
	v.nullable = v.nullable || n.isTrue("nullable")
	v.deprecated = v.deprecated || n.isTrue("deprecated")
	v.readOnly = v.readOnly || n.isTrue("readOnly")
	v.writeOnly = v.writeOnly || n.isTrue("writeOnly")
}

func (v *view) foldType(n *node) {
	types := n.get("type")
	if types != nil && len(v.types) == 0 {
		if types.kind == kindString {
			v.addType(types.text)
		}
		for _, t := range n.list("type") {
			if t.value.kind == kindString {
				v.addType(t.value.text)
			}
		}
	}
	if v.format == "" {
		v.format = clipText(n.str("format"), 60)
	}
	if len(v.enum) == 0 {
		v.enum = enumOf(n)
		if len(v.enum) > 0 && len(v.types) == 0 {
			v.types = typeOfEnum(n)
		}
	}
}

func (v *view) addType(t string) {
	if t == "null" {
		v.nullable = true
	} else if t = clipText(t, 40); !slices.Contains(v.types, t) && len(v.types) < 8 {
		v.types = append(v.types, t)
	}
}

func enumOf(n *node) []string {
	if c := n.get("const"); c != nil {
		return []string{clipText(c.plain(), 200)}
	}
	list := n.list("enum")
	var out []string
	for i, e := range list {
		if i == maxEnum {
			return append(out, "… "+itoa(len(list)-i)+" more")
		}
		if e.value.kind != kindNull && e.value.weight(400) < 400 {
			out = append(out, clipText(e.value.plain(), 200))
		}
	}
	return out
}

func typeOfEnum(n *node) []string {
	e := n.get("const")
	if list := n.list("enum"); e == nil && len(list) > 0 {
		e = list[0].value
	}
	switch {
	case e == nil:
		return nil
	case e.kind == kindString:
		return []string{"string"}
	case e.kind == kindNumber:
		return []string{"number"}
	case e.kind == kindBool:
		return []string{"boolean"}
	}
	return nil
}

func (v *view) foldMembers(n *node) {
	for _, m := range n.list("required") {
		if m.value.kind == kindString {
			v.required[m.value.text] = true
		}
	}
	for _, p := range n.fields("properties") {
		switch {
		case v.known[p.name]:
		case len(v.properties) >= maxProperties:
			v.clip = true
		default:
			v.known[p.name] = true
			v.properties = append(v.properties, p)
		}
	}
	if v.items == nil {
		v.items = n.get("items")
		if list := n.list("prefixItems"); v.items == nil && len(list) > 0 {
			v.items = list[0].value
		}
	}
	if more := n.get("additionalProperties"); v.mapValue == nil && more != nil && (more.kind == kindObject || more.text == "true") {
		v.mapValue = more
	}
	if patterns := n.fields("patternProperties"); v.mapValue == nil && len(patterns) > 0 {
		v.mapValue = patterns[0].value
	}
}

func (s *shaper) foldVariants(v *view, n *node) {
	for _, word := range []string{"oneOf", "anyOf"} {
		for _, m := range n.list(word) {
			switch {
			case isNullSchema(m.value):
				v.nullable = true
			case !saysWhat(m.value):
			case len(v.variants) >= maxVariants:
				v.clip = true
			default:
				v.variants = append(v.variants, m.value)
			}
		}
	}
}

func isNullSchema(n *node) bool {
	if n.str("type") == "null" {
		return true
	}
	list := n.list("enum")
	return len(list) == 1 && list[0].value.kind == kindNull
}

// saysWhat tells an alternative from a mere condition, like "one of these two
// is required".
func saysWhat(n *node) bool {
	for _, word := range []string{"$ref", "type", "properties", "items", "enum", "const", "allOf", "oneOf", "anyOf", "additionalProperties"} {
		if n.get(word) != nil {
			return true
		}
	}
	return false
}

func (v *view) isArray() bool {
	if len(v.types) == 0 {
		return v.items != nil && len(v.properties) == 0
	}
	return v.types[0] == "array"
}

func (v *view) isObjectLike() bool {
	if len(v.types) == 0 {
		return len(v.properties) > 0 || v.mapValue != nil
	}
	return slices.Contains(v.types, "object")
}

// clipText cuts s to at most n bytes at a character.
func clipText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// smallRaw returns a value as JSON, or nil when it is larger than limit.
func smallRaw(n *node, limit int) json.RawMessage {
	if n == nil || n.weight(limit) > limit {
		return nil
	}
	return n.raw()
}
