package site

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Problems lists the error codes.
func (p *Pages) Problems(r *request.Request) error {
	var props page.ProblemsProps
	for _, t := range problem.Types {
		props.Problems = append(props.Problems, page.ProblemRow{Code: t.Code, Title: t.Title, Status: strconv.Itoa(t.Status), URL: t.URL("")})
	}
	return r.Page(page.Problems(r.Layout("Error codes"), props))
}

// Problem is the page that an error's type leads to.
func (p *Pages) Problem(r *request.Request) error {
	t := problem.TypeOf(r.Param("code"))
	if t.Code != r.Param("code") {
		return problem.NotFound("error code")
	}
	text, err := json.MarshalIndent(p.example(t), "", "  ")
	if err != nil {
		return err
	}
	return r.Page(page.Problem(r.Layout(t.Title), page.ProblemProps{
		Code: t.Code, Title: t.Title, Status: strconv.Itoa(t.Status) + " " + http.StatusText(t.Status), Meaning: t.Meaning, Cause: t.Cause, Fix: t.Fix,
		Example: component.CodeProps{ID: "problem-example", Title: "Answer", Status: strconv.Itoa(t.Status), Code: component.Highlight("json", string(text))},
	}))
}

// example is an answer with t as it is really sent.
func (p *Pages) example(t problem.Type) any {
	body := problem.New(t.Code, "%s", t.Meaning).Body(p.PublicURL, "0193a5f0-0000-7000-8000-000000000000")
	if t.Code == "invalid" {
		body.Errors = map[string]string{"name": "Give it a name."}
	}
	if !t.OfCalls() {
		return body
	}
	call := problem.CallBody{Body: body, Error: t.Title}
	limit, limited := limits[t.Code]
	if limited {
		call.Policy, call.RetryAfter, call.PlanURL = limit.policy, limit.retryAfter, p.PublicURL+"/pricing/weather"
	}
	return call
}

// limits are examples of the limits that refuse calls.
var limits = map[string]struct {
	policy     string
	retryAfter int64 // seconds
}{
	"rate-limit-exceeded": {"10 calls per second", 1},
	"quota-exceeded":      {"100000 calls per billing period", 86_400},
	"balance-exhausted":   {"100000 prepaid calls", 60},
	"quota-unavailable":   {"100000 calls per billing period", 2},
}

type suggestion struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	URL    string `json:"url"`
}

// Suggest answers the palette with APIs and operations.
func (p *Pages) Suggest(r *request.Request) error {
	out, text := []suggestion{}, r.Query("q")
	if text == "" {
		return r.JSON(http.StatusOK, out)
	}
	entries, err := p.Catalog.List(catalogCtx(r), text)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if len(out) < 3 && strings.Contains(strings.ToLower(e.Name+" "+e.Summary), strings.ToLower(text)) {
			out = append(out, suggestion{Title: e.Name, Detail: e.Summary, URL: apiURL(e.Slug)})
		}
	}
	found, err := p.Catalog.Suggest(catalogCtx(r), text)
	if err != nil {
		return err
	}
	for _, f := range found {
		out = append(out, suggestion{Title: operationTitle(f.Summary, f.Method, f.Path), Detail: f.APIName + " · " + f.Method + " " + f.Path, URL: apiURL(f.APISlug, f.Slug)})
	}
	for _, t := range problem.Types {
		if len(out) < 14 && strings.Contains(t.Code, strings.ToLower(text)) {
			out = append(out, suggestion{Title: t.Title, Detail: "Error code " + t.Code, URL: t.URL("")})
		}
	}
	return r.JSON(http.StatusOK, out)
}

// Components shows every component of the pages, for those who make them.
func (p *Pages) Components(r *request.Request) error {
	return r.Page(page.Components(r.Layout("Components")))
}
