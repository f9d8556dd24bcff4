package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/upstream"
)

// builder makes views one from another. What it keeps itself is needed to
// change a view, not to answer from it. One goroutine uses it at a time.
type builder struct {
	groups *upstream.Groups
	keys   map[uuid.UUID]uint16 // shards, by id
	holds  map[uuid.UUID]uint16
	access map[string]uint32 // numbers of restrictions, by their text
	zones  map[string]*time.Location
	stale  []uuid.UUID // versions whose change was refused: looked at again with the next one
}

func newBuilder() *builder {
	return &builder{groups: upstream.NewGroups(clock.New().Steady()), zones: map[string]*time.Location{}}
}

// Build makes a view of all rows. An invalid one is an error.
func Build(d *Data) (*View, error) {
	v, refused, err := newBuilder().build(d, nil)
	return v, errors.Join(err, refused)
}

// build makes a view of all rows. Routes are taken whole or not at all: when
// one is invalid, refused says why and those of the last view stay, if there is
// one. Anything else that is invalid is an error.
func (b *builder) build(d *Data, last *View) (v *View, refused, err error) {
	v = &View{Version: d.Version, ClockOffset: d.ClockOffset, access: []*AccessSet{{}}}
	b.access = map[string]uint32{}
	b.stale = nil
	restrict(b, v, d)
	v.keys, b.keys = newTable[credentialKey, Credential, *Credential](d.Keys)
	plans := make(map[uuid.UUID]*Plan, len(d.Plans))
	for _, t := range d.Plans {
		if plans[t.ID], err = newPlan(t); err != nil {
			return nil, nil, err
		}
	}
	v.setPlans(plans)
	holds, err := b.newHolds(v.plans, d.Subscriptions)
	if err != nil {
		return nil, nil, err
	}
	v.holds, b.holds = newTable[holdKey, held, *held](holds)
	if err := unique(v, b); err != nil {
		return nil, nil, err
	}
	byID := make(map[uuid.UUID]*Route, len(d.Versions))
	if err := b.newRoutes(byID, d.Versions); err != nil {
		if last == nil {
			return nil, nil, err
		}
		v.router = last.router
		for _, ver := range d.Versions {
			b.stale = append(b.stale, ver.ID)
		}
		b.stale = slices.AppendSeq(b.stale, maps.Keys(last.router.byID))
		return v, err, nil
	}
	v.router = newRouter(byID)
	return v, nil, nil
}

// unique refuses rows of which two have one id: such a view could not be
// changed row by row.
func unique(v *View, b *builder) error {
	if v.keys.size > maxRows || v.holds.size > maxRows {
		return errors.New("there are more keys or subscriptions than a view can hold")
	}
	if len(b.keys) != v.keys.size || len(b.holds) != v.holds.size {
		return errors.New("two rows have one id")
	}
	return nil
}

func (b *builder) newHolds(plans map[uuid.UUID]*Plan, subscriptions []Subscription) ([]held, error) {
	holds := make([]held, 0, len(subscriptions))
	for _, s := range subscriptions {
		p := plans[s.PlanVersion]
		if p == nil {
			return nil, fmt.Errorf("the terms of subscription %s are not known", s.ID)
		}
		if !s.PeriodEnd.After(s.PeriodStart) || s.AnchorDay < 1 || s.AnchorDay > 31 {
			return nil, fmt.Errorf("subscription %s contradicts itself", s.ID)
		}
		holds = append(holds, held{newHold(s, p, b.zone(s.TimeZone))})
	}
	return holds, nil
}

// zone looks a time zone up once.
func (b *builder) zone(name string) *time.Location {
	if b.zones[name] == nil {
		b.zones[name] = clock.Zone(name)
	}
	return b.zones[name]
}

// newRoutes adds routes to byID, all or none, and gives them their groups.
func (b *builder) newRoutes(byID map[uuid.UUID]*Route, versions []Version) error {
	routes := make([]*Route, 0, len(versions))
	for _, ver := range versions {
		r, err := newRoute(ver)
		if err != nil {
			return err
		}
		routes = append(routes, r)
	}
	for _, r := range routes {
		var err error
		name := upstream.Name{Upstream: r.Upstream}
		if r.LiveGroup, err = b.groups.Set(name, r.LiveTargets, r.Policy); err != nil {
			return err
		}
		if len(r.TestTargets) > 0 {
			name.Test = true
			if r.TestGroup, err = b.groups.Set(name, r.TestTargets, r.Policy); err != nil {
				return err
			}
		}
		byID[r.ID] = r
	}
	return nil
}

// forget drops the groups that no route of v has.
func (b *builder) forget(v *View) {
	used := map[upstream.Name]bool{}
	for _, r := range v.router.byID {
		used[upstream.Name{Upstream: r.Upstream}] = true
		used[upstream.Name{Upstream: r.Upstream, Test: true}] = r.TestGroup != nil
	}
	b.groups.Keep(func(n upstream.Name) bool { return used[n] })
}

// restrict numbers the restrictions of keys, equal ones alike.
func restrict(b *builder, v *View, d *Data) {
	for i := range d.Keys {
		k := &d.Keys[i]
		a, restricted := d.Access[k.ID]
		k.access = 0
		if !restricted {
			continue
		}
		text := a.text()
		n, known := b.access[text]
		if !known {
			n = uint32(len(v.access))
			v.access = append(v.access, newAccessSet(a))
			b.access[text] = n
		}
		k.access = n
	}
}

func (a Access) text() string {
	scopes, networks := slices.Clone(a.Scopes), slices.Clone(a.Networks)
	slices.Sort(scopes)
	slices.SortFunc(networks, func(a, b netip.Prefix) int { return a.Compare(b) })
	var s strings.Builder
	for _, scope := range scopes {
		s.WriteString(scope + "\n")
	}
	for _, n := range networks {
		s.WriteString("\x00" + n.String())
	}
	return s.String()
}

// Delta is what changed after a version of the view: the ids, and the rows that
// are still there.
type Delta struct {
	Data
	KeyIDs, VersionIDs, PlanIDs, SubscriptionIDs []uuid.UUID
}

// errReload says that a delta cannot be applied and all is to be loaded.
var errReload = errors.New("the change is too deep: load all")

// apply makes a view of an older one and what changed since. refused is as with
// build. After an error the builder needs a whole load.
func (b *builder) apply(old *View, d *Delta) (v *View, refused, err error) {
	next := *old
	v = &next
	v.Version, v.ClockOffset = d.Version, d.ClockOffset
	if len(d.PlanIDs) > 0 {
		if err := v.addPlans(d.Plans, d.PlanIDs); err != nil {
			return nil, nil, err
		}
	}
	if len(v.access) > 2*v.keys.size+1000 {
		return nil, nil, errReload // mostly restrictions that no key has any more
	}
	if len(d.KeyIDs) > 0 {
		restrict(b, v, &d.Data)
		v.keys = v.keys.with(b.keys, d.KeyIDs, d.Keys)
	}
	if len(d.SubscriptionIDs) > 0 {
		holds, err := b.newHolds(v.plans, d.Subscriptions)
		if err != nil {
			return nil, nil, err
		}
		v.holds = v.holds.with(b.holds, d.SubscriptionIDs, holds)
	}
	if len(d.VersionIDs) > 0 {
		byID := maps.Clone(old.router.byID)
		for _, id := range d.VersionIDs {
			delete(byID, id)
		}
		b.stale = nil
		if refused = b.newRoutes(byID, d.Versions); refused != nil {
			b.stale = d.VersionIDs
			return v, refused, nil
		}
		v.router = newRouter(byID)
	}
	return v, nil, nil
}

// addPlans adds new terms. Terms that holds may point to are not changed in place.
func (v *View) addPlans(plans []Terms, ids []uuid.UUID) error {
	for _, id := range ids {
		if v.plans[id] != nil {
			return errReload
		}
	}
	all := maps.Clone(v.plans)
	for _, t := range plans {
		p, err := newPlan(t)
		if err != nil {
			return err
		}
		all[t.ID] = p
	}
	v.setPlans(all)
	return nil
}

// ids removes doubles.
func ids(all []uuid.UUID) []uuid.UUID {
	slices.SortFunc(all, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(all)
}
