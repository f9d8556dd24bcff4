package openapi

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// hostile documents, each small for what it would become.
func hostile() map[string]string {
	const get = `"paths":{"/a":{"get":{"responses":{"200":{"description":"","content":{"application/json":{"schema":%s}}}}}}}`
	doc := func(schema, schemas string) string {
		return `{"openapi":"3.1.0",` + fmt.Sprintf(get, schema) + `,"components":{"schemas":{` + schemas + `}}}`
	}
	const refA = `{"$ref":"#/components/schemas/S0"}`
	var bomb, dense, chain, allOf strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 30 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
	}
	for i := range 60 {
		fmt.Fprintf(&dense, `"S%d":{"type":"object","properties":{`, i)
		for j := range 60 {
			fmt.Fprintf(&dense, `"p%d":{"$ref":"#/components/schemas/S%d"},`, j, j)
		}
		dense.WriteString(`"z":{}}},`)
	}
	for i := range 100_000 {
		fmt.Fprintf(&chain, `"S%d":{"items":{"$ref":"#/components/schemas/S%d"}},`, i, i+1)
	}
	for i := range 3000 {
		fmt.Fprintf(&allOf, `"S%d":{"allOf":[{"$ref":"#/components/schemas/S%d"},{"$ref":"#/components/schemas/S%d"}]},`, i, i+1, (i+7)%3000)
	}
	return map[string]string{
		"deep JSON arrays":     strings.Repeat("[", 100_000),
		"deep JSON objects":    strings.Repeat(`{"a":`, 100_000),
		"deep YAML flow":       "a: " + strings.Repeat("[", 100_000),
		"deep YAML blocks":     strings.Repeat("- ", 100_000),
		"YAML alias bomb":      bomb.String(),
		"YAML alias loop":      "openapi: 3.0.0\npaths: &a\n  /a: *a\n",
		"YAML merge loop":      "openapi: 3.0.0\npaths: &a\n  <<: *a\n",
		"reference to itself":  doc(refA, `"S0":{"$ref":"#/components/schemas/S0"}`),
		"reference circle":     doc(refA, `"S0":{"$ref":"#/components/schemas/S1"},"S1":{"$ref":"#/components/schemas/S0"}`),
		"allOf of itself":      doc(refA, `"S0":{"allOf":[{"$ref":"#/components/schemas/S0"}]}`),
		"oneOf of itself":      doc(refA, `"S0":{"oneOf":[{"$ref":"#/components/schemas/S0"},{"type":"string"}]}`),
		"array of itself":      doc(refA, `"S0":{"type":"array","items":{"$ref":"#/components/schemas/S0"}}`),
		"map of itself":        doc(refA, `"S0":{"type":"object","additionalProperties":{"$ref":"#/components/schemas/S0"}}`),
		"dense circle":         doc(refA, dense.String()+`"T":{}`),
		"long chain of arrays": doc(refA, chain.String()+`"S100000":{}`),
		"web of allOf":         doc(refA, allOf.String()+`"S3000":{}`),
		"document as a schema": doc(`{"$ref":"#"}`, ``),
	}
}

// TestHostileDocumentsStaySmall bounds memory; the test's own deadline bounds time.
func TestHostileDocumentsStaySmall(t *testing.T) {
	for name, doc := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parsed, _ := Parse([]byte(doc))
			runtime.ReadMemStats(&after)
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 64+uint64(len(doc)>>20)*20 {
				t.Errorf("%d MB allocated for %d KB", mb, len(doc)>>10)
			}
			sound(t, parsed)
		})
	}
}

// TestLargestDocumentsStayBounded fills the allowed size with what costs most.
func TestLargestDocumentsStayBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("large")
	}
	for name, doc := range map[string]string{
		"JSON numbers":   "[" + strings.Repeat("1,", MaxBytes/2-2) + "1]",
		"JSON objects":   "[" + strings.Repeat("{},", MaxBytes/3-2) + "1]",
		"YAML flow":      "a: [" + strings.Repeat("1,", MaxBytes/2-5) + "1]",
		"YAML lines":     strings.Repeat("- 1\n", MaxBytes/4),
		"YAML comments":  strings.Repeat("#\n", MaxBytes/2),
		"YAML one word":  "a: " + strings.Repeat("b", MaxBytes-4),
		"YAML quoted":    `a: "` + strings.Repeat("\\n", MaxBytes/2-4) + `"`,
		"YAML anchors":   strings.Repeat("- &a\n", MaxBytes/5),
		"JSON one bytes": `{"openapi":"3.0.0","x":"` + strings.Repeat("<", MaxBytes-100) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parsed, _ := Parse([]byte(doc))
			runtime.ReadMemStats(&after)
			t.Logf("%d MB allocated for %d MB", (after.TotalAlloc-before.TotalAlloc)>>20, len(doc)>>20)
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 1200 {
				t.Errorf("%d MB allocated", mb)
			}
			sound(t, parsed)
		})
	}
	if doc, err := Parse(make([]byte, MaxBytes+1)); err == nil || doc.Findings[0].Code != "too-large" {
		t.Errorf("one byte too many: %v", err)
	}
}

// sound checks what holds for whatever Parse returns.
func sound(t *testing.T, doc *Document) {
	t.Helper()
	if doc.Publishable() != (len(doc.Operations) > 0 && !hasError(doc)) {
		t.Errorf("publishable %v with %d operations and %+v", doc.Publishable(), len(doc.Operations), doc.Findings)
	}
	if out := doc.JSON(); out != nil && !json.Valid(out) {
		t.Errorf("invalid JSON")
	}
	slugs := map[string]bool{}
	for i := range doc.Operations {
		op := &doc.Operations[i]
		out, err := json.Marshal(op)
		if err != nil || len(out) > maxOperationBytes {
			t.Errorf("%s %s: %d bytes, %v", op.Method, op.Path, len(out), err)
		}
		if op.Slug == "" || slugs[op.Slug] {
			t.Errorf("slug %q is empty or taken", op.Slug)
		}
		slugs[op.Slug] = true
		if i < 50 {
			Samples(op, SampleInput{BaseURL: "https://gw.example", Key: "k"})
			Markdown(op)
		}
	}
	if served, err := doc.Served(ServedInput{BaseURL: "https://gw.example"}); err == nil && !json.Valid(served) {
		t.Error("served document is no JSON")
	}
}

func hasError(doc *Document) bool {
	for _, f := range doc.Findings {
		if f.Severity == Error {
			return true
		}
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, name := range fixtures {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, doc := range hostile() {
		if len(doc) < 10_000 {
			f.Add([]byte(doc))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, _ := Parse(data)
		sound(t, doc)
	})
}

// FuzzScanJSON compares with encoding/json: same documents accepted, same values.
func FuzzScanJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e3,true,null,"\u00e9\ud83d\ude00\n"]}`, `[1,]`, `{"a":1,"a":2}`, `[01]`, "\"\x01\"", `"\ud800"`, `[]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := scanJSON(s, newFindings())
		if err != nil && (strings.Contains(err.Error(), "nested") || !json.Valid([]byte(s))) {
			return
		}
		if (err == nil) != json.Valid([]byte(s)) {
			t.Fatalf("%v", err)
		}
		var want, got any
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			return // a number out of range
		}
		if err := json.Unmarshal(n.raw(), &got); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if string(a) != string(b) {
			t.Fatalf("read %s, want %s", b, a)
		}
	})
}
