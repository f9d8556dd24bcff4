package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var fixtures = []string{"shop-3.1.yaml", "files-3.0.json", "pets-2.0.yaml"}

func fixture(tb testing.TB, name string) *Document {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := Parse(data)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func operation(tb testing.TB, doc *Document, slug string) *Operation {
	tb.Helper()
	for i := range doc.Operations {
		if doc.Operations[i].Slug == slug {
			return &doc.Operations[i]
		}
	}
	tb.Fatalf("no operation %q", slug)
	return nil
}

// accepted asks another implementation whether a document is valid OpenAPI 3.
func accepted(t *testing.T, data []byte) {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
}

func TestFixturesHaveNoErrorsAndStayValidOpenAPI(t *testing.T) {
	t.Parallel()
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := fixture(t, name)
			for _, f := range doc.Findings {
				if f.Code != "missing-operation-id" {
					t.Errorf("%+v", f)
				}
			}
			accepted(t, doc.JSON())
			again, err := Parse(doc.JSON())
			if err != nil {
				t.Fatal(err)
			}
			before, _ := json.Marshal(doc.Operations)
			after, _ := json.Marshal(again.Operations)
			if string(before) != string(after) {
				t.Errorf("operations change when the served JSON is read again:\n%s\n%s", before, after)
			}
			served, err := doc.Served(ServedInput{BaseURL: "https://gw.example/shop", Plans: []ServedPlan{{Name: "Pro", Limits: []ServedLimit{{Text: "5 calls a second", Kind: "rate", Limit: 5, Window: 1}}}}})
			if err != nil {
				t.Fatal(err)
			}
			accepted(t, served)
			for _, want := range []string{`"servers":[{"url":"https://gw.example/shop"}]`, "TollgateBearer", `"X-API-Key"`, "X-RateLimit-Remaining", "X-Quota-Reset", "since 1970-01-01 UTC", "Pro: 5 calls a second", `"x-tollgate-plans":[{"product":"","plan":"Pro","key":"required","limits":[{"kind":"rate","limit":5,"window_seconds":1`, "concurrency-limit-exceeded", "RateLimit-Policy"} {
				if !strings.Contains(string(served), want) {
					t.Errorf("served document lacks %s", want)
				}
			}
		})
	}
}

func TestFormatsAreNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"shop-3.1.yaml": "OpenAPI 3.1.0", "files-3.0.json": "OpenAPI 3.0.3", "pets-2.0.yaml": "Swagger 2.0"} {
		doc := fixture(t, name)
		if doc.Format != want {
			t.Errorf("%s: %q", name, doc.Format)
		}
		if !slices.ContainsFunc(doc.Servers, func(s string) bool { return strings.HasPrefix(s, "https://") && !strings.Contains(s, "{") }) {
			t.Errorf("%s: servers %q", name, doc.Servers)
		}
	}
}

func TestOperationsAreSelfContained(t *testing.T) {
	t.Parallel()
	shop := fixture(t, "shop-3.1.yaml")
	list := operation(t, shop, "list-orders")
	if list.Tag != "orders" || !slices.Equal(list.Security, []string{"token"}) || len(list.Responses) != 2 {
		t.Errorf("%+v", list)
	}
	if p := list.Parameters[0]; p.Name != "limit" || string(p.Schema.Default) != "20" || !slices.Equal(p.Schema.Constraints, []string{"≥ 1", "≤ 100"}) || p.Anchor != "query-limit" {
		t.Errorf("%+v %+v", p, p.Schema)
	}
	if p := list.Parameters[1]; p.Schema.Type != "array of string" || len(p.Schema.Enum) != 3 || string(p.Example) != `["open"]` {
		t.Errorf("%+v %+v", p, p.Schema)
	}
	if create := operation(t, shop, "create-order"); !create.Deprecated || len(create.Security) != 0 || !create.RequestBody.Required {
		t.Errorf("%+v", create)
	}
	pets := fixture(t, "pets-2.0.yaml")
	if add := operation(t, pets, "add-pet"); add.RequestBody == nil || add.RequestBody.Content[0].Schema.Ref != "Pet" || add.Responses[0].Headers[0].Name != "Location" {
		t.Errorf("%+v", add)
	}
	photo := operation(t, pets, "add-photo").RequestBody.Content[0]
	if photo.MediaTypes[0] != "multipart/form-data" || photo.Schema.Children[0].Format != "binary" || !photo.Schema.Children[0].Required {
		t.Errorf("%+v", photo)
	}
}

// rows writes a tree as one line per row.
func rows(s *Schema, indent string) string {
	line := indent + s.Name + ": " + s.Type
	for _, f := range []struct {
		on   bool
		text string
	}{{s.Required, "required"}, {s.Nullable, "nullable"}, {s.Variant, "variant"}, {s.Cut != "", s.Cut}} {
		if f.on {
			line += " " + f.text
		}
	}
	line += "\n"
	for _, c := range s.Children {
		line += rows(c, indent+" ")
	}
	return line
}

func TestSchemaTreeShowsCompositionAndRecursion(t *testing.T) {
	t.Parallel()
	op := operation(t, fixture(t, "shop-3.1.yaml"), "create-order")
	want := `: object
 id: string
 note: string nullable
 lines: array of object required
  sku: string required
  count: integer
 parent: object recursive
 labels: map of string
  {key}: string
 payment: one of nullable
  Card: object variant
   number: string
  Bank transfer: object variant
   iban: string
 code: string or integer
`
	schema := op.RequestBody.Content[0].Schema
	if got := rows(schema, ""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if c := schema.Children[2].Children[1].Constraints; !slices.Equal(c, []string{"> 0"}) {
		t.Errorf("constraints %q", c)
	}
}

func TestFindingsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	const head = "openapi: 3.0.0\ninfo: {title: T, version: '1'}\nservers: [{url: /}]\n"
	const ok = "{operationId: %s, summary: S, responses: {200: {description: D}}}\n"
	get := func(id string) string { return fmt.Sprintf("get: "+ok, id) }
	for _, c := range []struct {
		name, doc string
		severity  Severity
		code      string
		line, col int
		pointer   string
	}{
		{"empty", " \n", Error, "empty", 0, 0, ""},
		{"a web page", "<html>", Error, "not-openapi", 1, 1, ""},
		{"a text", "hello", Error, "not-openapi", 1, 1, ""},
		{"other JSON", `{"a": 1}`, Error, "not-openapi", 1, 1, ""},
		{"another version", "openapi: 4.0.0\n", Error, "unsupported-version", 1, 10, "/openapi"},
		{"a comma too many", "{\n \"é\": 1,\n}", Error, "syntax", 3, 1, ""},
		{"a comma missing", "{\"é\": 1 \"b\": 2}", Error, "syntax", 1, 9, ""},
		{"broken YAML", "openapi: 3.0.0\ninfo: [\npaths: }\n", Error, "syntax", 3, 0, ""},
		{"not UTF-8", "openapi: 3.0.0\n\xff", Error, "not-utf8", 2, 0, ""},
		{"no paths", head, Error, "no-operations", 1, 0, ""},
		{"an empty path item", head + "paths:\n  /a: {}\n", Error, "no-operations", 4, 1, "/paths"},
		{"a path without slash", head + "paths:\n  a:\n    " + get("a"), Error, "invalid-path-template", 5, 3, "/paths/a"},
		{"an open brace", head + "paths:\n  /a/{b/c:\n    " + get("a"), Error, "invalid-path-template", 5, 3, "/paths/~1a~1{b~1c"},
		{"a dot segment", head + "paths:\n  /a/../b:\n    " + get("a"), Error, "invalid-path-template", 5, 3, "/paths/~1a~1..~1b"},
		{"a query in a path", head + "paths:\n  /a?b=c:\n    " + get("a"), Error, "invalid-path-template", 5, 3, "/paths/~1a?b=c"},
		{"paths that match the same", head + "paths:\n  /a/{b}:\n    " + get("a") + "  /a/{c}:\n    " + get("b"), Error, "duplicate-operation", 8, 5, "/paths/~1a~1{c}/get"},
		{"a broken reference", head + "paths:\n  /a:\n    get:\n      responses:\n        200:\n          $ref: '#/components/responses/X'\n", Error, "unresolved-ref", 9, 17, "/paths/~1a/get/responses/200/$ref"},
		{"an external reference", head + "paths:\n  /a:\n    get:\n      responses:\n        200:\n          $ref: 'http://169.254.169.254/x'\n", Error, "external-ref", 9, 17, "/paths/~1a/get/responses/200/$ref"},
		{"a broken reference nobody uses", head + "paths:\n  /a:\n    " + get("a") + "components:\n  schemas:\n    A: {$ref: '#/b'}\n", Warning, "unresolved-ref", 9, 15, "/components/schemas/A/$ref"},
		{"a reference to itself", head + "paths:\n  /a:\n    get: {responses: {200: {$ref: '#/components/responses/A'}}}\ncomponents:\n  responses:\n    A: {$ref: '#/components/responses/A'}\n", Error, "reference-loop", 6, 35, "/paths/~1a/get/responses/200/$ref"},
		{"an operationId twice", head + "paths:\n  /a:\n    " + get("x") + "  /b:\n    " + get("x"), Warning, "duplicate-operation-id", 8, 24, "/paths/~1b/get/operationId"},
		{"a key twice", head + "paths:\n  /a:\n    " + get("x") + "    " + get("y"), Warning, "duplicate-key", 7, 5, "/paths/~1a/get"},
		{"a parameter missing", head + "paths:\n  /a/{b}:\n    " + get("x"), Warning, "missing-path-parameter", 6, 5, "/paths/~1a~1{b}/get"},
		{"paths that differ in a name", head + "paths:\n  /a/{b}:\n    " + get("a") + "  /a/{c}:\n    " + strings.Replace(get("b"), "get", "put", 1), Warning, "ambiguous-path", 7, 3, "/paths/~1a~1{c}"},
		{"an example of another type", head + "paths:\n  /a:\n    get: {parameters: [{name: b, in: query, schema: {type: integer, example: many}}]}\n", Warning, "example-mismatch", 6, 78, "/paths/~1a/get/parameters/0/schema/example"},
		{"an unknown type", head + "paths:\n  /a:\n    get: {parameters: [{name: b, in: query, schema: {type: int}}]}\n", Warning, "unknown-type", 6, 60, "/paths/~1a/get/parameters/0/schema/type"},
		{"Swagger keeps its places", "swagger: '2.0'\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    post:\n      parameters:\n        - in: body\n          name: b\n          schema:\n            $ref: '#/definitions/X'\n", Error, "unresolved-ref", 10, 19, "/paths/~1a/post/parameters/0/schema/$ref"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Parse([]byte(c.doc))
			want := Finding{Severity: c.severity, Code: c.code, Pointer: c.pointer, Line: c.line, Column: c.col}
			found := false
			for _, f := range doc.Findings {
				if f.Message == "" {
					t.Errorf("%s has no message", f.Code)
				}
				f.Message = ""
				found = found || f == want
			}
			if !found {
				t.Errorf("got %+v\nwant %+v", doc.Findings, want)
			}
			var refused *NotPublishableError
			if errors.As(err, &refused) != (c.severity == Error) || doc.Publishable() != (c.severity == Warning) {
				t.Errorf("err %v, publishable %v", err, doc.Publishable())
			}
		})
	}
}

func TestExamplesAreComparedWithTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schema, example string
		want                  string // what the message says the schema says; empty: the example fits
	}{
		{"a number for a string", `{"type": "string"}`, `20.04`, "string"},
		{"a whole number for a number", `{"type": "number"}`, `1`, ""},
		{"a whole number written with a point", `{"type": "integer"}`, `1.0`, ""},
		{"a fraction for an integer", `{"type": "integer"}`, `1.5`, "integer"},
		{"a text for an array", `{"type": "array", "items": {"type": "string"}}`, `"a"`, "array"},
		{"null where null is allowed", `{"type": "string", "nullable": true}`, `null`, ""},
		{"null among types", `{"type": ["string", "null"]}`, `null`, ""},
		{"null where it is not", `{"type": "string"}`, `null`, "string"},
		{"deep in properties", `{"type": "object", "properties": {"a": {"type": "array", "items": {"type": "boolean"}}}}`, `{"a": [true, "no"]}`, "boolean"},
		{"through a reference", `{"$ref": "#/components/schemas/Text"}`, `1`, "string"},
		{"through a reference to itself", `{"$ref": "#/components/schemas/List"}`, `{"next": {"next": {"next": 1}}}`, "object"},
		{"through allOf", `{"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/Text"}]}`, `{}`, "string"},
		{"alternatives are left alone", `{"oneOf": [{"type": "string"}, {"type": "object"}]}`, `1`, ""},
		{"none of an enum", `{"type": "string", "enum": ["a", "b"]}`, `"c"`, "one of"},
		{"one of an enum", `{"type": "string", "enum": ["a", "b"]}`, `"b"`, ""},
		{"no type, any value", `{}`, `1`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Parse(fmt.Appendf(nil, `{"openapi": "3.0.0", "info": {"title": "T", "version": "1"}, "paths": {"/a": {"get": {"responses": {"200": {"description": "D",
				"content": {"application/json": {"schema": %s, "example": %s}}}}}}}, "components": {"schemas": {"Text": {"type": "string"},
				"List": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/List"}}}}}}`, c.schema, c.example))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range doc.Findings {
				if f.Code == "example-mismatch" {
					got = f.Message
				}
			}
			if (got != "") != (c.want != "") || !strings.Contains(got, "its schema says "+c.want) && c.want != "" {
				t.Errorf("%q, want “%s”", got, c.want)
			}
		})
	}
}

func TestFindingsAreCappedAndCounted(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("openapi: 3.0.0\npaths:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  /p%d: {get: {}}\n", i)
	}
	doc, err := Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Findings) > severityCap || doc.Omitted != 3*500+2-len(doc.Findings) {
		t.Errorf("kept %d, omitted %d", len(doc.Findings), doc.Omitted)
	}
}

func TestSlugsAreUniqueAndStable(t *testing.T) {
	t.Parallel()
	doc, err := Parse([]byte(`{"openapi":"3.1.0","paths":{
		"/a":{"get":{"operationId":"getThing"},"post":{}},
		"/b":{"get":{"operationId":"get_thing"}},
		"/B":{"get":{"operationId":"get thing"}},
		"/ü":{"get":{}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, op := range doc.Operations {
		got = append(got, op.Slug)
	}
	if strings.Join(got[:3], " ") != "get-thing post-a get-b" || !strings.HasPrefix(got[3], "get-thing-") || got[4] != "get" {
		t.Errorf("%q", got)
	}
}
