package openapi

import (
	"encoding/json"
	"strings"
)

// maxExampleValues bounds a generated example.
const maxExampleValues = 400

// Direction says who sends a value: read-only properties are left out of
// requests, write-only ones out of responses.
type Direction bool

// Directions of an example.
const (
	InResponse Direction = false
	InRequest  Direction = true
)

// Example returns a plausible value of the schema as JSON, always the same for
// the same schema: the author's examples, defaults and enums first, then a
// value of the type and format. In a request optional properties without an
// example of their own are left out when others are required.
func Example(s *Schema, to Direction) json.RawMessage {
	e := exampler{to: to, left: maxExampleValues}
	return e.append(nil, s)
}

type exampler struct {
	to   Direction
	left int
}

func (e *exampler) append(b []byte, s *Schema) []byte {
	e.left--
	switch {
	case s == nil:
		return append(b, "null"...)
	case s.Example != nil:
		return append(b, s.Example...)
	case s.Default != nil && string(s.Default) != "null":
		return append(b, s.Default...)
	}
	for range s.Lists {
		b = append(b, '[')
	}
	if s.Lists == 0 || s.Cut == "" || s.Kind != "" && s.Kind != "object" && s.Kind != "variants" {
		b = e.appendElement(b, s)
	}
	for range s.Lists {
		b = append(b, ']')
	}
	return b
}

func (e *exampler) appendElement(b []byte, s *Schema) []byte {
	switch {
	case len(s.Enum) > 0:
		return appendEnum(b, s)
	case s.Sample != nil:
		return append(b, s.Sample...)
	case s.Kind == "object":
		return e.appendObject(b, s)
	case s.Kind == "variants":
		return e.appendVariant(b, s)
	}
	return appendScalar(b, s)
}

func appendEnum(b []byte, s *Schema) []byte {
	first := s.Enum[0]
	if s.Kind != "string" && json.Valid([]byte(first)) {
		return append(b, first...)
	}
	return appendString(b, first)
}

func (e *exampler) appendObject(b []byte, s *Schema) []byte {
	b = append(b, '{')
	b, _ = e.appendFields(b, s.Children, false)
	return append(b, '}')
}

// appendFields adds the properties, and tells whether any was added.
func (e *exampler) appendFields(b []byte, rows []*Schema, any bool) ([]byte, bool) {
	terse := false
	for _, c := range rows {
		terse = terse || c.Required && !c.ReadOnly
	}
	for _, c := range rows {
		if c.Variant || e.left <= 0 || e.skip(c, terse) {
			continue
		}
		if any {
			b = append(b, ',')
		}
		any = true
		name := c.Name
		if c.MapValue {
			name = "key"
		}
		b = append(appendString(b, name), ':')
		b = e.append(b, c)
	}
	return b, any
}

func (e *exampler) skip(c *Schema, terse bool) bool {
	switch {
	case e.to == InRequest && c.ReadOnly || e.to == InResponse && c.WriteOnly:
		return true
	case c.MapValue && terse, c.Deprecated && !c.Required:
		return true
	case c.Cut == CutRecursive && c.Lists == 0 && !c.Required:
		return true
	}
	return e.to == InRequest && terse && !c.Required && c.Example == nil
}

// appendVariant takes the first alternative, joined with the shared properties.
func (e *exampler) appendVariant(b []byte, s *Schema) []byte {
	var first *Schema
	shared := false
	for _, c := range s.Children {
		if c.Variant && first == nil {
			first = c
		}
		shared = shared || !c.Variant
	}
	switch {
	case first == nil && !shared:
		return append(b, "null"...)
	case first != nil && (!shared || first.Kind != "object" || first.Lists > 0 || first.Example != nil):
		return e.append(b, first)
	}
	b = append(b, '{')
	b, any := e.appendFields(b, s.Children, false)
	if first != nil {
		b, _ = e.appendFields(b, first.Children, any)
	}
	return append(b, '}')
}

func appendScalar(b []byte, s *Schema) []byte {
	switch s.Kind {
	case "integer", "number":
		return append(b, numberFor(s)...)
	case "boolean":
		return append(b, "true"...)
	case "string":
		return appendString(b, textFor(s))
	case "", "nothing":
		return append(b, "null"...)
	}
	return append(b, "null"...)
}

func numberFor(s *Schema) string {
	name := strings.ToLower(s.Name)
	switch {
	case strings.HasSuffix(name, "port"):
		return "443"
	case s.Kind == "number":
		return "1.5"
	case s.Format == "unix-time" || strings.HasSuffix(name, "timestamp"):
		return "1767225600"
	case name == "per_page" || name == "limit":
		return "20"
	}
	return "1"
}

var formatExamples = map[string]string{
	"date-time": "2026-01-15T09:30:00Z", "date": "2026-01-15", "time": "09:30:00Z", "duration": "PT15M",
	"uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "email": "ada@example.com", "idn-email": "ada@example.com",
	"uri": "https://example.com/", "url": "https://example.com/", "iri": "https://example.com/",
	"uri-reference": "/path", "uri-template": "https://example.com/{id}", "hostname": "api.example.com",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "byte": "aGVsbG8=", "binary": "hello", "password": "correct horse",
	"json-pointer": "/name", "regex": "^[a-z]+$", "decimal": "12.50",
}

// nameExamples guess from a property's name what its type does not say.
var nameExamples = []struct{ end, value string }{
	{"email", "ada@example.com"}, {"url", "https://example.com/"}, {"uri", "https://example.com/"},
	{"currency", "EUR"}, {"country", "DE"}, {"language", "en"}, {"locale", "en"}, {"timezone", "Europe/Berlin"},
	{"phone", "+49 30 1234567"}, {"city", "Berlin"}, {"username", "ada"}, {"name", "Example"}, {"title", "Example"},
	{"description", "An example."}, {"message", "Hello"}, {"id", "abc123"}, {"date", "2026-01-15"},
	{"_at", "2026-01-15T09:30:00Z"}, {"version", "1.0.0"}, {"host", "api.example.com"}, {"ip", "192.0.2.1"},
	{"sha", "6dcb09b5b57875f334f61aebed695e2e4193db5e"}, {"branch", "main"}, {"path", "docs/readme.md"},
}

func textFor(s *Schema) string {
	if v, ok := formatExamples[s.Format]; ok {
		return v
	}
	name := strings.ToLower(s.Name)
	for _, e := range nameExamples {
		if strings.HasSuffix(name, e.end) {
			return e.value
		}
	}
	return "string"
}
