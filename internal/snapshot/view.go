package snapshot

import (
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/keys/token"
	"tollgate/internal/quota"
	"tollgate/internal/subscriptions/period"
)

// View answers the gateway's questions from memory. It never changes.
type View struct {
	Version     int64
	ClockOffset time.Duration
	keys        map[token.Hash]*Key
	routes      []*Route // longest prefix first, named hosts before any host
	holds       map[hold]*Hold
	data        *Data
}

// Route is a published version and how to reach it.
type Route struct {
	Version
	Live, Test *url.URL // Test is nil where test calls are refused
	operations matcher
}

// Plan is what a subscription's terms let through.
type Plan struct {
	Rates []quota.Rate
	Quota int64 // calls per billing period; 0: none
	Hard  bool  // whether the quota blocks
}

// Hold is a subscription as it applies to one version.
type Hold struct {
	*Subscription
	Plan *Plan
	zone *time.Location
}

// Period is the billing period that contains now. It follows from the calendar,
// so that a quota is renewed also while the portal is away; ok is false once the
// subscription was cancelled for the end of a period that has passed.
func (h *Hold) Period(now time.Time) (p period.Period, ok bool) {
	p = period.Period{Start: h.PeriodStart, End: h.PeriodEnd}
	if now.Before(p.End) {
		return p, true
	}
	return p.At(now, h.AnchorDay, h.zone), !h.CancelAtEnd
}

type hold struct{ application, version uuid.UUID }

// Build indexes d. An invalid view is an error: the caller keeps its last good one.
func Build(d *Data) (*View, error) {
	v := &View{Version: d.Version, ClockOffset: d.ClockOffset, keys: make(map[token.Hash]*Key, len(d.Keys)), holds: map[hold]*Hold{}, data: d}
	for i := range d.Keys {
		k := &d.Keys[i]
		if len(k.Hash) != len(token.Hash{}) {
			return nil, fmt.Errorf("key %s: its hash has %d bytes", k.ID, len(k.Hash))
		}
		v.keys[token.Hash(k.Hash)] = k
	}
	if err := v.buildRoutes(d); err != nil {
		return nil, err
	}
	v.buildHolds(d)
	return v, nil
}

func (v *View) buildRoutes(d *Data) error {
	byID := map[uuid.UUID]*Route{}
	for _, ver := range d.Versions {
		r := &Route{Version: ver, operations: matcher{}}
		var err error
		if r.Live, err = parseTarget(ver.LiveURL); err != nil {
			return fmt.Errorf("API %s: %w", ver.API, err)
		}
		if ver.TestURL != "" {
			if r.Test, err = parseTarget(ver.TestURL); err != nil {
				return fmt.Errorf("API %s: %w", ver.API, err)
			}
		}
		byID[ver.ID] = r
		v.routes = append(v.routes, r)
	}
	for i := range d.Operations {
		op := &d.Operations[i]
		if r := byID[op.Version]; r != nil {
			r.operations.add(op)
		}
	}
	sort.SliceStable(v.routes, func(i, j int) bool {
		a, b := v.routes[i], v.routes[j]
		if (a.Host == "") != (b.Host == "") {
			return a.Host != ""
		}
		return len(a.PathPrefix) > len(b.PathPrefix)
	})
	return nil
}

func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("upstream %q is not an http or https URL", raw)
	}
	return u, nil
}

func (v *View) buildHolds(d *Data) {
	plans := map[uuid.UUID]*Plan{}
	for _, l := range d.Limits {
		p := plans[l.PlanVersion]
		if p == nil {
			p = &Plan{}
			plans[l.PlanVersion] = p
		}
		if l.Kind == "rate" {
			p.Rates = append(p.Rates, quota.Rate{Calls: l.Calls, Window: time.Duration(l.Window) * time.Second})
		} else {
			p.Quota, p.Hard = l.Calls, l.Hard
		}
	}
	sold := map[uuid.UUID][]uuid.UUID{}
	for _, s := range d.Sales {
		sold[s.Product] = append(sold[s.Product], s.Version)
	}
	zones := map[string]*time.Location{}
	for i := range d.Subscriptions {
		s := &d.Subscriptions[i]
		p := plans[s.PlanVersion]
		if p == nil {
			p = &Plan{}
		}
		zone := zoneOf(zones, s.TimeZone)
		for _, version := range sold[s.Product] {
			v.holds[hold{s.Application, version}] = &Hold{Subscription: s, Plan: p, zone: zone}
		}
	}
}

// zoneOf looks a time zone up once.
func zoneOf(known map[string]*time.Location, name string) *time.Location {
	if known[name] == nil {
		known[name] = clock.Zone(name)
	}
	return known[name]
}

// Key finds a key that was not revoked; the caller checks its expiry.
func (v *View) Key(h token.Hash) *Key { return v.keys[h] }

// Hold finds the subscription that lets application call version.
func (v *View) Hold(application, version uuid.UUID) *Hold { return v.holds[hold{application, version}] }

// Route finds the version that answers to host and path, and the path within
// it. Its prefix ends at a segment's end.
func (v *View) Route(host, path string) (*Route, string) {
	for _, r := range v.routes {
		if r.Host != "" && !strings.EqualFold(r.Host, host) {
			continue
		}
		rest, ok := strings.CutPrefix(path, r.PathPrefix)
		if ok && (rest == "" || rest[0] == '/') {
			if rest == "" {
				rest = "/"
			}
			return r, rest
		}
	}
	return nil, ""
}

// Operation finds the operation that method and path (within the version) call.
// HEAD is served by GET.
func (r *Route) Operation(method, path string) *Operation {
	op := r.operations.match(method, path)
	if op == nil && method == "HEAD" {
		op = r.operations.match("GET", path)
	}
	return op
}

// Size counts what the view holds, for the operator.
func (v *View) Size() (keys, routes, subscriptions int) {
	return len(v.keys), len(v.routes), len(v.data.Subscriptions)
}
