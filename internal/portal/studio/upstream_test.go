package studio_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
	"tollgate/internal/upstream"
)

// posted is the upstream form as the page shows it, unchanged but for more.
func posted(t *testing.T, p *portaltest.Portal, more url.Values) url.Values {
	t.Helper()
	u, err := p.Catalog.Upstream(postgres.AsStaff(t.Context()), "weather")
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"upstream": {u.ID.String()}, "target_mode": {"live", "test", "live"}, "target_url": {"http://127.0.0.1:9001", "http://127.0.0.1:9002/t", "http://127.0.0.1:9003"}, "target_weight": {"3", "", "1"}}
	for name, values := range more {
		form[name] = values
	}
	return form
}

func TestAnUpstreamIsSetAndShownAgain(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	const page = "/studio/apis/weather/upstream"
	b.Get("/studio").Has(t, 200, page)
	b.Get(page).Has(t, 200, `placeholder="/healthz"`, `placeholder="10s"`, "the gateway’s own", `value="1"`)
	b.Post(page, posted(t, p, url.Values{
		"balance": {"least_requests"}, "websocket": {"1"}, "active.path": {"/up"}, "active.every": {"30s"}, "passive.failures": {"-1"}, "timeouts.call": {"1m"}, "timeouts.first_byte": {"500ms"},
		"retry.attempts": {"2"}, "cors.origins": {"https://a.example, https://b.example"}, "cors.credentials": {"1"}, "cors.max_age": {"600"}, "breaker.open": {"2s"}, "max_body": {"10 mib"},
	})).Has(t, 303)
	u, err := p.Catalog.Upstream(postgres.AsStaff(t.Context()), "weather")
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Live) != 2 || u.Live[0] != (upstream.Target{URL: "http://127.0.0.1:9001", Weight: 3}) || len(u.Test) != 1 || u.Test[0].Weight != 1 {
		t.Errorf("%+v %+v", u.Live, u.Test)
	}
	if pol := u.Policy; pol.Balance != upstream.LeastRequests || !pol.WebSocket || pol.Active.Path != "/up" || pol.Active.Every != 30*time.Second || pol.Passive.Failures != -1 || pol.Timeouts.FirstByte != 500*time.Millisecond || pol.Timeouts.Call != time.Minute || pol.Retry.Attempts != 2 || pol.Active.Timeout != 0 || pol.MaxBody != 10<<20 {
		t.Errorf("%+v", pol)
	}
	if len(u.CORS.Origins) != 2 || !u.CORS.Credentials || u.CORS.MaxAge != 600 {
		t.Errorf("%+v", u.CORS)
	}
	b.Get(page).Has(t, 200, `value="30s"`, `value="500ms"`, `value="1m"`, "https://a.example https://b.example", "http://127.0.0.1:9003", `value="-1"`, `value="10 MiB"`)
	b.Post(page, posted(t, p, url.Values{"active.path": {"/up"}, "active.every": {"1m"}, "cors.origins": {"https://b.example"}, "retry.attempts": {"2"}, "target_weight": {"3", "1", "2"}})).Has(t, 303)
	b.Post(page, posted(t, p, url.Values{"active.path": {"/up"}, "active.every": {"1m"}, "cors.origins": {"https://b.example"}, "retry.attempts": {"2"}, "target_weight": {"3", "1", "2"}})).Has(t, 303)
	want := []map[string]string{{"upstream": u.ID.String(), "live": "http://127.0.0.1:9000=1 → http://127.0.0.1:9001=3 http://127.0.0.1:9003=1", "test": "none → http://127.0.0.1:9002/t=1",
		"balance": "default → least_requests", "websocket": "false → true", "active.path": "default → /up", "active.every": "default → 30s", "passive.failures": "default → -1", "timeouts.call": "default → 1m0s",
		"timeouts.first_byte": "default → 500ms", "retry.attempts": "default → 2", "cors.origins": "default → https://a.example https://b.example", "cors.credentials": "false → true", "cors.max_age": "default → 600", "breaker.open": "default → 2s", "max_body": "default → 10 MiB"},
		{"upstream": u.ID.String(), "live": "http://127.0.0.1:9001=3 http://127.0.0.1:9003=1 → http://127.0.0.1:9001=3 http://127.0.0.1:9003=2", "balance": "least_requests → default", "websocket": "true → false",
			"active.every": "30s → 1m0s", "passive.failures": "-1 → default", "timeouts.call": "1m0s → default", "timeouts.first_byte": "500ms → default", "cors.origins": "https://a.example https://b.example → https://b.example",
			"cors.credentials": "true → false", "cors.max_age": "600 → default", "breaker.open": "2s → default", "max_body": "10 MiB → default"}}
	if noted := noted(t, p, "upstream.change"); !reflect.DeepEqual(noted, want) { // the third form changed nothing
		t.Errorf("noted %v\nwant  %v", noted, want)
	}
	more := b.Post(page, posted(t, p, url.Values{"add_target": {"1"}})).Has(t, 200)
	if n := strings.Count(more.Body, `name="target_url"`); n != 4 {
		t.Errorf("%d rows, want one more than three", n)
	}
}

// noted are the details of all audit entries of an action, oldest first.
func noted(t *testing.T, p *portaltest.Portal, action string) []map[string]string {
	t.Helper()
	rows, err := p.DB.StaffPool().Query(t.Context(), `SELECT details FROM audit_events WHERE action = $1 ORDER BY at, id`, action)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[map[string]string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUpstreamMistakesStandBesideTheirFields(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "admin")
	publish(t, p, b)
	before, err := p.Catalog.Upstream(postgres.AsStaff(t.Context()), "weather")
	if err != nil {
		t.Fatal(err)
	}
	for message, change := range map[string]url.Values{
		"may not connect to this address":           {"target_url": {"http://169.254.169.254/", "", "http://127.0.0.1:9003"}},
		"Say where the gateway sends the calls":     {"target_url": {"", "http://127.0.0.1:9002", ""}},
		"without user, query or fragment":           {"target_url": {"ftp://x", "", ""}},
		"Give a weight from 1 to 1,000":             {"target_weight": {"0", "1", "1"}},
		"Type a whole number":                       {"target_weight": {"some", "1", "1"}},
		"Write a time such as 250ms":                {"active.every": {"soon"}},
		"Give a time from 1s to 1h, or leave":       {"active.every": {"10ms"}},
		"Give a path that begins with a slash":      {"active.path": {"healthz"}},
		"Choose round robin or least":               {"balance": {"dice"}},
		"The first byte has more time than":         {"timeouts.call": {"1s"}, "timeouts.first_byte": {"2s"}},
		"is not an origin. Write scheme":            {"cors.origins": {"app.example.com"}},
		"Write a size such as 10 MiB":               {"max_body": {"10 MB"}},
		"Give a size from 1 B to 1024 GiB":          {"max_body": {"2000 GiB"}},
		"Browsers send credentials only to":         {"cors.origins": {"*"}, "cors.credentials": {"1"}},
		"Give a number from 1 to 5, −1 to turn":     {"retry.attempts": {"50"}},
		"Another version of this API was published": {"upstream": {"00000000-0000-0000-0000-000000000001"}},
	} {
		b.Post("/studio/apis/weather/upstream", posted(t, p, change)).Has(t, 422, message)
	}
	after, err := p.Catalog.Upstream(postgres.AsStaff(t.Context()), "weather")
	if err != nil || len(after.Live) != 1 || after.Live[0] != before.Live[0] {
		t.Errorf("%+v, %v", after, err)
	}
	b.Get("/studio/apis/nothing/upstream").Has(t, 404)
	p.Staff(t, "finance").Get("/studio/apis/weather/upstream").Has(t, 403)
}
