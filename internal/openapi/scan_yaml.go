package openapi

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlScanner turns a YAML tree into nodes. An alias shares the node of its
// anchor, and what it would weigh written out counts, so that a small file
// cannot stand for a huge one.
type yamlScanner struct {
	found  *findings
	done   map[*yaml.Node]*node
	weight map[*yaml.Node]int
	open   map[*yaml.Node]bool
	total  int
}

func scanYAML(src string, found *findings) (*node, error) {
	if at, ok := tooManyTokens(src); ok {
		return nil, &syntaxError{"too-complex", at, tooComplex}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
		return nil, yamlError(err)
	}
	if len(doc.Content) == 0 {
		return nil, &syntaxError{"empty", place{}, "The document is empty."}
	}
	s := &yamlScanner{found: found, done: map[*yaml.Node]*node{}, weight: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	root, err := s.convert(doc.Content[0], 0)
	if err == nil && root.kind == kindObject {
		// Its own place, apart from that of its first key.
		root.at.col = 0
	}
	return root, err
}

// tooManyTokens bounds what the YAML reader will hold (some 300 bytes a token)
// before it reads: it counts the characters that can separate two values.
func tooManyTokens(src string) (place, bool) {
	line, count := int32(1), 0
	for i := range len(src) {
		switch src[i] {
		case '\n':
			line++
			count++
		case ',', '[', '{', '?':
			count++
		case '-', ':':
			if i+1 < len(src) && src[i+1] == ' ' {
				count++
			}
		}
		if count > maxNodes/2 {
			return place{line: line}, true
		}
	}
	return place{}, false
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
	// yamlParserSays are the problems whose line the YAML reader counts from 0;
	// the others it counts from 1. Line 0 it leaves out in both.
	yamlParserSays = regexp.MustCompile(`did not find expected (<|node content|'-' indicator|key|',' or)|found (undefined tag handle|duplicate %|incompatible)`)
)

func yamlError(err error) error {
	e := &syntaxError{code: "syntax", msg: "The YAML could not be read: " + err.Error() + "."}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1]) // "" is 0
		if line == 0 || yamlParserSays.MatchString(m[2]) {
			line++
		}
		e.at.line = int32(min(line, math.MaxInt32))
		e.msg = "The YAML could not be read: " + m[2] + "."
	}
	return e
}

func yamlPlace(y *yaml.Node) place { return place{int32(y.Line), int32(y.Column)} }

func (s *yamlScanner) convert(y *yaml.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, &syntaxError{"too-deep", yamlPlace(y), tooDeep}
	}
	if y.Kind == yaml.AliasNode {
		return s.alias(y, depth)
	}
	before := s.total
	if s.total += len(y.Value) + 16; s.total > maxWeight {
		return nil, &syntaxError{"too-complex", yamlPlace(y), tooComplex}
	}
	if y.Anchor != "" {
		s.open[y] = true
		defer delete(s.open, y)
	}
	n := &node{at: yamlPlace(y)}
	var err error
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = kindObject
		n.kids, err = s.mapping(y, depth)
		n.kids = dropDuplicates(n.kids, s.found)
		n.buildIndex()
	case yaml.SequenceNode:
		n.kind = kindArray
		for _, c := range y.Content {
			v, err := s.convert(c, depth+1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, member{at: yamlPlace(c), value: v})
		}
	default:
		n.kind, n.text = yamlScalar(y)
	}
	if y.Anchor != "" {
		s.done[y], s.weight[y] = n, s.total-before
	}
	return n, err
}

// alias returns the anchor's node. It is checked for depth again, because it
// hangs deeper here than where it was written.
func (s *yamlScanner) alias(y *yaml.Node, depth int) (*node, error) {
	if s.open[y.Alias] {
		return nil, &syntaxError{"yaml-alias-loop", yamlPlace(y), "The YAML alias *" + y.Value + " contains itself; write the value out."}
	}
	n := s.done[y.Alias]
	if n == nil {
		return s.convert(y.Alias, depth)
	}
	if s.total += s.weight[y.Alias]; s.total > maxWeight {
		return nil, &syntaxError{"too-complex", yamlPlace(y), "YAML aliases make this document too large; write it with fewer of them."}
	}
	if depth+n.height() > maxDepth {
		return nil, &syntaxError{"too-deep", yamlPlace(y), tooDeep}
	}
	return n, nil
}

func (n *node) height() int {
	h := 0
	for _, m := range n.kids {
		h = max(h, 1+m.value.height())
	}
	return h
}

func (s *yamlScanner) mapping(y *yaml.Node, depth int) ([]member, error) {
	kids := make([]member, 0, len(y.Content)/2)
	var merged []member
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		s.total += len(key.Value) + 8
		v, err := s.convert(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if key.Tag == "!!merge" || key.Value == "<<" && key.Style == 0 {
			merged = append(merged, mergeMembers(v, yamlPlace(key))...)
			continue
		}
		if value := y.Content[i+1]; value.Kind&(yaml.MappingNode|yaml.SequenceNode) != 0 && value.Style&yaml.FlowStyle == 0 {
			// A block starts where its first key or dash stands; its own key tells it apart.
			v.at = yamlPlace(key)
		}
		kids = append(kids, member{name: yamlKey(key), at: yamlPlace(key), value: v})
	}
	if len(merged) == 0 {
		return kids, nil
	}
	return addMerged(kids, merged), nil
}

// addMerged appends what a merge key brings and the mapping does not say itself.
func addMerged(kids, merged []member) []member {
	seen := make(map[string]bool, len(kids))
	for _, m := range kids {
		seen[m.name] = true
	}
	for _, m := range merged {
		if !seen[m.name] {
			seen[m.name] = true
			kids = append(kids, m)
		}
	}
	return kids
}

func mergeMembers(v *node, at place) []member {
	var out []member
	switch v.kind {
	case kindObject:
		for _, m := range v.kids {
			out = append(out, member{name: m.name, at: at, value: m.value})
		}
	case kindArray:
		for _, m := range v.kids {
			if m.value.kind == kindObject {
				out = append(out, mergeMembers(m.value, at)...)
			}
		}
	}
	return out
}

func yamlKey(y *yaml.Node) string {
	if y.Kind == yaml.AliasNode && y.Alias != nil {
		y = y.Alias
	}
	return y.Value
}

// yamlScalar gives a scalar's JSON reading. What JSON cannot say stays text.
func yamlScalar(y *yaml.Node) (kind, string) {
	switch y.ShortTag() {
	case "!!null":
		return kindNull, "null"
	case "!!bool":
		return kindBool, strings.ToLower(y.Value)
	case "!!int":
		if json.Valid([]byte(y.Value)) {
			return kindNumber, y.Value
		}
		if v, ok := new(big.Int).SetString(strings.ReplaceAll(y.Value, "_", ""), 0); ok && len(y.Value) < 100 {
			return kindNumber, v.String()
		}
	case "!!float":
		if json.Valid([]byte(y.Value)) {
			return kindNumber, y.Value
		}
		v, err := strconv.ParseFloat(strings.ReplaceAll(y.Value, "_", ""), 64)
		if err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
			return kindNumber, strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return kindString, y.Value
}
