package proxy

import (
	"strings"
	"testing"

	"tollgate/internal/snapshot"
)

func TestUnitsAreNotLookedForInTheDepths(t *testing.T) {
	t.Parallel()
	const found = `,"n":5}`
	nested := func(levels int) string {
		return `{"x":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + found
	}
	for name, c := range map[string]struct {
		body  string
		known bool
	}{
		"as deep as it may be":      {nested(deepest - 1), true},
		"deeper":                    {nested(deepest), false},
		"all of it":                 {nested(mostKept/2 - 20), false},
		"without an end":            {strings.Repeat("[", mostKept), false},
		"objects":                   {strings.Repeat(`{"n":`, mostKept/6), false},
		"in a text":                 {`{"x":"` + strings.Repeat("[", 2*deepest) + `"` + found, true},
		"in a text with quotes":     {`{"x":"` + strings.Repeat(`\"[`, 2*deepest) + `\\"` + found, true},
		"beside each other":         {`{"x":[` + strings.Repeat("[],", 2*deepest) + "[]]" + found, true},
		"behind a text left open":   {`{"x":"` + strings.Repeat("[", 2*deepest), false},
		"behind a lonely backslash": {`{"x":"\`, false},
	} {
		call := &call{op: &snapshot.Operation{UnitsFrom: "json:$.n"}}
		call.out.bytes = uint64(len(c.body))
		call.keepForUnits([]byte(c.body))
		call.readUnits()
		if call.out.unitsKnown != c.known || (c.known && call.out.units != 5) {
			t.Errorf("%s: %d, known: %t", name, call.out.units, call.out.unitsKnown)
		}
	}
}
