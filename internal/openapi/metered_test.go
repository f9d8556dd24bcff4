package openapi

import (
	"fmt"
	"strings"
	"testing"
)

func TestOperationsSayWhatTheyCountAs(t *testing.T) {
	t.Parallel()
	const tooBig = "1000001"
	for _, c := range []struct {
		name, field string
		weight      int
		from, code  string // of the finding; empty: none
	}{
		{"nothing", "summary: S", 0, "", ""},
		{"a weight", "x-tollgate-weight: 25", 25, "", ""},
		{"the largest weight", "x-tollgate-weight: 1000000", 1_000_000, "", ""},
		{"a larger one", "x-tollgate-weight: " + tooBig, 0, "", "invalid-weight"},
		{"no weight at all", "x-tollgate-weight: 0", 0, "", "invalid-weight"},
		{"less than none", "x-tollgate-weight: -1", 0, "", "invalid-weight"},
		{"half a unit", "x-tollgate-weight: 1.5", 0, "", "invalid-weight"},
		{"a text", `x-tollgate-weight: "25"`, 0, "", "invalid-weight"},
		{"a list", "x-tollgate-weight: [1]", 0, "", "invalid-weight"},
		{"a header", "x-tollgate-units: header:X-Units", 0, "header:X-Units", ""},
		{"a path", "x-tollgate-units: json:usage.total_tokens", 0, "json:usage.total_tokens", ""},
		{"a path from the root, with an index", "x-tollgate-units: json:$.items.0.cost", 0, "json:$.items.0.cost", ""},
		{"both", "x-tollgate-weight: 2\n      x-tollgate-units: header:X-Units", 2, "header:X-Units", ""},
		{"a header without a name", `x-tollgate-units: "header:"`, 0, "", "invalid-units"},
		{"a header with a space", "x-tollgate-units: header:X Units", 0, "", "invalid-units"},
		{"a query language", "x-tollgate-units: json:items.#(a>1).cost|@reverse", 0, "", "invalid-units"},
		{"an unknown source", "x-tollgate-units: cookie:units", 0, "", "invalid-units"},
		{"a number", "x-tollgate-units: 3", 0, "", "invalid-units"},
		{"a misspelled field", "x-tollgate-wieght: 3", 0, "", "unknown-extension"},
	} {
		for _, format := range []string{"openapi: 3.1.0", "swagger: '2.0'"} {
			t.Run(c.name+", "+strings.Fields(format)[0], func(t *testing.T) {
				t.Parallel()
				doc, err := Parse(fmt.Appendf(nil, "%s\ninfo: {title: T, version: '1'}\nservers: [{url: /}]\npaths:\n  /a:\n    get:\n      %s\n      operationId: a\n      description: D\n      responses: {200: {description: ok}}\n", format, c.field))
				if err != nil {
					t.Fatal(err)
				}
				if op := doc.Operations[0]; op.Weight != c.weight || op.UnitsFrom != c.from {
					t.Errorf("weight %d, units from %q", op.Weight, op.UnitsFrom)
				}
				got := ""
				for _, f := range doc.Findings {
					if strings.HasSuffix(f.Code, "-weight") || strings.HasSuffix(f.Code, "-units") || f.Code == "unknown-extension" {
						if got = f.Code; f.Severity != Warning || f.Line != 7 || f.Message == "" {
							t.Errorf("finding %+v", f)
						}
					}
				}
				if got != c.code {
					t.Errorf("finding %q, want %q", got, c.code)
				}
			})
		}
	}
}
