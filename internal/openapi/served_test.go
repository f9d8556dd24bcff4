package openapi

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEveryOperationOfARealDocumentTellsItsLimits(t *testing.T) {
	t.Parallel()
	doc, err := Parse(octokit(t))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := doc.Served(ServedInput{BaseURL: "https://gw.example/github", Plans: []ServedPlan{{Product: "GitHub", Name: "Pro", Limits: []ServedLimit{
		{Text: "5 calls a second", Kind: "rate", Limit: 5, Window: 1, Algorithm: "token_bucket", Burst: 20}, {Text: "1,000 calls a month", Kind: "quota", Limit: 1000, Period: "billing_period", Hard: true},
		{Text: "prepaid calls, 50 to begin with", Kind: "quota", Limit: 50, Period: Prepaid, Hard: true}}}}})
	if err != nil {
		t.Fatal(err)
	}
	type response struct {
		Ref     string                     `json:"$ref"`
		Headers map[string]json.RawMessage `json:"headers"`
	}
	var served struct {
		Plans []struct {
			Limits []map[string]any `json:"limits"`
		} `json:"x-tollgate-plans"`
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Headers   map[string]json.RawMessage `json:"headers"`
			Responses map[string]response        `json:"responses"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &served); err != nil {
		t.Fatal(err)
	}
	if l := served.Plans[0].Limits; l[0]["burst"] != 20.0 || l[0]["window_seconds"] != 1.0 || l[1]["beyond"] != "refused" {
		t.Errorf("%v", l)
	}
	if l := served.Plans[0].Limits[2]; l["period"] != "prepaid" || l["first_credit"] != 50.0 || l["limit"] != nil || l["beyond"] != "refused" {
		t.Errorf("%v", l)
	}
	operations, answers := 0, 0
	for path, item := range served.Paths {
		for method, op := range item {
			if httpMethods[method] == "" {
				continue
			}
			operations++
			var o struct {
				RequestBody json.RawMessage     `json:"requestBody"`
				Responses   map[string]response `json:"responses"`
			}
			if err := json.Unmarshal(op, &o); err != nil {
				t.Fatal(err)
			}
			tells := func(r response, header string) bool {
				if r.Ref != "" {
					r = served.Components.Responses[r.Ref[len("#/components/responses/"):]]
				}
				return len(r.Headers[header]) > 0
			}
			if !tells(o.Responses["429"], "Retry-After") || !tells(o.Responses["429"], "X-RateLimit-Reset") {
				t.Errorf("%s %s: its 429 does not say when to try again", method, path)
			}
			if _, told := o.Responses["413"]; told != (o.RequestBody != nil) {
				t.Errorf("%s %s: tells of bodies that are too large: %v", method, path, told)
			}
			for status, r := range o.Responses {
				if status[0] == '2' {
					answers++
					if !tells(r, "RateLimit") || !tells(r, "X-Quota-Remaining") {
						t.Errorf("%s %s: its %s does not tell limits", method, path, status)
					}
				}
			}
		}
	}
	if operations < 1000 || answers < 1000 || len(served.Components.Headers) < len(refusalHeaders) {
		t.Errorf("%d operations, %d answers, %d headers", operations, answers, len(served.Components.Headers))
	}
	if served.Components.Responses[largeResponse].Ref != "" || !strings.Contains(string(raw), `"`+largeResponse+`":{`) {
		t.Error("the 413 that operations refer to is not there")
	}
	t.Logf("%d operations, %d good answers; %d kB, the document alone %d kB", operations, answers, len(raw)/1000, len(doc.JSON())/1000)
}
