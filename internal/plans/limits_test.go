package plans_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/pricing"
	"tollgate/internal/problem"
	"tollgate/internal/quota"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// shop is a product of one API, one of whose operations weighs 10, and a
// customer who may subscribe to it.
type shop struct {
	t       *testing.T
	db      *postgres.DB
	clock   *clock.Clock
	plans   *plans.Service
	product uuid.UUID
	version uuid.UUID
	org     uuid.UUID
	app     uuid.UUID
	staff   uuid.UUID
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, db: pgtest.New(t), clock: clock.Fixed(start), version: uuid.New(), org: uuid.New(), app: uuid.New(), staff: uuid.New()}
	s.plans = plans.New(s.db, s.clock)
	api, upstream := uuid.New(), uuid.New()
	s.exec(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'reports', 'Reports', 'public', $2)`, api, start)
	s.exec(`INSERT INTO upstreams (id, created_at) VALUES ($1, $2)`, upstream, start)
	s.exec(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ($1, $2, $3, 'v1', 'published', '/reports', 'Reports', 'openapi', '{}', 2, $4)`, s.version, api, upstream, start)
	for i, path := range []string{"/small", "/large/{id}"} {
		s.exec(`INSERT INTO operations (id, version_id, slug, position, method, path, weight, detail, search) VALUES ($1, $2, $3::text, $4, 'GET', $5, $6, '{}', '')`,
			uuid.New(), s.version, []string{"small", "large"}[i], i, path, []int{1, 10}[i])
	}
	s.exec(`INSERT INTO organizations (id, name, time_zone, created_at) VALUES ($1, 'Acme', 'Europe/Zurich', $2)`, s.org, start)
	s.exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES ($1, $2, 'Default', $3)`, s.app, s.org, start)
	s.exec(`INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, 'mia@provider.example', '', $2)`, s.staff, start)
	p, err := s.plans.CreateProduct(s.ctx(), s.staff, plans.NewProduct{Slug: "reports", Name: "Reports", Versions: []uuid.UUID{s.version}})
	if err != nil {
		t.Fatal(err)
	}
	s.product = p.ID
	return s
}

func (s *shop) ctx() context.Context { return postgres.AsStaff(s.t.Context()) }

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.StaffPool().Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) plan(limits ...plans.Limit) plans.NewPlan {
	return plans.NewPlan{Product: s.product, Slug: "p" + uuid.NewString()[:8], Name: "Pro", Sale: plans.SelfServe, Currency: "usd", Limits: limits}
}

func (s *shop) create(in plans.NewPlan) plans.Offer {
	s.t.Helper()
	o, err := s.plans.CreatePlan(s.ctx(), s.staff, in)
	if err != nil {
		s.t.Fatalf("%v %v", err, problem.As(err).Fields)
	}
	return o
}

func TestAPlanKeepsLimitsOfEveryKind(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	adapt := quota.Adapt{Schedule: []quota.Slot{{Days: []time.Weekday{time.Monday}, From: "22:00", To: "06:00", Percent: 300}},
		Surge: quota.Surge{Percent: 200, For: 5 * time.Minute}, Shrink: quota.Shrink{Percent: 50, Errors: 20, Latency: 2 * time.Second}}
	leaky := plans.Limit{Calls: 5, Window: time.Second, Algorithm: quota.LeakyBucket, Scope: quota.PerKey, Burst: 9}
	bucket := plans.Limit{Calls: 600, Window: time.Minute, Algorithm: quota.TokenBucket, Scope: quota.PerOrganization, Burst: 1200, Adapt: adapt}
	heavy := plans.Limit{Calls: 20, Window: time.Hour, Operation: "GET /large/{id}"}
	atOnce := plans.Limit{Concurrent: true, Calls: 4}
	month := plans.Limit{Quota: true, Calls: 5_000_000_000, CalendarMonth: true}
	o := s.create(s.plan(leaky, bucket, heavy, atOnce, month))
	read, err := s.plans.TermsOf(s.ctx(), o.Terms.VersionID)
	if err != nil {
		t.Fatal(err)
	}
	got := read[o.Terms.VersionID].Limits
	if len(got) != 5 {
		t.Fatalf("%+v", got)
	}
	if l := got[1]; l.Algorithm != quota.TokenBucket || l.Scope != quota.PerOrganization || l.Burst != 1200 || l.Window != time.Minute || l.Adapt.Schedule[0].From != "22:00" || l.Adapt.Surge != adapt.Surge || l.Adapt.Shrink != adapt.Shrink {
		t.Errorf("%+v", l)
	}
	if l := got[2]; l.Operation != "GET /large/{id}" || l.Algorithm != quota.FixedWindow || l.Scope != quota.PerApplication {
		t.Errorf("%+v", l)
	}
	if !got[3].Concurrent || !got[4].CalendarMonth || got[4].Hard || got[4].Calls != 5_000_000_000 || got[4].Position != 4 {
		t.Errorf("%+v", got[3:])
	}
}

func TestABalanceIsAlwaysHardAndMayBeginEmpty(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	o := s.create(s.plan(plans.Limit{Quota: true, Prepaid: true}))
	read, err := s.plans.TermsOf(s.ctx(), o.Terms.VersionID)
	if err != nil {
		t.Fatal(err)
	}
	if l := read[o.Terms.VersionID].Limits[0]; !l.Prepaid || !l.Hard || l.Calls != 0 {
		t.Errorf("%+v", l)
	}
}

func TestLimitsThatCannotBeKeptAreRefusedBesideTheirField(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rate := func(change func(*plans.Limit)) plans.NewPlan {
		l := plans.Rate(100, time.Minute)
		change(&l)
		return s.plan(l)
	}
	anonymous := func(limits ...plans.Limit) plans.NewPlan {
		p := s.plan(limits...)
		p.Sale = plans.Anonymous
		return p
	}
	perIP := plans.Limit{Calls: 60, Window: time.Minute, Scope: quota.PerIP}
	charged, paid := anonymous(perIP), anonymous(perIP)
	charged.RecurringFee, paid.Usage = 100, &pricing.Component{Model: pricing.PerUnit, Tiers: []pricing.Tier{{UpTo: pricing.NoEnd}}}
	slots := slices.Repeat([]quota.Slot{{From: "08:00", To: "09:00", Percent: 50}}, plans.MaxSlots+1)
	for name, c := range map[string]struct {
		in    plans.NewPlan
		field string
	}{
		"no calls":                            {rate(func(l *plans.Limit) { l.Calls = 0 }), "limits.0.calls"},
		"half a second":                       {rate(func(l *plans.Limit) { l.Window = time.Second / 2 }), "limits.0.window"},
		"an unknown scope":                    {rate(func(l *plans.Limit) { l.Scope = "galaxy" }), "limits.0.calls"},
		"an operation that is not sold":       {rate(func(l *plans.Limit) { l.Operation = "GET /nothing" }), "limits.0.operation"},
		"a burst of a window":                 {rate(func(l *plans.Limit) { l.Burst = 5 }), "limits.0.burst"},
		"a leaky bucket too small for a call": {rate(func(l *plans.Limit) { l.Algorithm, l.Burst = quota.LeakyBucket, 8 }), "limits.0.burst"},
		"a window too small for a call":       {rate(func(l *plans.Limit) { l.Calls = 9 }), "limits.0.calls"},
		"a slot without a time":               {rate(func(l *plans.Limit) { l.Adapt.Schedule = []quota.Slot{{From: "8", To: "9", Percent: 50}} }), "limits.0.schedule.0.from"},
		"a second slot that moves nothing": {rate(func(l *plans.Limit) {
			l.Adapt.Schedule = []quota.Slot{{From: "08:00", To: "09:00", Percent: 50}, {From: "10:00", To: "11:00"}}
		}), "limits.0.schedule.1.percent"},
		"more slots than anybody needs":         {rate(func(l *plans.Limit) { l.Adapt.Schedule = slots }), "limits.0.adapt"},
		"a surge downwards":                     {rate(func(l *plans.Limit) { l.Adapt.Surge = quota.Surge{Percent: 50, For: time.Minute} }), "limits.0.surge"},
		"a surge without an end":                {rate(func(l *plans.Limit) { l.Adapt.Surge.Percent = 150 }), "limits.0.surge"},
		"shrinking for no reason":               {rate(func(l *plans.Limit) { l.Adapt.Shrink.Percent = 50 }), "limits.0.shrink"},
		"two quotas":                            {s.plan(plans.Quota(10, true), plans.Quota(20, true)), "limits.1.window"},
		"a quota of one operation":              {s.plan(plans.Limit{Quota: true, Calls: 5, Operation: "GET /small"}), "limits.0.operation"},
		"a balance that begins below nothing":   {s.plan(plans.Prepaid(-1)), "limits.0.calls"},
		"a balance that is renewed":             {s.plan(plans.Limit{Quota: true, Prepaid: true, CalendarMonth: true, Calls: 5}), "limits.0.window"},
		"a balance beside a quota":              {s.plan(plans.Prepaid(10), plans.Quota(20, true)), "limits.1.window"},
		"no key and a balance":                  {anonymous(perIP, plans.Prepaid(5)), "limits.1.window"},
		"no key and no limit":                   {anonymous(), "limits"},
		"no key and a rate of one operation":    {anonymous(plans.Limit{Calls: 60, Window: time.Minute, Scope: quota.PerIP, Operation: "GET /small"}), "limits"},
		"no key and a limit of a subscription":  {anonymous(perIP, plans.Limit{Calls: 60, Window: time.Minute, Scope: quota.PerKey}), "limits.1.scope"},
		"no key and a quota":                    {anonymous(perIP, plans.Quota(5, true)), "limits.1.window"},
		"no key and a fee":                      {charged, "fee"},
		"no key and a price":                    {paid, "model"},
		"more limits than anybody can remember": {s.plan(make([]plans.Limit, 13)...), "limits"},
	} {
		_, err := s.plans.CreatePlan(s.ctx(), s.staff, c.in)
		if e := problem.As(err); err == nil || e.Fields[c.field] == "" {
			t.Errorf("%s: %v, %v", name, err, e)
		}
	}
	if o := s.create(anonymous(plans.Limit{Calls: 60, Window: time.Minute})); o.Terms.Limits[0].Scope != quota.PerIP {
		t.Errorf("a rate without a key counts by %s", o.Terms.Limits[0].Scope)
	}
}

func TestALeakyBucketIsCheckedAgainstTheOperationsThatItMeets(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.create(s.plan(plans.Limit{Calls: 5, Window: time.Second, Algorithm: quota.LeakyBucket, Operation: "GET /small"}))
	s.create(s.plan(plans.Limit{Calls: 5, Window: time.Second, Algorithm: quota.LeakyBucket, Burst: 9}))
}
