package studio_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/catalog"
	"tollgate/internal/openapi"
	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
)

const weather = `openapi: 3.1.0
info: {title: Weather, version: "1.0", description: Forecasts.}
paths:
  /forecast/{city}:
    get:
      operationId: getForecast
      tags: [Forecasts]
      summary: Forecast of a city
      parameters: [{name: city, in: path, required: true, schema: {type: string}, description: "The **city**."}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, properties: {celsius: {type: integer, example: 21}}}}}}
`

// read works the newest document off, as the background job would.
func read(t *testing.T, p *portaltest.Portal, location string) (path string, id uuid.UUID) {
	t.Helper()
	path, _, _ = strings.Cut(location, "?")
	id, err := uuid.Parse(strings.TrimPrefix(path, "/studio/publications/"))
	if err != nil {
		t.Fatalf("led to %q: %v", location, err)
	}
	if err := p.Catalog.Read(postgres.AsStaff(t.Context()), catalog.ReadJob{Publication: id}); err != nil {
		t.Fatal(err)
	}
	return path, id
}

func publishForm() url.Values {
	return url.Values{"name": {"Weather"}, "slug": {"weather"}, "summary": {"Forecasts for cities"}, "upstream_url": {"http://127.0.0.1:9000"}, "path_prefix": {"/weather"}, "visibility": {"public"}}
}

func TestADocumentIsPublishedFromUploadToReference(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	b.Get("/studio").Has(t, 200, "No APIs yet")
	b.Get("/studio/apis/new").Has(t, 200, `name="document_text"`)
	sent := b.Upload("/studio/apis/new", "document", "weather.yaml", []byte(weather), url.Values{"source": {"upload"}, "slug": {"weather"}})
	sent.Has(t, 303)
	waiting := strings.Split(sent.Location, "?")[0]
	b.Get(sent.Location).Has(t, 200, "data-poll", "weather.yaml")
	b.Get(waiting+"/status").Has(t, 200, `"arrived":false`)
	path, _ := read(t, p, sent.Location)
	var status struct {
		Arrived, Reload bool
		HTML            string
	}
	if err := json.Unmarshal([]byte(b.Get(path+"/status").Body), &status); err != nil || !status.Arrived || !status.Reload || !strings.Contains(status.HTML, "1 operation") {
		t.Errorf("status %+v, %v", status, err)
	}
	b.Get(sent.Location).Has(t, 200, `value="Weather"`, `value="/weather"`, "OpenAPI 3.1.0", path+"/publish").Lacks(t, "data-poll")
	b.Get("/studio").Has(t, 200, "Draft, ready")

	form := publishForm()
	form.Set("upstream_url", "not a url")
	form.Set("name", "My weather")
	form.Set("sign_identity", "1")
	b.Post(path+"/publish", form).Has(t, 422, `value="not a url"`, `value="My weather"`, "http or https address", `value="1" checked`)

	if a := b.Post(path+"/publish", publishForm()).Has(t, 303); a.Location != "/apis/weather" {
		t.Errorf("led to %q", a.Location)
	}
	b.Get("/apis/weather").Has(t, 200, "Weather is live.", "Forecast of a city", portaltest.GatewayURL+"/weather", "OpenAPI")
	b.Post(path+"/publish", publishForm()).Has(t, 303)
	b.Get(path).Has(t, 200, "was published already").Lacks(t, path+"/publish")
	b.Get("/studio").Has(t, 200, "Live", "http://127.0.0.1:9000")
	b.Get(path).Has(t, 200, "See it live")
	b.Get("/studio/products").Has(t, 200, "No products yet")
	p.Stranger(t).Get("/apis").Has(t, 200, "Forecasts for cities", "1 operation").Lacks(t, "127.0.0.1:9000")
}

func TestALiveVersionGivesWayOnlyWhenThatIsSaid(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	submit := func() string {
		path, _ := read(t, p, b.Post("/studio/apis/new", url.Values{"source": {"paste"}, "document_text": {weather}}).Has(t, 303).Location)
		return path
	}
	b.Post(submit()+"/publish", publishForm()).Has(t, 303)
	b.Get("/studio").Has(t, 200, "/studio/apis/new?slug=weather")

	path, form := submit(), publishForm()
	form.Set("name", "Something else")
	refused := b.Post(path+"/publish", form).Has(t, 422, "Weather 1.0 is live at this place", "Replace version 1.0 of Weather", `value="Something else"`)
	b.Get("/apis/weather").Has(t, 200, "<h1>Weather")
	_, after, _ := strings.Cut(refused.Body, `name="replaces" value="`)
	version, _, _ := strings.Cut(after, `"`)
	form.Set("replaces", version)
	b.Post(path+"/publish", form).Has(t, 303)
	b.Get("/apis/weather").Has(t, 200, "<h1>Something else")
}

func TestADraftWithErrorsSaysWhyAndCanBeDiscarded(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	sent := b.Post("/studio/apis/new", url.Values{"source": {"url"}, "document_url": {"http://10.1.2.3/api.json"}, "name": {"Kept"}, "slug": {"kept"}}).Has(t, 303)
	path, _ := read(t, p, sent.Location)
	b.Get(sent.Location).Has(t, 200, "could not be fetched", "/studio/apis/new?name=Kept&amp;slug=kept").Lacks(t, "Correct what is marked")
	b.Get("/studio/apis/new?name=Kept&slug=kept").Has(t, 200, `value="Kept"`, `value="kept"`)
	b.Post(path+"/discard", nil).Has(t, 303)
	b.Get("/studio").Has(t, 200, "No APIs yet")
}

func TestDocumentsAreTakenByPasteAndAddressToo(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "admin")
	path, _ := read(t, p, b.Post("/studio/apis/new", url.Values{"source": {"paste"}, "document_text": {weather}}).Has(t, 303).Location)
	b.Get(path).Has(t, 200, "Draft, ready")
	b.Post(path+"/discard", nil).Has(t, 303)
	b.Get(path).Has(t, 200, "Discarded")
	path, _ = read(t, p, b.Post("/studio/apis/new", url.Values{"source": {"url"}, "document_url": {"http://10.1.2.3/api.json"}}).Has(t, 303).Location)
	b.Get(path).Has(t, 200, "this address is not allowed", "Draft with errors")
	path, _ = read(t, p, b.Post("/studio/apis/new", url.Values{"source": {"paste"}, "document_text": {"openapi: 3.1.0\ninfo: 7\n"}}).Has(t, 303).Location)
	b.Get(path).Has(t, 200, "Error").Lacks(t, path+"/publish")
	b.Post("/studio/apis/new", url.Values{"source": {"url"}, "document_url": {"ftp://x"}, "name": {"Kept"}}).Has(t, 422, `value="ftp://x"`, `value="Kept"`, "plain http or https")
	b.Upload("/studio/apis/new", "document", "", nil, url.Values{"source": {"upload"}}).Has(t, 422, "Choose a file")
	big := b.Upload("/studio/apis/new", "document", "big.json", make([]byte, openapi.MaxBytes+1), url.Values{"source": {"upload"}})
	big.Has(t, 422, "at most 20 MB")
}

func TestTheStudioIsForThoseWhoManageTheCatalog(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	if a := p.Stranger(t).Get("/studio"); a.Status != 303 || !strings.HasPrefix(a.Location, "/login") {
		t.Errorf("%d to %q", a.Status, a.Location)
	}
	for _, b := range []*portaltest.Browser{p.Customer(t, "c@example.com"), p.Staff(t, "finance")} {
		b.Get("/studio").Has(t, http.StatusForbidden)
		b.Post("/studio/products/new", url.Values{"name": {"x"}}).Has(t, http.StatusForbidden)
	}
	p.Staff(t, "product").Get("/studio/publications/nonsense").Has(t, http.StatusNotFound)
}

func publish(t *testing.T, p *portaltest.Portal, b *portaltest.Browser) {
	t.Helper()
	path, _ := read(t, p, b.Post("/studio/apis/new", url.Values{"source": {"paste"}, "document_text": {weather}}).Has(t, 303).Location)
	b.Post(path+"/publish", publishForm()).Has(t, 303)
}

func product(t *testing.T, p *portaltest.Portal, b *portaltest.Browser) string {
	t.Helper()
	e, err := p.Catalog.API(postgres.AsStaff(t.Context()), "weather")
	if err != nil {
		t.Fatal(err)
	}
	return b.Post("/studio/products/new", url.Values{"name": {"Weather"}, "slug": {"weather"}, "apis": {e.Version.ID.String()}}).Has(t, 303).Location
}

func proForm() url.Values {
	return url.Values{"name": {"Pro"}, "slug": {"pro"}, "sale": {"self_serve"}, "visibility": {"public"}, "limit_calls": {"10", ""}, "limit_per": {"second", "period"},
		"currency": {"usd"}, "monthly_fee": {"49"}, "model": {"graduated"}, "included_units": {"100"}, "billed_classes": {"2", "3", "4"},
		"tier_up_to": {"50", "", ""}, "tier_unit_price": {"0.005", "0.0025", ""}, "tier_flat": {"", "", ""}}
}

func TestAPlanIsPricedExactlyAsTyped(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	b.Post("/studio/products/new", url.Values{"name": {"Kept name"}, "slug": {"Bad Slug"}}).Has(t, 422, `value="Kept name"`, "Choose at least one API", "lower-case letters")
	u := product(t, p, b)
	b.Get(u).Has(t, 200, u+"/plans/new")
	b.Get(u+"/plans/new").Has(t, 200, `name="tier_up_to"`, "JPY")

	form := proForm()
	form.Set("preview", "1")
	b.Post(u+"/plans/new", form).Has(t, 200, "$49.00", `value="0.0025"`)
	b.Post(u+"/plans/new", proForm()).Has(t, 303)
	b.Post(u+"/plans/new", proForm()).Has(t, 422, "There is a plan with this address already")
	b.Get(u).Has(t, 200, "$49 a month, then from $0.0025 per call", "10 calls a second")
	b.Get("/studio/products").Has(t, 200, "1 plan")

	o, err := p.Plans.Offering(postgres.AsStaff(t.Context()), "weather")
	if err != nil || len(o.Plans) != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	terms := o.Plans[0].Terms
	if cents, _, err := terms.UsageCharge(170); err != nil || cents != 30 || terms.RecurringFee != 4900 {
		t.Errorf("170 calls cost %d, %v; fee %d", cents, err, terms.RecurringFee)
	}
	p.Stranger(t).Get("/pricing/weather?calls=170").Has(t, 200, "$49.30", "50 × $0.005", "101 to 150")
}

func TestPlanMistakesStandBesideTheirFields(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b) + "/plans/new"
	for message, change := range map[string]func(url.Values){
		"Give the plan a name":            func(f url.Values) { f.Set("name", "") },
		"more decimals than the currency": func(f url.Values) { f.Set("monthly_fee", "1.005") },
		"plain number":                    func(f url.Values) { f.Set("monthly_fee", "12 apples") },
		"Type a whole number":             func(f url.Values) { f["limit_calls"] = []string{"1.5", ""} },
		"This must be more than 50": func(f url.Values) {
			f["tier_up_to"] = []string{"50", "50", ""}
			f["tier_unit_price"] = []string{"1", "2", "3"}
		},
		"Only the last tier is without an end": func(f url.Values) { f["tier_up_to"] = []string{"", "", ""} },
		"Leave the last one empty":             func(f url.Values) { f["tier_up_to"] = []string{"50", "70", ""} },
		"at most 12 decimals":                  func(f url.Values) { f["tier_unit_price"] = []string{"0.0000000000000001", "1", ""} },
		"Give at least one price tier":         func(f url.Values) { f["tier_up_to"], f["tier_unit_price"] = nil, nil },
		"Say what a call costs":                func(f url.Values) { f.Set("model", "per_unit") },
		"how many calls are in a package":      func(f url.Values) { f.Set("model", "package"); f.Set("unit_price", "1") },
		"Choose one of the listed models":      func(f url.Values) { f.Set("model", "lottery") },
		"Choose one of the listed currencies":  func(f url.Values) { f.Set("currency", "xxx") },
		"Choose at least one, or no price":     func(f url.Values) { f.Del("billed_classes") },
		"Choose from 1xx, 2xx":                 func(f url.Values) { f.Set("billed_classes", "9") },
		"Type the name of the organization":    func(f url.Values) { f.Set("visibility", "private") },
	} {
		form := proForm()
		form.Set("included_units", "123")
		change(form)
		b.Post(u, form).Has(t, 422, message, `value="123"`)
	}
	o, err := p.Plans.Offering(postgres.AsStaff(t.Context()), "weather")
	if err != nil || len(o.Plans) != 0 {
		t.Errorf("%d plans, %v", len(o.Plans), err)
	}
}

func TestAPlanSaysWhichAnswersAreBilled(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b)
	usual := `value="2" checked`
	b.Get(u+"/plans/new").Has(t, 200, usual, `value="5"`).Lacks(t, `value="5" checked`)
	form := proForm()
	form["billed_classes"] = []string{"2", "5"}
	form.Set("add_limit", "1")
	b.Post(u+"/plans/new", form).Has(t, 200, usual, `value="5" checked`).Lacks(t, `value="4" checked`)
	form.Del("add_limit")
	b.Post(u+"/plans/new", form).Has(t, 303)
	o, err := p.Plans.Offering(postgres.AsStaff(t.Context()), "weather")
	if err != nil || !slices.Equal(o.Plans[0].Terms.BilledClasses, []int16{2, 5}) {
		t.Errorf("%+v, %v", o, err)
	}
	p.Stranger(t).Get("/pricing/weather").Has(t, 200, "Only 2xx and 5xx answers are billed")
}

func between(t *testing.T, text, before, after string) string {
	t.Helper()
	for rest := text; ; {
		_, tail, ok := strings.Cut(rest, before)
		if !ok {
			t.Fatalf("nothing after %q", before)
		}
		found, _, _ := strings.Cut(tail, after)
		if _, err := uuid.Parse(found); err == nil {
			return found
		}
		rest = tail
	}
}
