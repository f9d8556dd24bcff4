package page

import "tollgate/web/component"

func studioFixtures() []fixture {
	return []fixture{
		{name: "studio", path: "/studio", page: with(Studio, StudioProps{APIs: []StudioAPI{
			{Name: "Weather", URL: "/studio/publications/1", Version: "v2.3", Lifecycle: badge("Published", component.OK), Operations: "38", Upstream: "https://weather.internal:8443", UpstreamURL: "/studio/apis/weather/upstream", Warnings: "3 warnings", WarningsURL: "/studio/publications/1", Updated: ago("2 days ago")},
			{Name: "Code hosting", URL: "/studio/publications/2", Version: "v4", Lifecycle: badge("Draft", ""), Operations: "1,223", Upstream: "https://code.internal", Updated: ago("an hour ago")},
		}})},
		{name: "studio-empty", path: "/studio", page: with(Studio, StudioProps{})},
		{name: "import", path: "/studio", page: with(Import, ImportProps{})},
		{name: "import-refused", path: "/studio", page: with(Import, ImportProps{Source: "url", URL: Input{Value: "http://10.0.0.1/openapi.json", Error: "That address is not public."}, Slug: Input{Value: "Weather!", Error: "Use small letters, digits and dashes."}})},
		{name: "publication-working", path: "/studio", page: with(Publication, PublicationProps{Title: "Code hosting v4", Status: badge("Checking", component.Accent), Working: true, StatusURL: "/status.json", RefreshURL: "/studio/publications/2", Steps: stepFixtures(component.StepNow)})},
		{name: "publication", path: "/studio", page: with(Publication, publicationFixture())},
		{name: "publication-empty", path: "/studio", page: with(Publication, PublicationProps{Title: "Untitled", Failed: "The document is not valid JSON: line 14, column 3."})},
		{name: "products", path: "/studio/products", page: with(Products, ProductsProps{Products: []ProductRow{{Name: "Weather", URL: "/studio/products/1", Description: "All weather operations", APIs: "2 APIs", Plans: "3 plans", Subscribers: "412"}}})},
		{name: "products-empty", path: "/studio/products", page: with(Products, ProductsProps{})},
		{name: "product-form", path: "/studio/products", page: with(ProductForm, ProductFormProps{Name: Input{Error: "Give it a name."}, APIs: []component.Option{{Value: "weather", Label: "Weather v2.3", Selected: true}, {Value: "stations", Label: "Stations v1"}}, APIsError: "Choose one at least."})},
		{name: "product-form-empty", path: "/studio/products", page: with(ProductForm, ProductFormProps{})},
		{name: "product", path: "/studio/products/1", page: with(Product, ProductProps{
			Name: "Weather", Description: "All weather operations.", APIs: []component.LinkProps{{Label: "Weather v2", URL: "/apis/weather"}}, PricingURL: "/pricing/weather", NewPlanURL: "/studio/products/1/plans/new",
			Plans: []StudioPlan{{URL: "/studio/products/1/plans/2", Name: "Pro", Slug: "pro", Sale: "Self-serve", Audience: "everybody", State: badge("On sale", component.OK), EditURL: "/studio/products/1/plans/new?from=pro", Versions: []PlanVersionRow{
				{Version: "v2", State: badge("Current", component.OK), Price: "$29 a month, then $0.40 per 1,000", Limits: "50 a second, 100,000 a month", Subscribers: "388", Since: ago("1 Oct")},
				{Version: "v1", State: badge("Kept", ""), Price: "$25 a month, then $0.45 per 1,000", Limits: "50 a second, 100,000 a month", Subscribers: "24", Since: ago("1 Mar")},
			}}},
		})},
		{name: "product-empty", path: "/studio/products/1", page: with(Product, ProductProps{Name: "Weather", PricingURL: "/pricing/weather", NewPlanURL: "/studio/products/1/plans/new"})},
		{name: "plan-form", path: "/studio/products", page: with(PlanForm, PlanFormProps{Product: "Weather", ProductURL: "/studio/products/1", Fields: planFieldsFixture()})},
		{name: "plan-form-empty", path: "/studio/products", page: with(PlanForm, PlanFormProps{Product: "Weather", ProductURL: "/studio/products/1"})},
		{name: "plan", path: "/studio/products/1/plans/2", page: with(Plan, PlanProps{Product: "Weather", ProductURL: "/studio/products/1", Name: "Pro", Price: "$29 a month", Limits: []PlanLimit{{Text: "50 calls a second with each key"}, {Text: "5 calls a minute of POST /reports", Warn: "Counts nothing: not published any more"}, {Text: "100,000 calls a calendar month"}}, Suggested: suggestionFixture()})},
		{name: "plan-empty", path: "/studio/products/1/plans/2", page: with(Plan, PlanProps{Product: "Weather", ProductURL: "/studio/products/1", Name: "Open", Price: "Free", Suggested: SuggestionProps{How: "No live call has been forwarded in the last 30 days, so past traffic suggests nothing yet."}})},
		{name: "upstream", path: "/studio", page: with(Upstream, upstreamFixture())},
		{name: "upstream-empty", path: "/studio", page: with(Upstream, UpstreamProps{API: "Weather", Version: "v2"})},
		{name: "customers", path: "/studio/customers", page: with(Customers, CustomersProps{Customers: []CustomerRow{{Name: "Fjord Analytics AS", URL: "/studio/customers/1", Zone: "Europe/Oslo", Since: ago("2 years ago")}}, More: "The first 100 of 412. Search for a name to see others."})},
		{name: "customers-empty", path: "/studio/customers", page: with(Customers, CustomersProps{})},
		{name: "customer", path: "/studio/customers/1", page: with(Customer, customerFixture())},
		{name: "customer-prepaid", path: "/studio/customers/1", page: with(Customer, prepaidFixture())},
		{name: "customer-empty", path: "/studio/customers/1", page: with(Customer, CustomerProps{Name: "Alpenrad"})},
		{name: "requests", path: "/studio/requests", page: with(Requests, RequestsProps{Tabs: []component.TabProps{{Label: "Open", URL: "/studio/requests", Count: "1", Current: true}, {Label: "Decided", URL: "/studio/requests?state=decided"}}, Requests: []RequestRow{{URL: "/studio/requests/1", Organization: "Fjord Analytics AS", Plan: "Weather Enterprise", Calls: "40,000,000", Sent: ago("2 hours ago"), Status: badge("Open", component.Accent)}}})},
		{name: "requests-empty", path: "/studio/requests", page: with(Requests, RequestsProps{})},
		{name: "request", path: "/studio/requests/1", page: with(Request, requestFixture())},
		{name: "request-decided", path: "/studio/requests/1", page: with(Request, RequestProps{Organization: "Alpenrad", Status: badge("Declined", ""), Decision: "Declined by Mia on 20 November: too small."})},
	}
}

func stepFixtures(middle component.StepState) []component.StepProps {
	return []component.StepProps{
		{Title: "Read the document", Detail: "13.1 MB, OpenAPI 3.0.3", State: component.StepDone},
		{Title: "Check it", Detail: "1,223 operations", State: middle},
		{Title: "Write one page per operation", State: component.StepWaiting},
	}
}

func publicationFixture() PublicationProps {
	return PublicationProps{
		Title: "Weather v2.4", Status: badge("Ready", component.OK), Steps: stepFixtures(component.StepDone), FindingsNote: "1 error, 2 warnings",
		Facts: []component.Fact{{Name: "Operations", Value: "38"}, {Name: "OpenAPI", Value: "3.1.0"}, {Name: "Size", Value: "412 kB"}},
		Findings: []Finding{
			{Severity: badge("Error", component.Bad), Line: "214", Pointer: "/paths/~1stations~1{id}/get", Message: "The path names {id}, but no parameter of that name is declared, so no route can be made."},
			{Severity: badge("Warning", component.Warn), Line: "1,022", Pointer: "/components/schemas/Observation/properties/wind", Message: "The schema has no type; its page shows “any”."},
		},
		Form: &PublicationForm{Action: "/studio/publications/1/publish", Name: Input{Value: "Weather"}, Slug: Input{Value: "weather"}, Summary: Input{Value: "Current weather and forecasts."}, Upstream: Input{Value: "https://weather.internal:8443", Error: "No answer within 5 seconds."}, PathPrefix: Input{Value: "/weather/v2"}, Blocked: "Mend the error above first.",
			Replace: &ReplaceChoice{Version: "v1", Label: "Replace version 2.3 of Weather", Hint: "It stops answering at /weather/v2 unless the new version has the same route.", Error: "Weather 2.3 is live at this place. Say that it is to be replaced, or choose another place in the catalog."}},
		DiscardAction: "/studio/publications/1/discard",
	}
}

func planFieldsFixture() PlanFields {
	return PlanFields{
		Action: "/studio/products/1/plans/new", Name: Input{Value: "Pro"}, Slug: Input{Value: "pro"}, Limits: limitFixtures(), Operations: countedFixtures(), Suggested: suggestionFixture(), MonthlyFee: Input{Value: "29.00"}, Included: Input{Value: "0"},
		Organizations: []string{"Alpenrad", "Fjord Analytics AS"}, Organization: Input{Value: "fjord", Error: "Choose the organization that is meant below."},
		Visibility: component.Options("private", component.Option{Value: "public", Label: "Everybody"}, component.Option{Value: "private", Label: "One organization"}),
		Found:      []component.Option{{Label: "Choose one"}, {Value: "o1", Label: "Fjord Analytics AS, customer since 3 May 2024"}, {Value: "o2", Label: "Fjordline, customer since 9 June 2025"}},
		Models:     component.Options("graduated", component.Option{Value: "none", Label: "None"}, component.Option{Value: "per_unit", Label: "Per call"}, component.Option{Value: "graduated", Label: "Graduated"}),
		Billed:     []component.Option{{Value: "2", Label: "2xx", Hint: "Success", Selected: true}, {Value: "3", Label: "3xx", Hint: "Redirects, not modified", Selected: true}, {Value: "4", Label: "4xx", Hint: "Faults of the caller", Selected: true}, {Value: "5", Label: "5xx", Hint: "Faults of the API"}},
		Tiers:      []TierInput{{UpTo: Input{Value: "100000"}, UnitPrice: Input{Value: "0"}}, {UpTo: Input{Value: "1000000"}, UnitPrice: Input{Value: "0.0004"}}, {UnitPrice: Input{Value: "0,00025", Error: "Write decimals with a point."}, Flat: Input{Value: "50"}}},
		Preview:    []PreviewRow{{Calls: "10,000", Total: "$29.00", Each: "$0.0029"}, {Calls: "250,000", Total: "$89.00", Each: "$0.000356"}, {Calls: "5,000,000", Total: "$1,439.00", Each: "$0.000288"}},
		Cliffs:     []string{"The bill falls by $12.00 at 1,000,001 calls."},
	}
}

func requestFixture() RequestProps {
	grant := planFieldsFixture()
	grant.Action = "/studio/requests/1/grant"
	grant.Visibility = grant.Visibility[1:]
	grant.Submit, grant.AskFree, grant.FreeError = "Grant this plan", true, "Type a price or a limit, or tick that the plan has neither."
	return RequestProps{
		Organization: "Fjord Analytics AS", Status: badge("Open", component.Accent), Message: "We move our winter service to you.\nPeak is 2,000 a second on storm days.",
		Facts: []component.Fact{{Name: "Plan", Value: "Weather Enterprise"}, {Name: "Expected calls", Value: "40,000,000 a month"}, {Name: "Asked by", Value: "lars@fjord.example"}, {Name: "Today", Value: "Weather Pro", URL: "/pricing/weather"}},
		Grant: &grant, DeclineAction: "/studio/requests/1/decline", Reason: Input{Error: "Say why."},
	}
}

func limitFixtures() []LimitInput {
	return []LimitInput{
		{Inputs: Inputs{LimitCalls: {Value: "50"}, LimitPer: {Value: "second"}, LimitScope: {Value: "key"}, LimitAlgorithm: {Value: "leaky_bucket"}, LimitOperation: {Value: "GET /old", Error: "No published operation of this product has this name, so the limit would count nothing. Choose one from the list, or leave this empty."},
			LimitBurst: {Value: "3", Error: "The heaviest operation weighs 10: with a burst under 9 it could never be called."}}},
		{Inputs: Inputs{LimitCalls: {Value: "2000"}, LimitPer: {Value: "hour"}, SurgePercent: {Value: "200"}, SurgeMinutes: {Value: "5"}}, Slots: []Inputs{
			{SlotDays: {Value: "weekdays"}, SlotFrom: {Value: "", Error: "Give a time of day such as 08:30."}, SlotTo: {Value: "18:00"}, SlotPercent: {Value: "150"}},
			{SlotDays: {Value: "friday"}, SlotFrom: {Value: "22:00"}, SlotTo: {Value: "02:00"}, SlotPercent: {Value: "0", Error: "Give 1 to 1,000 %."}},
			{SlotFrom: {Value: "03:00"}, SlotTo: {Value: "04:00"}, SlotPercent: {Value: "50"}}}},
		{Inputs: Inputs{LimitCalls: {Value: "20"}, LimitPer: {Value: "at_once"}, LimitOperation: {Value: "GET /current"}}},
		{Inputs: Inputs{LimitCalls: {Value: "100000"}, LimitPer: {Value: "month"}, LimitEnd: {Value: "soft"}}},
		{Inputs: Inputs{LimitCalls: {Value: "0"}, LimitPer: {Value: "prepaid"}}},
	}
}

func countedFixtures() []string {
	return []string{"GET /current", "GET /stations/{station_id}/observations"}
}

func suggestionFixture() SuggestionProps {
	return SuggestionProps{How: "From 18,204 calls of 388 subscriptions to Weather in 30 days.", Rows: []SuggestionRow{
		{Window: "Second", P50: "2", P95: "11", P99: "18", Max: "40", Suggested: "20"}, {Window: "Minute", P50: "30", P95: "180", P99: "320", Max: "1,900", Suggested: "500"}}}
}

func customerFixture() CustomerProps {
	const ends = "at midnight, Europe/Oslo time"
	return CustomerProps{Name: "Fjord Analytics AS", Facts: []component.Fact{{Name: "Time zone", Value: "Europe/Oslo"}, {Name: "Customer since", Value: "3 May 2024"}}, Subscriptions: []HeldPlan{{
		ID: "s1", Name: "Weather Pro", State: badge("Active", component.OK), Period: "1 Nov – 1 Dec 2026", Limits: []HeldLimit{
			{Position: "0", InForce: "200 calls a second with each key (at an even pace, up to 20 ahead of it)", Override: []component.Fact{{Name: "Instead of", Value: "50 calls a second with each key (plan, version 2)"}, {Name: "Ends", Value: "after 30 November 2026 (1 Dec 2026, 00:00 CET)"}, {Name: "Set by", Value: "mia@provider.example, 20 Nov 2026, 10:04 CET"}, {Name: "Reason", Value: "Storm season, ticket 4711."}},
				Revoke: "/studio/customers/1/overrides/2/revoke", Action: "/studio/customers/1/overrides", Ends: ends, Bucket: true, Open: true, Calls: Input{Value: "0", Error: "Give a number of calls from 1 to 1,000,000,000."}, Until: Input{Value: "2026-11-01", Error: "Choose a day that is not over."}},
			{Position: "1", InForce: "100,000 calls a month", Source: "Plan, version 2", Action: "/studio/customers/1/overrides", Ends: ends},
		}}, {ID: "s2", Name: "Stations Free", State: badge("Unpaid", component.Bad), Period: "1 Nov – 1 Dec 2026"}},
		Ended: []EndedOverride{{Plan: "Weather Pro", Limit: "150 calls a second with each key", How: "Replaced by another one", Ended: ago("3 days ago"), By: "mia@provider.example", Reason: "Storm season, first guess, until the station network of the west coast is measured."},
			{Plan: "Weather Free", Limit: "20,000 calls a month", How: "The subscription left this plan", By: "bo@provider.example", Reason: "Trial"}}}
}

func prepaidFixture() CustomerProps {
	const action = "/studio/customers/1/credits"
	return CustomerProps{Name: "Alpenrad", Facts: []component.Fact{{Name: "Time zone", Value: "Europe/Zurich"}}, Subscriptions: []HeldPlan{
		{ID: "s1", Name: "Weather Prepaid", State: badge("Active", component.OK), Period: "1 Nov – 1 Dec 2026", Limits: []HeldLimit{
			{Position: "0", InForce: "10 calls a second", Source: "Plan, version 1", Action: "/studio/customers/1/overrides", Ends: "at midnight, Europe/Zurich time"},
			{Position: "1", Balance: &HeldBalance{Left: "1,204 of 11,000 calls left", Percent: 89, Tone: component.Warn, Action: action, Credit: "c1", Open: true,
				Calls: Input{Value: "-5", Error: "Give a number of calls from 1 to 1,000,000,000,000."}, Why: Input{Error: "Say why, in a sentence for your colleagues."}, Credits: []CreditRow{
					{Calls: "10,000", When: ago("2 days ago"), By: "mia@provider.example", Reason: "Paid by bank transfer, reference RF18 5390 0754 7034, for the whole of the winter season."},
					{Calls: "1,000", When: ago("3 months ago"), By: "the plan", Reason: "Included in the plan"}}}}}},
		{ID: "s2", Name: "Routes Prepaid", State: badge("Active", component.OK), Period: "1 Nov – 1 Dec 2026", Limits: []HeldLimit{{Position: "0", Balance: &HeldBalance{Left: "No calls credited yet", Percent: 100, Tone: component.Bad, Action: action, Credit: "c2"}}}}}}
}

func upstreamFixture() UpstreamProps {
	return UpstreamProps{API: "Weather", Version: "v2.3", ID: "1", Action: "/studio/apis/weather/upstream", TargetsError: "Say where the gateway sends the calls.",
		Targets: []TargetInput{{Mode: "live", URL: Input{Value: "https://weather-1.internal:8443"}, Weight: Input{Value: "3"}}, {Mode: "live", URL: Input{Value: "http://169.254.169.254", Error: "The gateway may not connect to this address."}, Weight: Input{Value: "0", Error: "Give a weight from 1 to 1,000."}},
			{Mode: "test", URL: Input{Value: "https://weather-test.internal:8443/a/rather/long/path/that/does/not/fit"}, Weight: Input{Value: "1"}}},
		Groups: []UpstreamGroup{
			{Title: "Connections", Settings: []UpstreamSetting{{Name: "max_body", Label: "Largest request body", Placeholder: "the gateway’s own", Hint: "Such as 10 MiB, counted as it is sent. Larger ones are refused with 413. −1 sets no limit.", Input: Input{Value: "10 MB", Error: "Write a size such as 10 MiB or 512 KiB, or −1 for no limit."}}, {Name: "websocket", Label: "Allow WebSocket connections", Hint: "They need a valid key to open, and close when it is revoked.", Check: true, Input: Input{Value: "1"}}, {Name: "sign_identity", Label: "Sign who calls", Hint: "For upstreams that trust the gateway’s signed caller header.", Check: true}}},
			{Title: "Active health checks", Note: "The gateway asks each target on its own. Without a path it does not.", Settings: []UpstreamSetting{{Name: "active.path", Label: "Path", Placeholder: "/healthz"}, {Name: "active.every", Label: "Interval", Placeholder: "10s", Input: Input{Value: "0.1s", Error: "Give a time from 1s to 1h, or leave this empty for the default."}}, {Name: "active.healthy", Label: "Back in after", Suffix: "successes", Placeholder: "2"}, {Name: "passive.failures", Label: "Out after", Suffix: "failures in a row", Placeholder: "5", Hint: "−1 turns this off."}}},
			{Title: "Browser access (CORS)", Settings: []UpstreamSetting{{Name: "cors.origins", Label: "Allowed origins", Placeholder: "https://app.example.com", Hint: "Separated by spaces; * for any."}, {Name: "cors.headers", Label: "Allowed request headers", Placeholder: "simple ones and the key’s"}, {Name: "cors.credentials", Label: "Allow credentials", Hint: "Pages may then send cookies. Only with named origins.", Check: true, Input: Input{Value: "1", Error: "Browsers send credentials only to origins that are named. List the origins instead of *, or do not allow credentials."}}}}}}
}
