package openapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// syntaxError says where and why a document could not be read.
type syntaxError struct {
	code string
	at   place
	msg  string
}

func (e *syntaxError) Error() string { return e.msg }

// jsonScanner reads RFC 8259 JSON into nodes, with places and bounds that
// encoding/json does not offer.
type jsonScanner struct {
	src       string
	pos       int
	line      int32
	lineStart int
	depth     int
	nodes     int
	slab      []node
	stack     []member // elements of the containers that are still open
	found     *findings
}

func scanJSON(src string, found *findings) (*node, error) {
	s := &jsonScanner{src: src, line: 1, found: found}
	s.space()
	n, err := s.value()
	if err != nil {
		return nil, err
	}
	if s.space(); s.pos < len(src) {
		return nil, s.fail("Something follows the end of the JSON document; remove it.")
	}
	return n, nil
}

// here is the place of the next byte. Its column counts bytes until the
// findings are finished: counting characters here would be quadratic in a
// document written on one line.
func (s *jsonScanner) here() place { return place{s.line, int32(s.pos-s.lineStart) + 1} }

func (s *jsonScanner) fail(format string, args ...any) error {
	return &syntaxError{"syntax", s.here(), fmt.Sprintf(format, args...)}
}

func (s *jsonScanner) unexpected(want string) error {
	if s.pos >= len(s.src) {
		return s.fail("The JSON ends where %s was expected; the file may be cut off.", want)
	}
	r, _ := utf8.DecodeRuneInString(s.src[s.pos:])
	return s.fail("The JSON has %q where %s was expected.", r, want)
}

func (s *jsonScanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case '\n':
			s.line++
			s.lineStart = s.pos + 1
		case ' ', '\t', '\r':
		default:
			return
		}
		s.pos++
	}
}

func (s *jsonScanner) alloc(k kind) (*node, error) {
	if s.nodes++; s.nodes > maxNodes {
		return nil, &syntaxError{"too-complex", s.here(), tooComplex}
	}
	if len(s.slab) == 0 {
		s.slab = make([]node, 512)
	}
	n := &s.slab[0]
	s.slab = s.slab[1:]
	n.kind, n.at = k, s.here()
	return n, nil
}

func (s *jsonScanner) value() (*node, error) {
	if s.pos >= len(s.src) {
		return nil, s.unexpected("a value")
	}
	switch c := s.src[s.pos]; {
	case c == '{':
		return s.container(kindObject, '}')
	case c == '[':
		return s.container(kindArray, ']')
	case c == '"':
		n, err := s.alloc(kindString)
		if err != nil {
			return nil, err
		}
		n.text, err = s.str()
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	default:
		return s.literal()
	}
}

func (s *jsonScanner) container(k kind, end byte) (*node, error) {
	n, err := s.alloc(k)
	if err != nil {
		return nil, err
	}
	if s.depth++; s.depth > maxDepth {
		return nil, &syntaxError{"too-deep", s.here(), tooDeep}
	}
	s.pos++
	base := len(s.stack)
	for s.space(); ; s.space() {
		if s.pos < len(s.src) && s.src[s.pos] == end && len(s.stack) == base {
			break
		}
		if err := s.element(k); err != nil {
			return nil, err
		}
		s.space()
		if s.pos < len(s.src) && s.src[s.pos] == ',' {
			s.pos++
			continue
		}
		if s.pos < len(s.src) && s.src[s.pos] == end {
			break
		}
		return nil, s.unexpected(fmt.Sprintf("a comma or %q", end))
	}
	s.pos++
	s.depth--
	n.kids = append([]member(nil), s.stack[base:]...)
	clear(s.stack[base:])
	s.stack = s.stack[:base]
	if k == kindObject {
		n.kids = dropDuplicates(n.kids, s.found)
		n.buildIndex()
	}
	return n, nil
}

func (s *jsonScanner) element(k kind) error {
	m := member{at: s.here()}
	if k == kindObject {
		if s.pos >= len(s.src) || s.src[s.pos] != '"' {
			return s.unexpected("a property name in double quotes")
		}
		var err error
		if m.name, err = s.str(); err != nil {
			return err
		}
		if s.space(); s.pos >= len(s.src) || s.src[s.pos] != ':' {
			return s.unexpected("a colon")
		}
		s.pos++
		s.space()
	}
	v, err := s.value()
	m.value = v
	s.stack = append(s.stack, m)
	return err
}

// str reads a string. Without escapes it shares the source's memory.
func (s *jsonScanner) str() (string, error) {
	start, escaped := s.pos, false
	for i := s.pos + 1; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			s.pos = i
			return "", s.fail("A string has a line break or control character in it; close the string or escape it.")
		case c == '"':
			s.pos = i + 1
			if !escaped {
				return s.src[start+1 : i], nil
			}
			var out string
			if json.Unmarshal([]byte(s.src[start:i+1]), &out) != nil {
				s.pos = start
				return "", s.fail("This string has an escape that JSON does not know.")
			}
			return out, nil
		}
	}
	return "", s.fail("The string that starts here is never closed.")
}

func (s *jsonScanner) number() (*node, error) {
	n, err := s.alloc(kindNumber)
	if err != nil {
		return nil, err
	}
	end := s.pos
	for end < len(s.src) && strings.IndexByte("+-.0123456789eE", s.src[end]) >= 0 {
		end++
	}
	n.text = s.src[s.pos:end]
	if !json.Valid([]byte(n.text)) {
		return nil, s.fail("%.40q is not a JSON number.", n.text)
	}
	s.pos = end
	return n, nil
}

func (s *jsonScanner) literal() (*node, error) {
	for _, l := range []struct {
		text string
		kind kind
	}{{"true", kindBool}, {"false", kindBool}, {"null", kindNull}} {
		if strings.HasPrefix(s.src[s.pos:], l.text) {
			n, err := s.alloc(l.kind)
			if err != nil {
				return nil, err
			}
			n.text = l.text
			s.pos += len(l.text)
			return n, nil
		}
	}
	return nil, s.unexpected("a value")
}

// dropDuplicates keeps the last of members with one name, in the place of the
// first, as most JSON readers do, and says so.
func dropDuplicates(kids []member, found *findings) []member {
	if len(kids) < 2 {
		return kids
	}
	duplicate := func(m member) {
		found.warn("duplicate-key", m.at, "The name %.60q appears twice in this object; only the last is used.", m.name)
	}
	if len(kids) < indexFrom {
		out := kids[:1]
	next:
		for _, m := range kids[1:] {
			for j := range out {
				if out[j].name == m.name {
					duplicate(m)
					out[j].value = m.value
					continue next
				}
			}
			out = append(out, m)
		}
		return out
	}
	seen := make(map[string]int, len(kids))
	out := kids[:0]
	for _, m := range kids {
		if j, ok := seen[m.name]; ok {
			duplicate(m)
			out[j].value = m.value
			continue
		}
		seen[m.name] = len(out)
		out = append(out, m)
	}
	return out
}
