// Package elements is the sample API of the demo: a small real service over the
// periodic table.
package elements

import (
	_ "embed" // the API's document
	"encoding/json"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Document is the API's OpenAPI document (Swagger 2.0), generated from the
// comments below.
//
//go:embed docs/swagger.json
var Document []byte

var (
	all      = parseTable()
	bySymbol = index(all)
)

func parseTable() []*Element {
	var out []*Element
	for line := range strings.SplitSeq(table, "\n") {
		f := strings.Fields(line)
		group, _ := strconv.Atoi(f[3]) // the table is ours: a test reads every row
		period, _ := strconv.Atoi(f[4])
		out = append(out, &Element{Number: len(out) + 1, Symbol: f[0], Name: f[1], Weight: decimal.RequireFromString(f[2]), Group: group, Period: period})
	}
	return out
}

func index(list []*Element) map[string]*Element {
	out := map[string]*Element{}
	for _, e := range list {
		out[e.Symbol] = e
	}
	return out
}

// Failure is what the API answers when it cannot do what was asked.
type Failure struct {
	Error string `json:"error" example:"no element at character 3 of \"H2Q\""`
}

// List is a list of elements.
type List struct {
	Total    int        `json:"total" example:"118"`
	Elements []*Element `json:"elements"`
}

// Mass is the molar mass of a formula.
type Mass struct {
	Formula string          `json:"formula" example:"H2O"`
	Mass    decimal.Decimal `json:"mass" swaggertype:"string" example:"18.015"` // grams per mole
	Atoms   []Atoms         `json:"atoms"`
}

// Atoms is how often an element stands in a formula.
type Atoms struct {
	Symbol string          `json:"symbol" example:"H"`
	Count  int             `json:"count" example:"2"`
	Mass   decimal.Decimal `json:"mass" swaggertype:"string" example:"2.016"`
}

// Formula is what a molar mass is asked of.
type Formula struct {
	Formula string `json:"formula" example:"Ca(OH)2" minLength:"1" maxLength:"200"`
}

// Handler serves the API.
//
//	@title			Elements API
//	@version		1.0
//	@description	The periodic table as an API: look up elements and work out molar masses. Weights are the abridged standard atomic weights of IUPAC, given as decimal strings so that no digit is lost.
//	@BasePath		/
//	@tag.name		elements
//	@tag.description	Look up the chemical elements.
//	@tag.name		chemistry
//	@tag.description	Arithmetic with formulas.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /elements", listElements)
	mux.HandleFunc("GET /elements/{symbol}", getElement)
	mux.HandleFunc("POST /molar-mass", postMolarMass)
	mux.HandleFunc("GET /molar-mass/{formula}", getMolarMass)
	return mux
}

// listElements lists elements.
//
//	@Summary		List elements
//	@Description	All 118 elements by atomic number, or those of a period, a group, or whose name contains a text.
//	@ID				listElements
//	@Tags			elements
//	@Produce		json
//	@Param			period	query		int		false	"Period of the table"	minimum(1)	maximum(7)
//	@Param			group	query		int		false	"Group of the table; 0 for lanthanides and actinides"	minimum(0)	maximum(18)
//	@Param			name	query		string	false	"Part of the name"	example(gen)
//	@Success		200		{object}	List
//	@Failure		400		{object}	Failure
//	@Router			/elements [get]
func listElements(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	out := List{Elements: []*Element{}}
	for _, field := range []string{"period", "group"} {
		if _, err := strconv.Atoi(q.Get(field)); q.Get(field) != "" && err != nil {
			answer(w, http.StatusBadRequest, Failure{field + " must be a whole number"})
			return
		}
	}
	for _, e := range all {
		if (q.Get("period") == "" || q.Get("period") == strconv.Itoa(e.Period)) && (q.Get("group") == "" || q.Get("group") == strconv.Itoa(e.Group)) &&
			strings.Contains(strings.ToLower(e.Name), strings.ToLower(q.Get("name"))) {
			out.Elements = append(out.Elements, e)
		}
	}
	out.Total = len(out.Elements)
	answer(w, http.StatusOK, out)
}

// getElement looks one element up.
//
//	@Summary		Get an element
//	@Description	One element by its symbol, such as Fe.
//	@ID				getElement
//	@Tags			elements
//	@Produce		json
//	@Param			symbol	path		string	true	"Symbol"	example(Fe)
//	@Success		200		{object}	Element
//	@Failure		404		{object}	Failure
//	@Router			/elements/{symbol} [get]
func getElement(w http.ResponseWriter, r *http.Request) {
	if e := bySymbol[r.PathValue("symbol")]; e != nil {
		answer(w, http.StatusOK, e)
		return
	}
	answer(w, http.StatusNotFound, Failure{"there is no element " + strconv.Quote(r.PathValue("symbol"))})
}

// postMolarMass works out the molar mass of a formula in the body.
//
//	@Summary		Work out a molar mass
//	@Description	The molar mass of a formula, element by element.
//	@ID				computeMolarMass
//	@Tags			chemistry
//	@Accept			json
//	@Produce		json
//	@Param			formula	body		Formula	true	"The formula"
//	@Success		200		{object}	Mass
//	@Failure		400		{object}	Failure
//	@Router			/molar-mass [post]
func postMolarMass(w http.ResponseWriter, r *http.Request) {
	var in Formula
	if err := json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&in); err != nil {
		answer(w, http.StatusBadRequest, Failure{`the body must be JSON like {"formula": "H2O"}`})
		return
	}
	writeMass(w, in.Formula)
}

// getMolarMass works out the molar mass of a formula in the path.
//
//	@Summary		Get a molar mass
//	@Description	The molar mass of a formula in the address.
//	@ID				getMolarMass
//	@Tags			chemistry
//	@Produce		json
//	@Param			formula	path		string	true	"The formula"	example(H2O)
//	@Success		200		{object}	Mass
//	@Failure		400		{object}	Failure
//	@Router			/molar-mass/{formula} [get]
func getMolarMass(w http.ResponseWriter, r *http.Request) { writeMass(w, r.PathValue("formula")) }

func writeMass(w http.ResponseWriter, formula string) {
	counts, err := parseFormula(formula)
	if err != nil {
		answer(w, http.StatusBadRequest, Failure{err.Error()})
		return
	}
	out := Mass{Formula: formula, Mass: molarMass(counts)}
	for symbol, n := range counts {
		out.Atoms = append(out.Atoms, Atoms{symbol, n, bySymbol[symbol].Weight.Mul(decimal.NewFromInt(int64(n)))})
	}
	sort.Slice(out.Atoms, func(i, j int) bool {
		return bySymbol[out.Atoms[i].Symbol].Number < bySymbol[out.Atoms[j].Symbol].Number
	})
	answer(w, http.StatusOK, out)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
}
