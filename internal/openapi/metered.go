package openapi

import (
	"regexp"
	"strconv"
	"strings"
)

// The extensions of an operation that say what a call of it counts as.
const (
	weightField = "x-tollgate-weight"
	unitsField  = "x-tollgate-units"
)

// MaxWeight bounds the units that a call may count as by its operation.
const MaxWeight = 1_000_000

// unitsSource is where an answer says its units: a header, or names and indexes
// that lead to a number in its JSON.
var unitsSource = regexp.MustCompile(`^(header:[A-Za-z0-9-]+|json:(\$\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$`)

const maxUnitsSource = 200

// weight is what a call counts as; 0 when the operation does not say so, or not
// in a way that can be read.
func weight(op *node) int {
	n := op.get(weightField)
	if n == nil || n.kind != kindNumber {
		return 0
	}
	w, err := strconv.Atoi(n.text)
	if err != nil || w < 1 || w > MaxWeight {
		return 0
	}
	return w
}

// unitsFrom is where an answer says its units; empty when the operation does not
// say so, or not in a way that can be read.
func unitsFrom(op *node) string {
	if from := op.str(unitsField); len(from) <= maxUnitsSource && unitsSource.MatchString(from) {
		return from
	}
	return ""
}

// metered finds extensions that cannot be read, and those that are misspelled.
func (c *checker) metered(e endpoint, name string) {
	if n := e.op.get(weightField); n != nil && weight(e.op) == 0 {
		c.found.warn("invalid-weight", n.at, "%s of %s is no whole number from 1 to %d; its calls count as 1.", weightField, name, MaxWeight)
	}
	if n := e.op.get(unitsField); n != nil && unitsFrom(e.op) == "" {
		c.found.warn("invalid-units", n.at, `%s of %s is neither "header:" and a header's name nor "json:" and a path like usage.total; its calls count by weight.`, unitsField, name)
	}
	if e.op == nil {
		return
	}
	for _, m := range e.op.kids {
		if strings.HasPrefix(m.name, "x-tollgate-") && m.name != weightField && m.name != unitsField {
			c.found.warn("unknown-extension", m.at, "%.60q of %s means nothing to the gateway; it knows %s and %s.", m.name, name, weightField, unitsField)
		}
	}
}
