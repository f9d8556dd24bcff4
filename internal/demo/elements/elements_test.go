package elements

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheTableIsWhole(t *testing.T) {
	t.Parallel()
	if len(all) != 118 || len(bySymbol) != 118 {
		t.Fatalf("%d elements, %d symbols", len(all), len(bySymbol))
	}
	for _, e := range all {
		if e.Name == "" || !e.Weight.IsPositive() || e.Period < 1 || e.Period > 7 || e.Group < 0 || e.Group > 18 {
			t.Errorf("%+v", e)
		}
	}
}

func TestMolarMasses(t *testing.T) {
	t.Parallel()
	for formula, want := range map[string]string{"H2O": "18.015", "NaCl": "58.44", "Ca(OH)2": "74.092", "C6H12O6": "180.156", "Al2(SO4)3": "342.132", "Co": "58.933", "CO": "28.01"} {
		counts, err := parseFormula(formula)
		if err != nil || molarMass(counts).String() != want {
			t.Errorf("%s: %s, %v; want %s", formula, molarMass(counts), err, want)
		}
	}
	for _, bad := range []string{"", "h2o", "H2Q", "(H2", "H)", "H0", "()", "H99999999", strings.Repeat("(", 20)} {
		if _, err := parseFormula(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestRoutesAndDocumentAgree(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(Document, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, methods := range doc.Paths {
		for method := range methods {
			n++
			req := httptest.NewRequest(strings.ToUpper(method), strings.NewReplacer("{symbol}", "Fe", "{formula}", "H2O").Replace(path), strings.NewReader(`{"formula":"H2O"}`))
			rec := httptest.NewRecorder()
			Handler().ServeHTTP(rec, req)
			if rec.Code != http.StatusOK {
				t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
			}
		}
	}
	if n != 4 {
		t.Errorf("the document has %d operations, the service 4", n)
	}
}

func FuzzParseFormula(f *testing.F) {
	f.Add("Ca(OH)2")
	f.Fuzz(func(_ *testing.T, s string) { _, _ = parseFormula(s) })
}
