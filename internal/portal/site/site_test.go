package site_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"tollgate/internal/accounts"
	"tollgate/internal/catalog"
	"tollgate/internal/plans"
	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
	"tollgate/internal/problem"
)

const weather = `openapi: 3.1.0
info: {title: Weather, version: "1.0", description: "Forecasts <script>alert(1)</script> of **cities**."}
paths:
  /forecast/{city}:
    get:
      operationId: getForecast
      tags: [Forecasts]
      summary: Forecast of a city
      description: "The days <img src=x onerror=alert(1)> ahead."
      parameters:
        - {name: city, in: path, required: true, schema: {type: string, enum: [Bern, Rome]}, description: "Where."}
        - {name: days, in: query, schema: {type: integer, minimum: 1, maximum: 14, default: 3}}
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, properties: {celsius: {type: integer, example: 21}}}}}}
        "404": {description: no such city}
  /stations:
    get: {operationId: listStations, tags: [Stations], summary: List stations, responses: {"200": {description: ok, content: {application/json: {example: [{name: North}]}}}}}
    post:
      operationId: createStation
      tags: [Stations]
      summary: Create a station
      deprecated: true
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [name], properties: {name: {type: string}}}}}}
      responses: {"201": {description: made}}
  /ops:
    get: {operationId: ops, tags: [Stations], summary: Operations, responses: {"200": {description: ok}}}
`

func staffActor(t testing.TB, p *portaltest.Portal) uuid.UUID {
	t.Helper()
	who, err := p.Accounts.AddStaff(t.Context(), accounts.SignUp{Email: "actor@provider.example", Password: "correct horse battery"}, "Provider", "product")
	if err != nil {
		t.Fatal(err)
	}
	return who.User
}

func publish(t testing.TB, p *portaltest.Portal, actor uuid.UUID, document []byte, slug, visibility string) catalog.Entry {
	t.Helper()
	ctx := postgres.AsStaff(t.Context())
	id, err := p.Catalog.Submit(ctx, actor, catalog.Source{Name: slug, Document: document})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Catalog.Read(ctx, catalog.ReadJob{Publication: id}); err != nil {
		t.Fatal(err)
	}
	e, err := p.Catalog.Publish(ctx, actor, id, catalog.NewAPI{Name: strings.ToUpper(slug[:1]) + slug[1:], Slug: slug, Summary: "All about " + slug, UpstreamURL: "http://127.0.0.1:9000", PathPrefix: "/" + slug, Visibility: visibility})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func sell(t testing.TB, p *portaltest.Portal, actor uuid.UUID, e catalog.Entry) plans.Product {
	t.Helper()
	ctx := postgres.AsStaff(t.Context())
	product, err := p.Plans.CreateProduct(ctx, actor, plans.NewProduct{Slug: e.Slug, Name: e.Name, Versions: []uuid.UUID{e.Version.ID}})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []plans.NewPlan{
		{Name: "Free", Slug: "free", Limits: []plans.Limit{plans.Rate(1, time.Second), plans.Quota(1000, true)}},
		{Name: "Pro", Slug: "pro", RecurringFee: 4900, Limits: []plans.Limit{plans.Rate(10, time.Second)}, Usage: &pricing.Component{Model: pricing.Graduated, Included: 100, FlatAtZero: true, Tiers: []pricing.Tier{
			{UpTo: 50, Rate: decimal.RequireFromString("0.5")}, {UpTo: pricing.NoEnd, Rate: decimal.RequireFromString("0.25")}}}},
	} {
		in.Product, in.Sale, in.Currency = product.ID, plans.SelfServe, "usd"
		if _, err := p.Plans.CreatePlan(ctx, actor, in); err != nil {
			t.Fatal(err)
		}
	}
	return product
}

func TestAnEmptyPortalSaysWhatWillBeThere(t *testing.T) {
	t.Parallel()
	b := portaltest.New(t).Stranger(t)
	b.Get("/").Has(t, 200, "No API is published yet", "/signup")
	b.Get("/apis").Has(t, 200, "No API is published yet", "0 APIs")
	b.Get("/apis/none").Has(t, 404)
	b.Get("/pricing/none").Has(t, 404)
	b.Get("/search/suggest?q=x").Has(t, 200, "[")
}

func TestTheReferenceShowsOneOperation(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	actor := staffActor(t, p)
	sell(t, p, actor, publish(t, p, actor, []byte(weather), "weather", catalog.Public))
	b := p.Stranger(t)
	b.Get("/").Has(t, 200, "curl", portaltest.GatewayURL+"/weather/stations", "North", "Free to start", "4 operations").Lacks(t, "localhost")
	b.Get("/apis?q=forecast").Has(t, 200, "All about weather", "1 API")
	b.Get("/apis?q=zebra").Has(t, 200, "Nothing matches “zebra”")
	b.Get("/apis/weather").Has(t, 200, "<strong>cities</strong>", "Forecasts", "3 operations", "/apis/weather/openapi.json", "1,000 a month", "$49 a month").Lacks(t, "alert(1)</script>")
	b.Get("/apis/weather/ops?q=station").Has(t, 200, "3 operations match", "/stations")
	b.Get("/apis/weather/ops?tag=Forecasts").Has(t, 200, "1 operation", "/forecast/{city}").Lacks(t, ">/stations<")
	b.Get("/apis/weather/ops?q=zebra").Has(t, 200, "No operation matches")
	b.Get("/apis/weather/ops-operation").Has(t, 200, "Operations")

	op := operationURL(t, b, "getForecast")
	b.Get(op).Has(t, 200, "Forecast of a city", "Path parameters", `id="query-days"`, "Bern", portaltest.GatewayURL+"/weather/forecast/", "YOUR_API_KEY", "JavaScript", "Python",
		"celsius", "no such city", "10 calls a second", op+"/markdown", "Each call counts as 1 call.").Lacks(t, "onerror")
	if a := b.Get(op+"/markdown").Has(t, 200, "# Forecast of a city", "| `city`"); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/markdown") {
		t.Error(a.Header)
	}
	b.Get(operationURL(t, b, "createStation")).Has(t, 200, "Request body", "Deprecated.", `id="body"`)
	b.Get("/apis/weather/nothing").Has(t, 404)
}

func operationURL(t testing.TB, b *portaltest.Browser, query string) string {
	t.Helper()
	var found []struct{ Title, Detail, URL string }
	if err := json.Unmarshal([]byte(b.Get("/search/suggest?q="+query).Body), &found); err != nil || len(found) == 0 {
		t.Fatalf("%q suggests %v, %v", query, found, err)
	}
	return found[0].URL
}

func TestTheDownloadedDocumentNamesTheGatewayAndTheLimits(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	actor := staffActor(t, p)
	e := publish(t, p, actor, []byte(weather), "weather", catalog.Public)
	b := p.Stranger(t)
	before := b.Get("/apis/weather/openapi.json").Has(t, 200)
	sell(t, p, actor, e)
	after := b.Get("/apis/weather/openapi.json").Has(t, 200, `"servers":[{"url":"`+portaltest.GatewayURL+`/weather"}]`, "Pro: 10 calls a second", "Free: 1,000 calls a month", "X-Quota-Reset")
	again := b.Get("/apis/weather/openapi.json").Has(t, 200)
	if before.Header.Get("ETag") == after.Header.Get("ETag") || after.Header.Get("ETag") != again.Header.Get("ETag") || after.Body != again.Body {
		t.Error("ETag does not follow the plans")
	}
	if !strings.Contains(after.Header.Get("Content-Disposition"), "weather-1.0.openapi.json") || after.Header.Get("Content-Type") != "application/json" {
		t.Error(after.Header)
	}
}

func TestPricesAreReckonedByThePlansOwnTerms(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	actor := staffActor(t, p)
	sell(t, p, actor, publish(t, p, actor, []byte(weather), "weather", catalog.Public))
	b := p.Stranger(t)
	b.Get("/pricing/weather").Has(t, 200, "$49", "100 calls a month included", "101 to 150", "$0.005 per call", "Free ends at 1,000 calls a month; Pro is the cheapest beyond.", `value="10,000"`)
	b.Get("/pricing/weather?calls=170").Has(t, 200, "$49.30", "$0.25", "Cheapest")
	b.Get("/pricing/weather?calls=2,000").Has(t, 200, "Ends at 1,000 calls a month")
	b.Get("/pricing/weather?calls=many").Has(t, 200, `value="many"`, "Type a whole number")
	b.Get("/pricing/weather?calls=9999999999999999").Has(t, 200, "Type at most")
	if a := b.Get("/products/weather").Has(t, 303); a.Location != "/pricing/weather" {
		t.Error(a.Location)
	}
}

func TestReadersSeeWhichPlanIsTheirs(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	actor := staffActor(t, p)
	product := sell(t, p, actor, publish(t, p, actor, []byte(weather), "weather", catalog.Public))
	b := p.Customer(t, "mine@example.com")
	b.Get("/pricing/weather").Has(t, 200).Lacks(t, "Your plan")
	who, err := p.Accounts.SignIn(t.Context(), "mine@example.com", "correct horse battery", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	err = p.DB.InTx(postgres.AsStaff(t.Context()), func(_ context.Context, tx *postgres.Tx) error {
		return tx.Exec(`
			INSERT INTO subscriptions (id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, created_at)
			SELECT ?, ?, a.id, v.id, ?, 'active', 1, '2026-11-01', '2026-12-01', '2026-11-01'
			FROM applications a, plan_versions v JOIN plans p ON p.id = v.plan_id AND p.slug = 'pro' WHERE a.org_id = ?`,
			uuid.New(), who.Organization, product.ID, who.Organization).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Get("/pricing/weather").Has(t, 200, "Your plan", "/console/subscriptions")
	b.Get("/apis/weather").Has(t, 200, "Your plan")
	b.Get("/apis/weather/"+strings.TrimPrefix(operationURL(t, b, "getForecast"), "/apis/weather/")).Has(t, 200, "Your plan")
}

func TestPrivateAPIsDoNotExistForStrangers(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	publish(t, p, staffActor(t, p), []byte(weather), "secret", catalog.Private)
	for _, b := range []*portaltest.Browser{p.Stranger(t), p.Customer(t, "c@example.com")} {
		for _, path := range []string{"/apis/secret", "/apis/secret/ops", "/apis/secret/openapi.json", "/apis/secret/getforecast", "/apis/secret/getforecast/markdown"} {
			b.Get(path).Has(t, 404)
		}
		b.Get("/").Has(t, 200).Lacks(t, "secret")
		b.Get("/search/suggest?q=forecast").Has(t, 200, "[]")
	}
	staff := p.Staff(t, "product")
	staff.Get("/apis/secret").Has(t, 200)
	staff.Get("/apis/secret/openapi.json").Has(t, 200)
}

func TestEachProblemHasAPage(t *testing.T) {
	t.Parallel()
	b := portaltest.New(t).Stranger(t)
	list := b.Get("/problems").Has(t, 200)
	for _, kind := range problem.Types {
		list.Has(t, 200, `href="/problems/`+kind.Code+`"`)
		b.Get("/problems/"+kind.Code).Has(t, 200, kind.Code, http.StatusText(kind.Status))
	}
	b.Get("/problems/none").Has(t, 404)
	members := []string{"&#34;retry_after&#34;", "&#34;policy&#34;", "&#34;plan_url&#34;"}
	for _, code := range []string{"rate-limit-exceeded", "quota-exceeded", "quota-unavailable"} {
		b.Get("/problems/"+code).Has(t, 200, append(members, "&#34;error&#34;")...)
	}
	b.Get("/problems/invalid-key").Has(t, 200, "&#34;error&#34;").Lacks(t, members...)
	b.Get("/problems/not-found").Has(t, 200).Lacks(t, append(members, "&#34;error&#34;")...)
	b.Get("/search/suggest?q=quota").Has(t, 200, "/problems/quota-exceeded")
}
