package studio_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
	"tollgate/internal/quota"
)

func TestLimitRowsAreAddedAndTheirMistakesStandBesideThem(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b)
	form := proForm()
	form.Set("add_limit", "1")
	form.Set("name", "")
	more := b.Post(u+"/plans/new", form).Has(t, 200, `value="10"`)
	if n := strings.Count(more.Body, `name="limit_calls"`); n != 3 {
		t.Errorf("%d rows, want one more than two", n)
	}
	form = proForm()
	form["limit_calls"], form["limit_per"], form["limit_algorithm"], form["limit_burst"] = []string{"10", "", "5"}, []string{"second", "period", "at_once"}, []string{"leaky_bucket", "", ""}, []string{"x", "", "7"}
	b.Post(u+"/plans/new", form).Has(t, 422, "Type a whole number", "Only the two buckets have a burst")
	form["limit_burst"] = []string{"20", "", ""}
	form["surge_percent"], form["surge_minutes"] = []string{"", "", ""}, []string{"", "", ""}
	b.Post(u+"/plans/new", form).Has(t, 303)
	b.Get(u).Has(t, 200, "10 calls a second (at an even pace, up to 20 ahead of it); 5 calls at once")
	b.Get("/pricing/weather").Has(t, 200, "5 calls at once")

	anonymous := url.Values{"name": {"Open"}, "slug": {"open"}, "sale": {"anonymous"}, "currency": {"usd"}, "model": {"none"}, "limit_calls": {"60"}, "limit_per": {"minute"}, "monthly_fee": {"1"}}
	b.Post(u+"/plans/new", anonymous).Has(t, 422, "A plan without a key is free")
	anonymous.Set("monthly_fee", "")
	b.Post(u+"/plans/new", anonymous).Has(t, 303)
	p.Stranger(t).Get("/pricing/weather").Has(t, 200, "No key needed", "60 calls a minute from each address")
	doc := p.Stranger(t).Get("/apis/weather/openapi.json").Has(t, 200, `"x-tollgate-plans"`, `"plan":"Open","key":"none"`, `"algorithm":"leaky_bucket"`, `"scope":"ip"`, `"burst":20`)
	if !strings.Contains(doc.Body, `"security":[{"TollgateBearer":[]},{"TollgateKey":[]},{}]`) {
		t.Error("the document asks for a key although a plan needs none")
	}
}

func TestALimitChangesAtAsManyTimesAsAreDeclared(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b)
	form := proForm()
	form["limit_calls"], form["limit_per"] = []string{"10", "500"}, []string{"second", "hour"}
	form.Set("add_slot", "2")
	if n := strings.Count(b.Post(u+"/plans/new", form).Has(t, 200, "autofocus").Body, `name="slot_from_2"`); n != 1 {
		t.Errorf("%d times of the second limit, want the one that was asked for", n)
	}
	form.Del("add_slot")
	form["slot_days_2"], form["slot_percent_2"] = []string{"weekdays", "", "friday", ""}, []string{"150", "", "0", "120"}
	form["slot_from_2"], form["slot_to_2"] = []string{"08:00", "", "20:00", "00:00"}, []string{"18:00", "", "02:00", "25:00"}
	b.Post(u+"/plans/new", form).Has(t, 422, "Give a time of day such as 18:00", "Give 1 to 1,000 %", `value="20:00"`)
	form["slot_percent_2"][2], form["slot_to_2"][3] = "300", "00:00"
	b.Post(u+"/plans/new", form).Has(t, 303)
	b.Get(u).Has(t, 200, "500 calls an hour (150 % Monday to Friday 08:00–18:00; 300 % Friday 20:00–02:00; 120 % every day)")
	p.Stranger(t).Get("/apis/weather/openapi.json").Has(t, 200, `"adapts":true`)

	o, err := p.Plans.Offering(postgres.AsStaff(t.Context()), "weather")
	if err != nil {
		t.Fatal(err)
	}
	want := []quota.Slot{{Days: []time.Weekday{1, 2, 3, 4, 5}, From: "08:00", To: "18:00", Percent: 150}, {Days: []time.Weekday{time.Friday}, From: "20:00", To: "02:00", Percent: 300}, {From: "00:00", To: "00:00", Percent: 120}}
	limits := o.Plans[0].Terms.Limits
	if len(limits[0].Adapt.Schedule) != 0 || !slices.EqualFunc(limits[1].Adapt.Schedule, want, func(a, b quota.Slot) bool {
		return slices.Equal(a.Days, b.Days) && a.From == b.From && a.To == b.To && a.Percent == b.Percent
	}) {
		t.Errorf("%+v", limits)
	}
}

func TestALimitsOperationIsChosenFromThePublishedOnes(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b)
	rows := proForm()
	rows.Set("add_limit", "1")
	if offered := b.Post(u+"/plans/new", rows).Has(t, 200, `list="operations"`, `<datalist id="operations">`); strings.Count(offered.Body, `<option value="GET /forecast/{city}">`) != 1 {
		t.Error("the operations are not listed once for all limits")
	}
	form := proForm()
	form["limit_operation"] = []string{"GET /gone", ""}
	for button, status := range map[string]int{"": 422, "preview": 422, "add_limit": 200} {
		sent := maps.Clone(form)
		sent.Set(button, "1")
		b.Post(u+"/plans/new", sent).Has(t, status, `value="GET /gone"`, "No published operation of this product has this name")
	}
	form["limit_operation"] = []string{"GET /forecast/{city}", ""}
	b.Post(u+"/plans/new", form).Has(t, 303)
	plan := u + "/plans/" + between(t, b.Get(u).Body, u+"/plans/", `"`)
	b.Get(plan).Has(t, 200, "10 calls a second of GET /forecast/{city}").Lacks(t, "not published")
	if _, err := p.DB.StaffPool().Exec(t.Context(), `UPDATE operations SET path = '/elsewhere'`); err != nil {
		t.Fatal(err)
	}
	b.Get(plan).Has(t, 200, "Counts nothing: not published any more")
}
