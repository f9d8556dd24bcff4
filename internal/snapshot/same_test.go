package snapshot

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// fataler is a test or a property.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// same fails unless two views hold the same.
func same(t fataler, got, want *View) {
	t.Helper()
	g, w := got.text(), want.text()
	if g == w {
		return
	}
	a, b := strings.Split(g, "\n"), strings.Split(w, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("the views differ:\n got %s\nwant %s", a[i], b[i])
		}
	}
	t.Fatalf("the views differ: %d and %d lines", len(a), len(b))
}

// text writes all that a view answers from, in one order.
func (v *View) text() string {
	d := v.rows()
	slices.SortFunc(d.Keys, func(a, b Credential) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	slices.SortFunc(d.Subscriptions, func(a, b Subscription) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	var s strings.Builder
	keys, routes, subscriptions := v.Size()
	fmt.Fprintln(&s, "version", v.Version, v.ClockOffset, "size", keys, routes, subscriptions)
	for _, k := range d.Keys {
		restricted := k.access != 0
		found := v.Lookup(k.Hash)
		k.access = 0
		fmt.Fprintf(&s, "key %+v found %v %v\n", k, found != nil && found.ID == k.ID, d.Access[k.ID].text())
		if restricted != (d.Access[k.ID].text() != "") {
			fmt.Fprintln(&s, "restrictions got lost")
		}
	}
	for _, sub := range d.Subscriptions {
		h := v.holds.find(holdKey{sub.Application, sub.Product})
		if h == nil {
			fmt.Fprintf(&s, "subscription %s is not found\n", sub.ID)
			continue
		}
		sub.PeriodStart, sub.PeriodEnd = sub.PeriodStart.UTC(), sub.PeriodEnd.UTC()
		fmt.Fprintf(&s, "subscription %+v %s %v sets %d\n", sub, h.zone, h.Plan == v.plans[sub.PlanVersion], len(h.sets))
	}
	for _, p := range d.Plans {
		fmt.Fprintf(&s, "plan %+v\n", p)
	}
	for _, ver := range d.Versions {
		r, _ := v.Route(ver.Host, ver.PathPrefix)
		fmt.Fprintf(&s, "version %+v routed %v\n", ver, r != nil && r.ID == ver.ID && r.Host == ver.Host)
	}
	for _, product := range slices.SortedFunc(maps.Keys(v.anonymous), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		fmt.Fprintf(&s, "anonymous %s %s\n", product, v.anonymous[product].Plan.ID)
	}
	return s.String()
}
