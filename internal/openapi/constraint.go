package openapi

import (
	"encoding/json"
	"strconv"
	"strings"
)

// foldConstraints puts a schema's limits into words.
func (v *view) foldConstraints(n *node) {
	add := func(parts ...string) {
		if len(v.constraints) < maxConstraints {
			v.constraints = append(v.constraints, clipText(strings.Join(parts, ""), 240))
		}
	}
	first := len(v.constraints) == 0
	if b := bound(n, "minimum", "exclusiveMinimum", "≥ ", "> "); b != "" {
		add(b)
	}
	if b := bound(n, "maximum", "exclusiveMaximum", "≤ ", "< "); b != "" {
		add(b)
	}
	if m := n.scalar("multipleOf"); m != "" {
		add("multiple of ", m)
	}
	for _, c := range []struct{ low, high, one, many string }{
		{"minLength", "maxLength", "character", "characters"},
		{"minItems", "maxItems", "item", "items"},
		{"minProperties", "maxProperties", "property", "properties"},
	} {
		if text := span(n.scalar(c.low), n.scalar(c.high), c.one, c.many); text != "" {
			add(text)
		}
	}
	if n.isTrue("uniqueItems") {
		add("unique items")
	}
	if p := n.str("pattern"); p != "" {
		add("matches ", p)
	}
	if first {
		v.minimum, v.maximum = n.get("minimum"), n.get("maximum")
		v.minLen, v.maxLen = n.get("minLength"), n.get("maxLength")
	}
}

// bound reads an inclusive or exclusive limit. In 3.0 the exclusive word is a
// flag on the inclusive one, in 3.1 a number of its own.
func bound(n *node, inclusive, exclusive, incSign, excSign string) string {
	limit, ex := n.get(inclusive), n.get(exclusive)
	switch {
	case ex != nil && ex.kind == kindNumber:
		return excSign + ex.text
	case limit == nil || limit.kind != kindNumber:
		return ""
	case ex != nil && ex.text == "true":
		return excSign + limit.text
	}
	return incSign + limit.text
}

func span(low, high, one, many string) string {
	word := many
	if low == "0" {
		low = ""
	}
	switch {
	case low == "" && high == "":
		return ""
	case low == high:
		if low == "1" {
			word = one
		}
		return "exactly " + low + " " + word
	case low == "":
		return "at most " + high + " " + word
	case high == "":
		if low == "1" {
			word = one
		}
		return "at least " + low + " " + word
	}
	return low + " to " + high + " " + word
}

// sample returns a value that meets the limits where the usual example of the
// type would not, else nil.
func (v *view) sample() json.RawMessage {
	if len(v.types) == 0 || len(v.enum) > 0 {
		return nil
	}
	switch v.types[0] {
	case "integer", "number":
		if low, ok := number(v.minimum); ok && low > 1 {
			return json.RawMessage(v.minimum.text)
		}
		if high, ok := number(v.maximum); ok && high < 1 {
			return json.RawMessage(v.maximum.text)
		}
	case "string":
		low, _ := number(v.minLen)
		high, ok := number(v.maxLen)
		plain := len("string")
		switch {
		case v.format != "" || low > 200:
		case int(low) > plain:
			return json.RawMessage(strconv.Quote(strings.Repeat("string", int(low)/plain+1)[:int(low)]))
		case ok && high >= 0 && int(high) < plain:
			return json.RawMessage(strconv.Quote("string"[:int(high)]))
		}
	}
	return nil
}

func number(n *node) (float64, bool) {
	if n == nil || n.kind != kindNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(n.text, 64)
	return f, err == nil
}
