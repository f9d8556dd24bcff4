package openapi

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// place is a position in the source, 1-based; the zero place is unknown.
type place struct{ line, col int32 }

// node is a value of the document as written: order and number spelling are
// kept, and each value knows its place. A nil node reads as absent. Nodes are
// never changed once parsed; an edit makes a new node that shares the rest.
type node struct {
	kind  kind
	at    place
	text  string // the string, the number's literal, or true or false
	kids  []member
	index map[string]int32 // for large objects
}

// member is an element of an object or array. Its place is the key's, if any.
type member struct {
	name  string
	at    place
	value *node
}

// indexFrom is the object size from which a map beats a linear search.
const indexFrom = 12

func newObject(at place, kids []member) *node {
	n := &node{kind: kindObject, at: at, kids: kids}
	n.buildIndex()
	return n
}

func newString(at place, s string) *node { return &node{kind: kindString, at: at, text: s} }

func (n *node) buildIndex() {
	if len(n.kids) < indexFrom {
		return
	}
	n.index = make(map[string]int32, len(n.kids))
	for i, m := range n.kids {
		n.index[m.name] = int32(i)
	}
}

func (n *node) find(name string) int {
	if n == nil || n.kind != kindObject {
		return -1
	}
	if n.index != nil {
		if i, ok := n.index[name]; ok {
			return int(i)
		}
		return -1
	}
	for i := range n.kids {
		if n.kids[i].name == name {
			return i
		}
	}
	return -1
}

// get returns the member's value, or nil.
func (n *node) get(name string) *node {
	if i := n.find(name); i >= 0 {
		return n.kids[i].value
	}
	return nil
}

// str returns the text of a string member, or "".
func (n *node) str(name string) string {
	if v := n.get(name); v != nil && v.kind == kindString {
		return v.text
	}
	return ""
}

// scalar returns the text of a string, number or boolean member, or "": titles
// and versions are often written without quotes in YAML.
func (n *node) scalar(name string) string {
	if v := n.get(name); v != nil && (v.kind == kindString || v.kind == kindNumber || v.kind == kindBool) {
		return v.text
	}
	return ""
}

func (n *node) isTrue(name string) bool {
	v := n.get(name)
	return v != nil && v.kind == kindBool && v.text == "true"
}

// list returns the elements of an array member, or nil.
func (n *node) list(name string) []member {
	if v := n.get(name); v != nil && v.kind == kindArray {
		return v.kids
	}
	return nil
}

// fields returns the members of an object member, or nil.
func (n *node) fields(name string) []member {
	if v := n.get(name); v != nil && v.kind == kindObject {
		return v.kids
	}
	return nil
}

func (n *node) isObject() bool { return n != nil && n.kind == kindObject }

// with returns a copy of the object where name has the given value.
func (n *node) with(name string, value *node) *node {
	kids := make([]member, 0, len(n.kids)+1)
	kids = append(kids, n.kids...)
	if i := n.find(name); i >= 0 {
		kids[i].value = value
	} else {
		kids = append(kids, member{name: name, at: n.at, value: value})
	}
	return newObject(n.at, kids)
}

// without returns a copy of the object that lacks the names.
func (n *node) without(names ...string) *node {
	drop := make(map[string]bool, len(names))
	for _, name := range names {
		drop[name] = true
	}
	kids := make([]member, 0, len(n.kids))
	for _, m := range n.kids {
		if !drop[m.name] {
			kids = append(kids, m)
		}
	}
	return newObject(n.at, kids)
}

// appendJSON writes the value as compact JSON.
func (n *node) appendJSON(b []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	switch n.kind {
	case kindNull:
		return append(b, "null"...)
	case kindString:
		return appendString(b, n.text)
	case kindArray:
		b = append(b, '[')
		for i, m := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = m.value.appendJSON(b)
		}
		return append(b, ']')
	case kindObject:
		b = append(b, '{')
		for i, m := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.name), ':')
			b = m.value.appendJSON(b)
		}
		return append(b, '}')
	default:
		return append(b, n.text...)
	}
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string that JavaScript and Python read too.
// It is not escaped for HTML: who puts it into a page does that.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0 // start of what needs no escape
	for i, r := range s {
		if r >= ' ' && r != '"' && r != '\\' && (r < 0x7f || r > 0x7f && r != '\u2028' && r != '\u2029' && r != utf8.RuneError) {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r <= 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		case r == utf8.RuneError:
			b = append(b, "\ufffd"...) // also what is no UTF-8
			if strings.HasPrefix(s[i:], "\ufffd") {
				from = i + len("\ufffd")
			}
		default:
			b = append(append(b, `\u202`...), hexDigits[r&15])
			from = i + utf8.RuneLen(r)
		}
	}
	return append(append(b, s[from:]...), '"')
}

// weight estimates the bytes of the value as JSON, counting no further than
// limit, so that a huge example costs nothing to refuse.
func (n *node) weight(limit int) int {
	if n == nil {
		return 4
	}
	w := len(n.text) + 2
	for _, m := range n.kids {
		if w > limit {
			return w
		}
		w += len(m.name) + 4 + m.value.weight(limit-w)
	}
	return w
}

// raw returns the value as JSON text.
func (n *node) raw() json.RawMessage {
	if n == nil {
		return nil
	}
	return n.appendJSON(nil)
}

// plain returns a value as a person writes it: strings without quotes.
func (n *node) plain() string {
	if n != nil && n.kind == kindString {
		return n.text
	}
	return string(n.appendJSON(nil))
}

// locate returns the JSON pointer of the innermost value at the place.
func (n *node) locate(at place) string {
	var b strings.Builder
	for n != nil && len(n.kids) > 0 {
		i := n.kidAt(at)
		if i < 0 {
			break
		}
		b.WriteByte('/')
		if n.kind == kindArray {
			b.WriteString(itoa(i))
		} else {
			b.WriteString(escapePointer(n.kids[i].name))
		}
		if n.kids[i].at == at {
			break
		}
		n = n.kids[i].value
	}
	return b.String()
}

// kidAt returns the last element that starts at or before the place.
func (n *node) kidAt(at place) int {
	last := -1
	for i, m := range n.kids {
		if m.at.line > at.line || m.at.line == at.line && m.at.col > at.col {
			break
		}
		last = i
	}
	return last
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(s string) string { return pointerEscaper.Replace(s) }
