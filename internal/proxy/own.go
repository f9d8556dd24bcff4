package proxy

import (
	"encoding/json"
	"net/http"
	"time"

	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/snapshot"
)

// Limits is what a key may call, and what is left of it.
type Limits struct {
	Mode          string         `json:"mode"` // live or test
	Subscriptions []Subscription `json:"subscriptions"`
}

// Subscription is one plan that the key's application is on.
type Subscription struct {
	Product string  `json:"product"` // slug
	Plan    string  `json:"plan"`    // name
	State   string  `json:"state"`   // active or unpaid
	Limits  []Limit `json:"limits"`
	Quota   *Quota  `json:"quota,omitempty"`
}

// Limit is where one limit stands. Calls are weighed: an operation may count as
// several.
type Limit struct {
	Algorithm string    `json:"algorithm,omitempty"` // none for calls at once
	Scope     string    `json:"scope"`
	Operation string    `json:"operation,omitempty"`
	Limit     int64     `json:"limit"`
	Remaining int64     `json:"remaining"`
	Window    int64     `json:"window_seconds,omitempty"`
	Reset     time.Time `json:"reset,omitzero"`
}

// Quota is where the quota of a period stands, or a prepaid balance.
type Quota struct {
	Limit     int64     `json:"limit"`
	Remaining int64     `json:"remaining"`
	Hard      bool      `json:"hard"`
	Prepaid   bool      `json:"prepaid,omitempty"`
	Reset     time.Time `json:"reset,omitzero"` // none of a balance
}

// ServeLimits answers what the caller's limits are and what is left of them. It
// is free: nothing is counted, recorded or forwarded.
func (g *Gateway) ServeLimits(w http.ResponseWriter, r *http.Request) {
	started := g.Clock.Steady()
	c := &call{id: newID(started), ctx: r.Context(), started: started, arrived: started.Add(g.Clock.Offset()).UTC(), std: &exchange{w: w, r: r}}
	g.readStandard(c, r)
	for _, step := range [...]func(*Gateway, *call) *refusal{(*Gateway).readView, (*Gateway).requireKey, (*Gateway).checkAddress} {
		if refused := step(g, c); refused != nil {
			g.refuse(c, refused)
			return
		}
	}
	out := Limits{Mode: string(c.key.Mode()), Subscriptions: []Subscription{}}
	for _, h := range c.view.HoldsOf(c.key.Application) {
		out.Subscriptions = append(out.Subscriptions, g.standing(c, h))
	}
	w.Header().Set("X-Request-Id", c.id.String())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(out) // the client went away: nothing to tell it
}

// requireKey is authenticate where no API is called.
func (g *Gateway) requireKey(c *call) *refusal {
	if c.r.keys.key == "" && !c.r.keys.differs && !holdsKey(c.r.query) {
		return refuse("missing-key", "Send your key as “Authorization: Bearer <key>” or “X-API-Key: <key>”.")
	}
	return g.authenticate(c)
}

func (g *Gateway) standing(c *call, h *snapshot.Hold) Subscription {
	s := Subscription{Product: h.ProductSlug, Plan: h.Subscription.Plan, State: h.State, Limits: []Limit{}}
	who := quota.Subject{
		Subscription: h.ID, Organization: c.key.Org, Product: h.Product, Key: c.key.ID, IP: c.r.client, Test: c.test(), Zone: h.Zone(),
	}
	set := h.Set(c.arrived)
	for i, l := range h.Limits(c.arrived) {
		st := quota.Status{Limit: l.Calls, Remaining: l.Calls}
		if l.Scope != quota.PerOperation { // of those, each operation has its own
			who.Name = l.Operation
			st = g.Limiter.Peek(nil, set.Only(i), &who, c.arrived)[0]
		}
		s.Limits = append(s.Limits, limitOf(l, st))
	}
	if q := h.Quota(c.arrived); q.Counts() && !c.test() {
		p := h.QuotaPeriod(c.arrived)
		st := g.Wallet.Peek(lease.Account{Subscription: h.ID, Start: p.Start, End: p.End}, q.Calls)
		s.Quota = &Quota{Limit: st.Limit, Remaining: st.Remaining, Hard: q.Hard, Prepaid: q.Prepaid, Reset: st.Reset}
		if q.Prepaid {
			s.Quota.Reset = time.Time{}
		}
	}
	return s
}

func limitOf(l quota.Limit, st quota.Status) Limit {
	out := Limit{
		Algorithm: string(l.Algorithm), Scope: string(l.Scope), Operation: l.Operation, Limit: st.Limit, Remaining: st.Remaining,
		Window: int64(l.Window / time.Second), Reset: st.Reset,
	}
	if l.Concurrent {
		out.Algorithm, out.Reset = "", time.Time{}
	}
	return out
}
