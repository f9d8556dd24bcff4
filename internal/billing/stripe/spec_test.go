package stripe_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	oldMock = "0.185.0" // the API that stripe-go v76 types
	newMock = "0.203.0" // the newest API
	newAPI  = "2026-08-26.dahlia"
)

// spec is Stripe's own description of its API, as carried by stripe-mock.
type spec struct{ doc *openapi3.T }

var (
	oldSpec = sync.OnceValues(func() (*spec, error) { return loadSpec(oldMock) })
	newSpec = sync.OnceValues(func() (*spec, error) { return loadSpec(newMock) })
)

func loadSpec(version string) (*spec, error) {
	cmd := exec.Command("go", "mod", "download", "-json", "github.com/stripe/stripe-mock@v"+version)
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download stripe-mock %s: %w", version, err)
	}
	var mod struct{ Dir string }
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(mod.Dir, "embedded", "openapi", "spec3.json"))
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, err
	}
	return &spec{doc}, nil
}

// answerSchema finds the schema of an answer by method, path and status.
func (s *spec) answerSchema(method, path string, status int) (*openapi3.Schema, error) {
	var best *openapi3.PathItem
	bestLiteral := -1
	for template, item := range s.doc.Paths.Map() {
		if n := matchTemplate(template, path); n > bestLiteral {
			best, bestLiteral = item, n
		}
	}
	if best == nil || best.GetOperation(method) == nil {
		return nil, fmt.Errorf("the specification has no %s %s", method, path)
	}
	responses := best.GetOperation(method).Responses
	res := responses.Status(status)
	if res == nil {
		res = responses.Default()
	}
	return res.Value.Content.Get("application/json").Schema.Value, nil
}

// matchTemplate returns how many segments match literally, or -1.
func matchTemplate(template, path string) int {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return -1
	}
	n := 0
	for i := range a {
		switch {
		case a[i] == b[i]:
			n++
		case !strings.HasPrefix(a[i], "{"):
			return -1
		}
	}
	return n
}

// check validates an answer and refuses members that the schema does not know.
func (s *spec) check(t *testing.T, where string, schema *openapi3.Schema, answer any) {
	t.Helper()
	if err := schema.VisitJSON(answer, openapi3.MultiErrors()); err != nil {
		t.Errorf("%s: %.1500v", where, err)
		return
	}
	for _, name := range unknownMembers(schema, answer, "") {
		t.Errorf("%s: Stripe has no member %s", where, name)
	}
}

func unknownMembers(schema *openapi3.Schema, v any, at string) []string {
	if len(schema.AnyOf) > 0 {
		for _, variant := range schema.AnyOf {
			if variant.Value.VisitJSON(v) == nil && sameObject(variant.Value, v) {
				return unknownMembers(variant.Value, v, at)
			}
		}
		return nil
	}
	var out []string
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if schema.Items != nil {
				out = append(out, unknownMembers(schema.Items.Value, item, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	case map[string]any:
		free := schema.AdditionalProperties.Schema != nil || len(schema.Properties) == 0
		for name, inner := range v {
			p, known := schema.Properties[name]
			switch {
			case known:
				out = append(out, unknownMembers(p.Value, inner, at+"."+name)...)
			case !free:
				out = append(out, at+"."+name)
			}
		}
	}
	return out
}

// sameObject tells Stripe's variants apart by their "object" member.
func sameObject(schema *openapi3.Schema, v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return true
	}
	p, typed := schema.Properties["object"]
	if !typed {
		return true
	}
	for _, name := range p.Value.Enum {
		if name == m["object"] {
			return true
		}
	}
	return false
}
