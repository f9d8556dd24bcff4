package proxy

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"tollgate/internal/snapshot"
)

// mostKept is how much of an answer is kept to find its units in. A larger one
// counts by its operation's weight.
const mostKept = 1 << 20

// unitsHeader is the header that says an operation's units; empty if none does.
func unitsHeader(op *snapshot.Operation) string {
	name, ok := strings.CutPrefix(op.UnitsFrom, "header:")
	if !ok {
		return ""
	}
	return name
}

// unitsPath is the path in the answer's JSON that says an operation's units,
// such as usage.total_tokens; empty if none does.
func unitsPath(op *snapshot.Operation) string {
	path, ok := strings.CutPrefix(op.UnitsFrom, "json:")
	if !ok {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")
}

// count takes units in that an answer says. What is no whole number in range is
// not believed: the operation's weight counts.
func (o *answer) count(text string) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err == nil && n <= math.MaxUint32 {
		o.units, o.unitsKnown = uint32(n), true
	}
}

// keepForUnits keeps part of an answer in which units may be said.
func (c *call) keepForUnits(part []byte) {
	if c.op.UnitsFrom != "" && unitsPath(c.op) != "" && len(c.out.body)+len(part) <= mostKept+1 {
		c.out.body = append(c.out.body, part...)
	}
}

// readUnits looks for the units in the answer, of which all has been kept.
func (c *call) readUnits() {
	if len(c.out.body) == 0 || len(c.out.body) > mostKept || uint64(len(c.out.body)) != c.out.bytes {
		return
	}
	if shallow(c.out.body) && gjson.ValidBytes(c.out.body) { // half a number is another number
		if v := gjson.GetBytes(c.out.body, unitsPath(c.op)); v.Type == gjson.Number {
			c.out.count(v.Raw)
		}
	}
	c.out.body = nil
}

// deepest is how deep an answer may nest for its units to be looked for: reading
// JSON recurses.
const deepest = 1000

// shallow reports whether text, if it is JSON, nests no deeper.
func shallow(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > deepest {
				return false
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return true
}
