package catalog

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/clock"
	"tollgate/internal/jobs"
	"tollgate/internal/openapi"
	"tollgate/internal/outbound"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/problem"
)

const weather = `openapi: 3.1.0
info: {title: Weather, version: "1.0", description: "Forecasts \0 and readings."}
paths:
  /forecast/{city}:
    get:
      operationId: getForecast
      tags: [Forecasts]
      summary: Forecast of a city
      description: "The days ahead, with \0 rain."
      parameters: [{name: city, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, properties: {celsius: {type: integer, example: 21}}}}}}
  /stations:
    get: {operationId: listStations, tags: [Stations], summary: List stations, responses: {"200": {description: ok}}}
    post: {operationId: createStation, tags: [Stations], summary: Create a station, deprecated: true, responses: {"201": {description: made}}}
`

type bundle struct {
	*Service
	db       *postgres.DB
	accounts *accounts.Service
	clock    *clock.Clock
	staff    context.Context
	actor    uuid.UUID
}

func setup(t testing.TB) bundle {
	t.Helper()
	db, c := pgtest.New(t), clock.Fixed(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	queue, err := jobs.NewQueue(db.StaffPool())
	if err != nil {
		t.Fatal(err)
	}
	people, err := accounts.New(db, c)
	if err != nil {
		t.Fatal(err)
	}
	who, err := people.AddStaff(t.Context(), accounts.SignUp{Email: "product@example.com", Password: "correct horse battery"}, "Provider", "product")
	if err != nil {
		t.Fatal(err)
	}
	guard := outbound.Networks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	return bundle{New(db, c, queue, Guards{Documents: guard, Upstreams: guard}), db, people, c, postgres.AsStaff(t.Context()), who.User}
}

func (b bundle) submit(t testing.TB, src Source) Publication {
	t.Helper()
	id, err := b.Submit(b.staff, b.actor, src)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a job may run twice
		if err := b.Read(b.staff, ReadJob{id}); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Publication(b.staff, id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func api(slug string) NewAPI {
	return NewAPI{Name: strings.ToUpper(slug), Slug: slug, UpstreamURL: "http://127.0.0.1:9000/v1", PathPrefix: "/" + slug, Visibility: Public}
}

func (b bundle) publish(t testing.TB, document string, in NewAPI) Entry {
	t.Helper()
	p := b.submit(t, Source{Name: "api.yaml", Document: []byte(document)})
	e, err := b.Publish(b.staff, b.actor, p.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func fields(t *testing.T, err error) map[string]string {
	t.Helper()
	var e *problem.Error
	if !errors.As(err, &e) || e.Code != "invalid" {
		t.Fatalf("error %v, want an invalid input", err)
	}
	return e.Fields
}

func TestPublishingMakesOneRowPerOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.submit(t, Source{Name: "weather.yaml", Document: []byte(weather)})
	if p.State != Ready || p.Title != "Weather" || p.OperationCount != 3 || p.Step != StepRead {
		t.Fatalf("publication %+v", p)
	}
	e, err := b.Publish(b.staff, b.actor, p.ID, api("weather"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(b.staff, b.actor, p.ID, api("other")); !problem.Is(err, "conflict") {
		t.Errorf("published twice: %v", err)
	}
	stranger := postgres.AsMember(t.Context(), uuid.Nil, uuid.Nil)
	ref, err := b.Operation(stranger, "weather", e.mustSlug(t, b, "/forecast/{city}"))
	if err != nil {
		t.Fatal(err)
	}
	if ref.Operation.Summary != "Forecast of a city" || ref.TagCount != 1 || len(ref.Siblings) != 1 || ref.Weight != 1 || len(ref.Operation.Responses) != 1 {
		t.Errorf("reference %+v", ref)
	}
	tags, err := b.Tags(stranger, e.Version.ID, 1)
	if err != nil || len(tags) != 2 || tags[1].Name != "Stations" || tags[1].Count != 2 || len(tags[1].First) != 1 {
		t.Errorf("tags %+v, %v", tags, err)
	}
	if doc, err := b.Document(stranger, e.Version.ID); err != nil || doc.Title != "Weather" || len(doc.Operations) != 3 {
		t.Errorf("document %v", err)
	}
	if p, err = b.Publication(b.staff, p.ID); err != nil || p.State != Done || *p.VersionID != e.Version.ID {
		t.Errorf("publication %+v, %v", p, err)
	}
}

func (e Entry) mustSlug(t testing.TB, b bundle, path string) string {
	t.Helper()
	rows, _, err := b.Operations(b.staff, OperationQuery{Version: e.Version.ID, Text: path})
	if err != nil || len(rows) == 0 {
		t.Fatalf("no operation %s: %v", path, err)
	}
	return rows[0].Slug
}

func TestDocumentsThatCannotBePublishedSayWhyAndLeaveNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	big := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/good" {
			_, _ = w.Write([]byte(weather))
			return
		}
		http.Error(w, "gone", http.StatusGone)
	}))
	t.Cleanup(big.Close)
	if p := b.submit(t, Source{URL: big.URL + "/good"}); p.State != Ready || p.Source != big.URL+"/good" {
		t.Errorf("fetched document: %+v", p)
	}
	for name, c := range map[string]struct {
		src  Source
		want string
	}{
		"not OpenAPI":   {Source{Name: "a", Document: []byte("hello: world")}, "openapi"},
		"broken YAML":   {Source{Name: "a", Document: []byte("openapi: 3.1.0\n  info: [")}, "line"},
		"missing URL":   {Source{URL: big.URL + "/x"}, "410"},
		"denied URL":    {Source{URL: "http://10.0.0.1/x"}, "not allowed"},
		"not a webpage": {Source{Name: "a", Document: []byte("<html>")}, ""},
	} {
		p := b.submit(t, c.src)
		if p.State != Invalid || len(p.Findings) == 0 || p.Findings[0].Severity != openapi.Error || p.Findings[0].Message == "" {
			t.Errorf("%s: %+v", name, p)
			continue
		}
		if _, err := b.Publish(b.staff, b.actor, p.ID, api("weather")); !problem.Is(err, "conflict") {
			t.Errorf("%s was published: %v", name, err)
		}
		if text := p.Findings[0].Message; c.want == "410" && !strings.Contains(text, "410") || c.want == "not allowed" && !strings.Contains(text, c.want) {
			t.Errorf("%s: %q", name, text)
		}
	}
	if all, err := b.List(b.staff, ""); err != nil || len(all) != 0 {
		t.Errorf("APIs %v, %v", all, err)
	}
	for _, src := range []Source{{}, {URL: "ftp://x"}, {URL: "http://user@example.com"}, {Document: make([]byte, openapi.MaxBytes+1)}} {
		if _, err := b.Submit(b.staff, b.actor, src); err == nil {
			t.Errorf("accepted %.40s", src.URL)
		}
	}
}

func TestPublishSaysWhatIsWrongBesideEachField(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publish(t, weather, api("weather"))
	p := b.submit(t, Source{Name: "b", Document: []byte(weather)})
	for field, change := range map[string]func(*NewAPI){
		"name":         func(a *NewAPI) { a.Name = " " },
		"slug":         func(a *NewAPI) { a.Slug = "Not This" },
		"upstream_url": func(a *NewAPI) { a.UpstreamURL = "gopher://x" },
		"test_url":     func(a *NewAPI) { a.TestURL = "http://x/?a=b" },
		"path_prefix":  func(a *NewAPI) { a.PathPrefix = "/weather" }, // taken
		"host":         func(a *NewAPI) { a.Host = "https://x" },
		"visibility":   func(a *NewAPI) { a.Visibility = "" },
	} {
		in := api("second")
		change(&in)
		_, err := b.Publish(b.staff, b.actor, p.ID, in)
		if got := fields(t, err); len(got) != 1 || got[field] == "" {
			t.Errorf("%s: %v", field, got)
		}
	}
	for name, in := range map[string]NewAPI{"a slug that is taken": api("weather"), "another version than the live one": {Replaces: uuid.New()}} {
		taken := api("weather")
		taken.PathPrefix, taken.Replaces = "/elsewhere", in.Replaces
		if _, err := b.Publish(b.staff, b.actor, p.ID, taken); fields(t, err)["replaces"] == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := b.List(b.staff, ""); err != nil || len(all) != 1 {
		t.Errorf("%d APIs, %v: a refused one left something", len(all), err)
	}
	for _, prefix := range []string{"", "/a/../b", "/a/", "a", "/a b", "/%41", "/healthz", "/readyz/x", "/-/limits"} {
		in := api("second")
		in.PathPrefix = prefix
		if _, err := b.Publish(b.staff, b.actor, p.ID, in); fields(t, err)["path_prefix"] == "" {
			t.Errorf("accepted %q", prefix)
		}
	}
}

func TestAnUpstreamThatTheGatewayWouldRefuseIsNotPublished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.submit(t, Source{Name: "a", Document: []byte(weather)})
	for _, address := range []string{"http://10.3.3.3/", "http://[::1]:80/", "http://169.254.169.254/latest", "https://192.168.1.1"} {
		in := api("weather")
		in.UpstreamURL = address
		if _, err := b.Publish(b.staff, b.actor, p.ID, in); fields(t, err)["upstream_url"] == "" {
			t.Errorf("published with upstream %s: %v", address, err)
		}
		in.UpstreamURL, in.TestURL = "http://127.0.0.1:9", address
		if _, err := b.Publish(b.staff, b.actor, p.ID, in); fields(t, err)["test_url"] == "" {
			t.Errorf("published with test upstream %s: %v", address, err)
		}
	}
	in := api("weather")
	in.UpstreamURL = "http://not-known-here.invalid" // the gateway may know it
	if _, err := b.Publish(b.staff, b.actor, p.ID, in); err != nil {
		t.Error(err)
	}
}

func TestAHostOfItsOwnIsReachedOnTheGatewaysPort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host, gateway, want string
	}{
		{"", "http://127.0.0.1:8000", "http://127.0.0.1:8000/a"},
		{"", "https://gw.example/", "https://gw.example/a"},
		{"api.example", "http://127.0.0.1:8000", "http://api.example:8000/a"},
		{"api.example", "https://gw.example", "https://api.example/a"},
	} {
		if got := (Version{Host: c.host, PathPrefix: "/a"}).BaseURL(c.gateway); got != c.want {
			t.Errorf("host %q at %s: %s, want %s", c.host, c.gateway, got, c.want)
		}
	}
}

func TestReplacingRetiresTheLiveVersionAndKeepsProductsSelling(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.publish(t, weather, api("weather"))
	p, err := plans.New(b.db, b.clock).CreateProduct(b.staff, b.actor, plans.NewProduct{Slug: "w", Name: "W", Versions: []uuid.UUID{first.Version.ID}})
	if err != nil {
		t.Fatal(err)
	}
	next := api("weather")
	next.Replaces, next.PathPrefix = first.Version.ID, "/weather/v2"
	second := b.publish(t, strings.Replace(weather, `"1.0"`, `"1.1"`, 1), next)
	if second.ID != first.ID || second.Version.ID == first.Version.ID {
		t.Errorf("%v then %v", first, second)
	}
	e, err := b.API(b.staff, "weather")
	if err != nil || e.Version.Label != "1.1" {
		t.Errorf("%+v, %v", e, err)
	}
	var lifecycle string
	var sells uuid.UUID
	err = b.db.InTx(b.staff, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.PGX.QueryRow(ctx, `SELECT lifecycle FROM api_versions WHERE id = $1`, first.Version.ID).Scan(&lifecycle); err != nil {
			return err
		}
		return tx.PGX.QueryRow(ctx, `SELECT version_id FROM product_versions WHERE product_id = $1`, p.ID).Scan(&sells)
	})
	if err != nil || lifecycle != Retired || sells != second.Version.ID {
		t.Errorf("%s, %s, %v", lifecycle, sells, err)
	}
}

func TestDiscardedDraftsAreGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.submit(t, Source{Name: "a", Document: []byte(weather)})
	if err := b.Discard(b.staff, b.actor, p.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.Discard(b.staff, b.actor, p.ID); !problem.Is(err, "conflict") {
		t.Error(err)
	}
	if drafts, err := b.Drafts(b.staff); err != nil || len(drafts) != 0 {
		t.Error(drafts, err)
	}
	if _, err := b.Publish(b.staff, b.actor, p.ID, api("weather")); !problem.Is(err, "conflict") {
		t.Error(err)
	}
}
