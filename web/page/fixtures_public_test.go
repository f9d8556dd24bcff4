package page

import (
	"strconv"

	"github.com/a-h/templ"

	"tollgate/web/component"
	"tollgate/web/layout"
)

func publicFixtures() []fixture {
	return []fixture{
		{name: "landing", path: "/", anon: true, page: with(Landing, landingFixture())},
		{name: "landing-empty", path: "/", anon: true, page: with(Landing, LandingProps{})},
		{name: "catalog", path: "/apis", anon: true, page: with(Catalog, CatalogProps{Total: "5 APIs", Cards: cardFixtures()})},
		{name: "catalog-empty", path: "/apis", anon: true, page: with(Catalog, CatalogProps{})},
		{name: "catalog-nothing", path: "/apis", anon: true, page: with(Catalog, CatalogProps{Query: "submarine", Total: "0 APIs"})},
		{name: "api", path: "/apis/weather", page: with(API, apiFixture())},
		{name: "api-empty", path: "/apis/x", anon: true, page: with(API, APIProps{Name: "Bare"})},
		{name: "operations", path: "/apis/weather/ops", page: with(Operations, OperationsProps{
			APIName: "Weather", APIURL: "/apis/weather", Action: "/apis/weather/ops", Query: "station", Total: "4 operations match",
			Tags:       []component.TabProps{{Label: "All", URL: "/apis/weather/ops", Count: "38", Current: true}, {Label: "Stations", URL: "/apis/weather/ops?tag=stations", Count: "12"}},
			Operations: operationFixtures(), Pager: component.PagerProps{Summary: "1–50 of 1,223", NextURL: "/apis/weather/ops?page=2"},
		})},
		{name: "operations-empty", path: "/apis/weather/ops", page: with(Operations, OperationsProps{APIName: "Weather", APIURL: "/apis/weather", Action: "/apis/weather/ops"})},
		{name: "operation", path: "/apis/weather/get-current", page: with(Operation, operationFixture())},
		{name: "operation-empty", path: "/apis/x/y", anon: true, page: with(Operation, OperationProps{Method: "GET", Path: "/", Summary: "Root", Tag: "default"})},
		{name: "pricing", path: "/pricing/weather", page: with(Pricing, pricingFixture())},
		{name: "pricing-empty", path: "/pricing/weather", anon: true, page: with(Pricing, PricingProps{Product: "Weather"})},
		{name: "problems", path: "/problems", anon: true, page: with(Problems, ProblemsProps{Problems: []ProblemRow{
			{Code: "key_missing", Title: "The call carries no API key", Status: "401", URL: "/problems/key_missing"},
			{Code: "rate_limited", Title: "Too many calls in this window", Status: "429", URL: "/problems/rate_limited"},
			{Code: "quota_exceeded", Title: "The quota of this billing period is used up", Status: "429", URL: "/problems/quota_exceeded"},
		}})},
		{name: "problems-empty", path: "/problems", anon: true, page: with(Problems, ProblemsProps{})},
		{name: "problem", path: "/problems/rate_limited", anon: true, page: with(Problem, ProblemProps{
			Code: "rate_limited", Title: "Too many calls in this window", Status: "429 Too Many Requests",
			Meaning: "Your application made more calls in this window than its plan allows. The call was not forwarded and is not charged.",
			Cause:   "The rate limit counts per application, over all of its keys. A retry loop without a pause is the usual reason.",
			Fix:     "Wait for as many seconds as Retry-After says, then try again. Spread calls out, or choose a plan with a higher limit.",
			Example: component.CodeProps{ID: "example", Title: "application/problem+json", Status: "429", Code: component.Highlight("json", "{\n  \"type\": \"https://portal.example/problems/rate_limited\",\n  \"title\": \"Too many calls in this window\",\n  \"status\": 429,\n  \"retry_after\": 3,\n  \"request_id\": \"req_01JD9X2K7M\"\n}")},
		})},
		{name: "problem-empty", path: "/problems/x", anon: true, page: with(Problem, ProblemProps{Code: "x", Title: "Unknown"})},
		{name: "signup", anon: true, page: with(SignUp, AuthProps{})},
		{name: "signup-refused", anon: true, page: with(SignUp, AuthProps{Email: "ada@nordlicht", EmailError: "That is not an address.", PasswordError: "Use at least 12 characters.", Next: "/apis/weather"})},
		{name: "login", anon: true, page: with(Login, AuthProps{Email: "ada@nordlicht.example", Error: "Email or password is wrong.", People: []SamplePerson{{Who: "Developer", Email: "ada@nordlicht.example", Password: "sample"}, {Who: "Finance", Email: "finance@nordlicht.example", Password: "sample"}}})},
		{name: "error", anon: true, page: with(Error, ErrorProps{Status: "404", Title: "This page does not exist", Message: "The address may be mistyped, or the API may have been retired.", RequestID: "req_01JD9X2K7MZQ4T", Action: link("Browse the APIs", "/apis")})},
		{name: "error-empty", anon: true, page: with(Error, ErrorProps{Status: "500", Title: "Something broke on our side"})},
		{name: "components", path: "/-/components", anon: true, page: func(l layout.Props) templ.Component { return Components(l) }},
	}
}

func landingFixture() LandingProps {
	return LandingProps{
		Heading: "Call our APIs in a minute", Lead: "Take a test key, run this line, pay for what you use. Limits, prices and every call you make are on one page each.",
		Primary: component.LinkButtonProps{Label: "Get a test key", URL: "/signup", Kind: component.Primary, Large: true},
		Curl: component.CodeProps{ID: "curl", Title: "Try it now", Code: component.Highlight("bash",
			"curl \"https://gw.tollgate.example/weather/v2/current?city=Bern\" \\\n  -H \"Authorization: Bearer tg_test_4fK2mQ9sVb7XeR1nLw8ZtYc3aHd6\"")},
		Response: component.CodeProps{ID: "response", Title: "Response", Status: "200 OK", Detail: "38 ms", Code: component.Highlight("json", sampleJSON)},
		Facts: []component.StatProps{
			{Label: "Calls in the last hour", Value: "128,402"}, {Label: "Gateway, 95th percentile", Value: "1.8 ms"},
			{Label: "Answered without error, 30 days", Value: "99.98 %"}, {Label: "Operations", Value: "1,306"},
		},
		APIs: cardFixtures()[:3],
	}
}

func cardFixtures() []CatalogCard {
	return []CatalogCard{
		{Name: "Weather", URL: "/apis/weather", Summary: "Current weather, forecasts for ten days and sixty years of history, from 11,000 stations.", PriceFrom: "Free, then $0.40 per 1,000", Version: "v2.3", Operations: "38 operations", Status: badge("Stable", component.OK)},
		{Name: "Routes", URL: "/apis/routes", Summary: "Fastest, shortest and quietest ways between points, by car, bicycle and on foot.", PriceFrom: "From $29 a month", Version: "v1.9", Operations: "14 operations", Status: badge("Stable", component.OK)},
		{Name: "Addresses", URL: "/apis/addresses", Summary: "Completes, checks and places postal addresses in 41 countries.", PriceFrom: "$1.20 per 1,000", Version: "v3.0", Operations: "9 operations", Status: badge("New", component.Accent)},
		{Name: "Tiles", URL: "/apis/tiles", Summary: "Vector and raster map tiles.", PriceFrom: "$0.05 per 1,000", Version: "v1.2", Operations: "6 operations", Status: badge("Deprecated", component.Warn)},
		{Name: "Code hosting", URL: "/apis/code", Summary: "Repositories, issues, pull requests, actions and packages.", PriceFrom: "On request", Version: "v4", Operations: "1,223 operations", Status: badge("Stable", component.OK)},
	}
}

func operationFixtures() []OperationLink {
	return []OperationLink{
		{Method: "GET", Path: "/current", Summary: "Get the current weather", URL: "/apis/weather/get-current", Current: true},
		{Method: "GET", Path: "/stations/{station_id}/observations", Summary: "List a station’s observations", URL: "/apis/weather/list-observations"},
		{Method: "POST", Path: "/alerts", Summary: "Create an alert", URL: "/apis/weather/create-alert"},
		{Method: "PUT", Path: "/alerts/{alert_id}", Summary: "Replace an alert", URL: "/apis/weather/replace-alert"},
		{Method: "PATCH", Path: "/alerts/{alert_id}", Summary: "Change an alert", URL: "/apis/weather/change-alert"},
		{Method: "DELETE", Path: "/alerts/{alert_id}", Summary: "Delete an alert", URL: "/apis/weather/delete-alert", Deprecated: true},
	}
}

func planFixtures() []PlanRow {
	return []PlanRow{
		{Name: "Free", URL: "/pricing/weather", Price: "$0", Rate: "2 a second", Quota: "10,000 a month", Overage: "Refused", Action: link("Subscribe", "/console/subscribe/free")},
		{Name: "Pro", URL: "/pricing/weather", Price: "$29 a month, then $0.40 per 1,000", Rate: "50 a second", Quota: "100,000 a month", Overage: "Charged", Mine: true},
		{Name: "Enterprise", URL: "/pricing/weather", Price: "On request", Rate: "By agreement", Quota: "By agreement", Overage: "Charged", Action: link("Ask for it", "/console/requests/new?plan=enterprise")},
	}
}

func apiFixture() APIProps {
	return APIProps{
		Name: "Weather", Version: "v2.3", Status: badge("Stable", component.OK), Summary: "Current weather, forecasts for ten days and sixty years of history, from 11,000 stations.",
		Description: component.Markdown("Observations arrive every ten minutes. Forecasts combine **three models**; see `model` in each answer.\n\n- Times are RFC 3339 in UTC\n- Units are metric unless `units=imperial`"),
		BaseURL:     "https://gw.tollgate.example/weather/v2", AuthText: "Send your key as a bearer token. Test keys answer from the test upstream and are never billed.",
		Auth:  component.CodeProps{ID: "auth", Title: "First call", Code: component.Highlight("bash", "curl \"https://gw.tollgate.example/weather/v2/current?city=Bern\" \\\n  -H \"Authorization: Bearer $WEATHER_KEY\"")},
		Plans: planFixtures(), Operations: "38 operations", OpsURL: "/apis/weather/ops", DownloadURL: "/apis/weather/openapi.json", Subscribe: primary("Subscribe", "/pricing/weather"),
		Tags: []TagGroup{
			{ID: "observations", Name: "Observations", Description: "What is being measured now.", Count: "12 operations", URL: "/apis/weather/ops?tag=observations", Operations: operationFixtures()[:2]},
			{ID: "alerts", Name: "Alerts", Count: "4 operations", URL: "/apis/weather/ops?tag=alerts", Operations: operationFixtures()[2:]},
		},
	}
}

func operationFixture() OperationProps {
	schema := []component.SchemaNode{
		{ID: "r-city", Name: "city", Type: "string", Required: true, Description: component.Markdown("The city as it was found.")},
		{ID: "r-temperature", Name: "temperature", Type: "object", Required: true, Children: []component.SchemaNode{
			{Name: "celsius", Type: "number", Required: true, Limits: "-90 to 60"}, {Name: "feels_like", Type: "number", Description: component.Markdown("With wind and humidity taken into account.")},
		}},
		{ID: "r-history", Name: "history", Type: "array of object", Closed: true, Children: []component.SchemaNode{{Name: "at", Type: "string (date-time)"}, {Name: "celsius", Type: "number"}}},
	}
	siblings := operationFixtures()
	for i := range 30 {
		siblings = append(siblings, OperationLink{Method: "GET", Path: "/x", Summary: "List observations of kind " + strconv.Itoa(i+1), URL: "/apis/weather/k" + strconv.Itoa(i)})
	}
	return OperationProps{
		APIName: "Weather", APIURL: "/apis/weather", Tag: "Observations", TagURL: "/apis/weather/ops?tag=observations", SearchURL: "/apis/weather/ops",
		Siblings: siblings, MoreURL: "/apis/weather/ops?tag=observations", More: "All 84 operations of Observations",
		Method: "GET", Path: "/weather/v2/current", Summary: "Get the current weather", Deprecated: "",
		Description: component.Markdown("Answers with the newest observation of the station nearest to a place.\n\n### Freshness\n\nStations report every ten minutes; `observed_at` says when this one did. See [the list of stations](/apis/weather/ops?q=station)."),
		Parameters: []ParameterGroup{
			{ID: "query", Title: "Query parameters", Parameters: []component.SchemaNode{
				{ID: "p-city", Name: "city", Type: "string", Required: true, Description: component.Markdown("A city, in any of its languages."), Limits: "1 to 80 characters"},
				{ID: "p-units", Name: "units", Type: "string", Default: "metric", Values: []string{"metric", "imperial"}},
				{ID: "p-station", Name: "station", Type: "string", Deprecated: true, Description: component.Markdown("Use `/stations/{id}` instead.")},
			}},
		},
		Body: &BodyProps{ID: "body", MediaType: "application/json", Schema: []component.SchemaNode{{Name: "city", Type: "string", Required: true}}, Example: &component.CodeProps{ID: "body-example", Title: "Example body", Code: component.Highlight("json", sampleJSON)}},
		Responses: []ResponseProps{
			{ID: "response-200", Status: "200", Tone: component.OK, Open: true, Description: component.Markdown("The newest observation."), Body: &BodyProps{ID: "response-200-body", MediaType: "application/json", Schema: schema, Example: &component.CodeProps{ID: "response-200-example", Title: "Example answer", Code: component.Highlight("json", sampleJSON)}}},
			{ID: "response-404", Status: "404", Tone: component.Warn, Description: component.Markdown("No such city.")},
			{ID: "response-429", Status: "429", Tone: component.Bad, Description: component.Markdown("Too many calls in this window."), Headers: []component.SchemaNode{{Name: "Retry-After", Type: "integer", Description: component.Markdown("Seconds to wait.")}}},
		},
		AuthText: "Send your key as a bearer token.", AuthHeader: "Authorization: Bearer tg_test_…", Weight: "One call counts as one unit.", Limits: planFixtures(),
		Samples: sampleTabs("samples"), Response: &component.CodeProps{ID: "example-response", Title: "Response", Status: "200 OK", Code: component.Highlight("json", sampleJSON)},
		MarkdownURL: "/apis/weather/get-current.md", ErrorsURL: "/problems",
	}
}

func pricingFixture() PricingProps {
	lines := []BillLine{{Label: "Monthly fee", Arithmetic: "in advance", Amount: "$29.00"}, {Label: "Calls 1 to 100,000", Arithmetic: "100,000 × $0", Amount: "$0.00"}, {Label: "Calls 100,001 to 250,000", Arithmetic: "150,000 × $0.0004", Amount: "$60.00"}}
	return PricingProps{
		Product: "Weather", Slug: "weather", Description: "One price for all weather operations. Test calls and refused calls are free.", Included: []component.LinkProps{{Label: "Weather v2", URL: "/apis/weather"}, {Label: "Stations v1", URL: "/apis/stations"}},
		Plans: []PlanCard{
			{Name: "Free", Price: "$0", Per: "for ever", Note: "No card needed", Points: []string{"10,000 calls a month", "2 calls a second", "Further calls are refused"}, Action: link("Start free", "/console/subscribe/free")},
			{Name: "Pro", Badge: badge("Your plan", component.Accent), Price: "$29", Per: "a month, in advance", Note: "then by usage", Points: []string{"100,000 calls included", "50 calls a second", "Beyond that, charged by tier"}, Popular: true, Action: primary("Subscribe", "/console/subscribe/pro"),
				Tiers: []TierRow{{Range: "to 100,000", Price: "included"}, {Range: "100,001 to 1,000,000", Price: "$0.40 per 1,000"}, {Range: "above", Price: "$0.25 per 1,000", Flat: "and $50 once"}}},
			{Name: "Enterprise", Price: "By agreement", Per: "", Note: "Volume prices and an SLA", Points: []string{"Limits by agreement", "Invoice and bank transfer"}, Action: link("Ask for it", "/console/requests/new?plan=enterprise")},
		},
		Calculator: &CalculatorProps{Calls: "250000", MaxCalls: "10000000", BreakEven: "Pro is the only plan that serves 250,000 calls a month.", FromUsage: "Starts from your usage of October.", Bills: []PlanBill{
			{Plan: "Pro", Total: "$89.00", Cheapest: true, Lines: lines}, {Plan: "Free", Total: "not possible", Refused: "Free stops at 10,000 calls a month."},
		}},
	}
}
