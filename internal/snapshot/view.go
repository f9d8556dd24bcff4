package snapshot

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
)

type (
	keyTable  = table[credentialKey, Credential, *Credential]
	holdTable = table[holdKey, held, *held]
)

// View answers the gateway's questions from memory. It never changes.
type View struct {
	Version     int64
	ClockOffset time.Duration
	keys        *keyTable
	access      []*AccessSet // [0] restricts nothing
	holds       *holdTable
	plans       map[uuid.UUID]*Plan
	products    []uuid.UUID         // that have plans
	anonymous   map[uuid.UUID]*Hold // by product
	router      *router
}

// Hold finds the subscription that lets application call version.
func (v *View) Hold(application, version uuid.UUID) *Hold {
	r := v.router.byID[version]
	if r == nil {
		return nil
	}
	return v.HoldOf(application, r)
}

// HoldOf finds the subscription that lets application call a route of this view.
func (v *View) HoldOf(application uuid.UUID, r *Route) *Hold {
	for _, product := range r.Products {
		if h := v.holds.find(holdKey{application, product}); h != nil {
			return h.Hold
		}
	}
	return nil
}

// HoldsOf lists an application's subscriptions, by product.
func (v *View) HoldsOf(application uuid.UUID) []*Hold {
	var out []*Hold
	for _, product := range v.products {
		if h := v.holds.find(holdKey{application, product}); h != nil {
			out = append(out, h.Hold)
		}
	}
	return out
}

// Anonymous finds the plan for calls of version without a key; nil where a key
// is needed.
func (v *View) Anonymous(version uuid.UUID) *Hold {
	r := v.router.byID[version]
	if r == nil {
		return nil
	}
	for _, product := range r.Products {
		if h := v.anonymous[product]; h != nil {
			return h
		}
	}
	return nil
}

// setPlans takes the plans in, and what follows from them.
func (v *View) setPlans(plans map[uuid.UUID]*Plan) {
	v.plans, v.anonymous, v.products = plans, anonymousPlans(plans), nil
	for _, p := range plans {
		v.products = append(v.products, p.Product)
	}
	slices.SortFunc(v.products, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	v.products = slices.Compact(v.products)
}

// anonymousPlans finds each product's plan for calls without a key: the newest
// version of the first such plan.
func anonymousPlans(plans map[uuid.UUID]*Plan) map[uuid.UUID]*Hold {
	out := map[uuid.UUID]*Hold{}
	for _, p := range plans {
		if have := out[p.Product]; p.Anonymous && (have == nil || before(p, have.Plan)) {
			s := Subscription{Product: p.Product, PlanVersion: p.ID, State: "active", TimeZone: "UTC"}
			out[p.Product] = newHold(s, p, time.UTC)
		}
	}
	return out
}

func before(a, b *Plan) bool {
	return cmp.Or(cmp.Compare(a.Order, b.Order), bytes.Compare(a.Plan[:], b.Plan[:]), cmp.Compare(b.Number, a.Number)) < 0
}

// Size counts what the view holds, for the operator.
func (v *View) Size() (keys, routes, subscriptions int) {
	return v.keys.size, len(v.router.byID), v.holds.size
}

// rows turns the view back into rows, to be kept on disk.
func (v *View) rows() *Data {
	d := &Data{Version: v.Version, ClockOffset: v.ClockOffset, Keys: make([]Credential, 0, v.keys.size), Access: map[uuid.UUID]Access{}}
	v.keys.all(func(c *Credential) {
		d.Keys = append(d.Keys, *c)
		if c.access != 0 {
			d.Access[c.ID] = v.access[c.access].Access
		}
	})
	v.holds.all(func(h *held) { d.Subscriptions = append(d.Subscriptions, h.Subscription) })
	for _, p := range v.plans {
		d.Plans = append(d.Plans, p.Terms)
	}
	for _, r := range v.router.byID {
		d.Versions = append(d.Versions, r.Version)
	}
	slices.SortFunc(d.Plans, func(a, b Terms) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	slices.SortFunc(d.Versions, func(a, b Version) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return d
}
