package openapi

import (
	"slices"
	"strings"
)

// Bounds of one row of a schema table.
const (
	maxProperties  = 300
	maxVariants    = 30
	maxEnum        = 60
	maxRowText     = 1200 // bytes of a row's description
	maxRowValue    = 800  // bytes of a row's default or example
	maxFolds       = 200  // schemas that allOf may join into one
	maxLists       = 4    // arrays of arrays
	maxShapeDepth  = 24   // variants within variants
	maxConstraints = 8
)

// shape is one schema read for display: its row without a name, and what
// stands below it. Shapes do not depend on where they are used, so each is
// made once per document.
type shape struct {
	row   Schema
	size  int // bytes of the row as JSON, without children
	kids  []kid
	id    *node // tells recursion: the schema that the rows below belong to
	clip  bool  // some rows were left out
	ready bool
}

// kid is a row below a shape.
type kid struct {
	name     string
	schema   *node
	required bool
	variant  bool
	mapValue bool
}

// shaper makes shapes, once each.
type shaper struct {
	res   *resolver
	memo  map[*node]*shape
	depth int
}

// anything stands for a schema that allows all values.
var anything = &node{kind: kindObject}

func (s *shaper) shape(n *node) *shape {
	if n == nil {
		n = anything
	}
	if sh, ok := s.memo[n]; ok {
		return sh
	}
	sh := &shape{row: Schema{Type: "any"}, id: n}
	s.memo[n] = sh
	if s.depth >= maxShapeDepth {
		sh.clip, sh.ready = true, true
		return sh
	}
	s.depth++
	s.fill(sh, n)
	s.depth--
	sh.size = sh.row.rowSize()
	sh.ready = true
	return sh
}

func (s *shaper) fill(sh *shape, n *node) {
	v := s.view(n)
	sh.id = v.id
	r := &sh.row
	r.Ref, r.Nullable, r.Deprecated, r.ReadOnly, r.WriteOnly = v.ref, v.nullable, v.deprecated, v.readOnly, v.writeOnly
	r.Description = clipText(v.description, maxRowText)
	r.Format, r.Enum = v.format, v.enum
	r.Constraints = v.constraints
	r.Default, r.Example = smallRaw(v.def, maxRowValue), smallRaw(v.example, maxRowValue)
	switch {
	case v.isArray():
		s.fillArray(sh, v)
	case len(v.variants) > 0:
		s.fillVariants(sh, v)
	case v.isObjectLike():
		s.fillObject(sh, v)
	default:
		r.Type = strings.Join(v.types, " or ")
		if len(v.types) > 0 {
			r.Kind = v.types[0]
		}
		if r.Type == "" {
			r.Type = "any"
		}
		r.Sample = v.sample()
	}
}

func (s *shaper) fillArray(sh *shape, v *view) {
	item := s.shape(v.items)
	r := &sh.row
	r.Kind, r.Format, r.Lists = item.row.Kind, item.row.Format, item.row.Lists+1
	r.Type = "array of " + item.row.Type
	if !item.ready || r.Lists > maxLists {
		r.Type, r.Kind, r.Lists, r.Cut = "array", "", 1, CutRecursive
		return
	}
	if r.Ref == "" {
		r.Ref = item.row.Ref
	}
	if len(r.Enum) == 0 {
		r.Enum = item.row.Enum
	}
	if r.Description == "" && item.row.Kind != "object" {
		r.Description = item.row.Description
	}
	r.Constraints = slices.Concat(r.Constraints, prefixed("each ", item.row.Constraints))
	r.Sample = item.row.Sample
	if r.Sample == nil && item.row.Example != nil && r.Example == nil {
		r.Sample = item.row.Example
	}
	sh.kids, sh.id, sh.clip = item.kids, item.id, item.clip
}

func prefixed(prefix string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = prefix + s
	}
	return out
}

func (s *shaper) fillObject(sh *shape, v *view) {
	r := &sh.row
	r.Kind, r.Type = "object", "object"
	if len(v.types) > 1 {
		r.Type = strings.Join(v.types, " or ")
	}
	for _, p := range v.properties {
		sh.kids = append(sh.kids, kid{name: p.name, schema: p.value, required: v.required[p.name]})
	}
	sh.clip = v.clip
	if v.mapValue == nil {
		return
	}
	value := s.shape(v.mapValue)
	if len(sh.kids) == 0 {
		r.Type = "map of " + value.row.Type
		if !value.ready {
			r.Type = "map"
		}
	}
	sh.kids = append(sh.kids, kid{name: "{key}", schema: v.mapValue, mapValue: true})
}

// fillVariants shows alternatives: simple ones as "string or integer", others
// each as a row of their own, beside the properties they share.
func (s *shaper) fillVariants(sh *shape, v *view) {
	r := &sh.row
	var types []string
	simple := len(v.properties) == 0
	for _, n := range v.variants {
		o := s.shape(n)
		if !o.ready || len(o.kids) > 0 || o.clip || o.row.Description != "" {
			simple = false
		}
		r.Nullable = r.Nullable || o.row.Nullable
		if !slices.Contains(types, o.row.Type) {
			types = append(types, o.row.Type)
		}
	}
	if simple {
		first := s.shape(v.variants[0])
		r.Type, r.Kind, r.Lists = strings.Join(types, " or "), first.row.Kind, first.row.Lists
		r.Sample = first.row.Sample
		for _, n := range v.variants {
			r.Enum = appendNew(r.Enum, s.shape(n).row.Enum)
		}
		return
	}
	r.Kind, r.Type = "variants", "one of"
	for _, p := range v.properties {
		sh.kids = append(sh.kids, kid{name: p.name, schema: p.value, required: v.required[p.name]})
	}
	for i, n := range v.variants {
		sh.kids = append(sh.kids, kid{name: s.label(n, i), schema: n, variant: true})
	}
	sh.clip = v.clip
}

// label names a variant: its title, its component or its number.
func (s *shaper) label(n *node, i int) string {
	if title := n.scalar("title"); title != "" {
		return clipText(title, 120)
	}
	if to := ref(n); to != "" {
		if title := s.res.deref(n).scalar("title"); title != "" {
			return clipText(title, 120)
		}
		return clipText(refName(to), 120)
	}
	return "Option " + itoa(i+1)
}

func appendNew(list, more []string) []string {
	for _, s := range more {
		if len(list) < maxEnum && !slices.Contains(list, s) {
			list = append(list[:len(list):len(list)], s)
		}
	}
	return list
}
