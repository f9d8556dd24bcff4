package studio

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/internal/quota"
	"tollgate/internal/subscriptions"
	"tollgate/web/component"
	"tollgate/web/page"
)

// customersAtOnce is how many customers the list shows.
const customersAtOnce = 100

// Customers lists the organizations whose name holds what is searched for.
func (p *Pages) Customers(r *request.Request) error {
	props := page.CustomersProps{Query: r.Query("q")}
	found, total, err := p.Accounts.FindCustomers(r.Ctx(), props.Query, customersAtOnce)
	if err != nil {
		return err
	}
	for _, c := range found {
		props.Customers = append(props.Customers, page.CustomerRow{Name: firstOf(c.Name, "Unnamed"), URL: customerURL(c.ID), Zone: c.TimeZone, Since: format.Moment(c.CreatedAt, p.Clock.Now())})
	}
	if total > int64(len(found)) {
		props.More = "The first " + format.Count(int64(len(found))) + " of " + format.Count(total) + ". Search for a name to see others."
	}
	return r.Page(page.Customers(r.Layout("Customers"), props))
}

func customerURL(id uuid.UUID) string { return "/studio/customers/" + id.String() }

// customer finds the organization that a page is about; the provider is none.
func (p *Pages) customer(r *request.Request) (accounts.Organization, error) {
	id, err := r.ParamID("id")
	if err != nil {
		return accounts.Organization{}, err
	}
	org, err := p.Accounts.Organization(r.Ctx(), id)
	if err == nil && org.Provider {
		err = problem.NotFound("customer")
	}
	return org, err
}

// Customer shows what an organization holds, and the limits in force.
func (p *Pages) Customer(r *request.Request) error {
	org, err := p.customer(r)
	if err != nil {
		return err
	}
	props, err := p.customerProps(r, org)
	if err != nil {
		return err
	}
	return r.Page(page.Customer(r.Layout(props.Name), props))
}

func (p *Pages) customerProps(r *request.Request, org accounts.Organization) (page.CustomerProps, error) {
	props := page.CustomerProps{Name: firstOf(org.Name, "Unnamed"), Facts: []component.Fact{{Name: "Time zone", Value: org.TimeZone}, {Name: "Customer since", Value: format.Date(org.CreatedAt.In(org.Location()))}}}
	subs, err := p.Subscriptions.List(r.Ctx(), org.ID)
	if err != nil {
		return props, err
	}
	var versions []uuid.UUID
	for _, s := range subs {
		versions = append(versions, s.PlanVersionID)
	}
	terms, err := p.Plans.TermsOf(r.Ctx(), versions...)
	if err != nil {
		return props, err
	}
	overrides, err := p.Plans.OverridesOf(r.Ctx(), org.ID)
	if err != nil {
		return props, err
	}
	for _, s := range subs {
		if s.State == subscriptions.Ended {
			continue
		}
		own := terms[s.PlanVersionID]
		props.Subscriptions = append(props.Subscriptions, heldPlan(s, own, own.With(overrides[s.ID], p.Clock.Now()), org))
	}
	if err := p.balances(r, org, subs, terms, props.Subscriptions); err != nil {
		return props, err
	}
	props.Ended, err = p.endedOverrides(r, org)
	return props, err
}

func heldPlan(s subscriptions.Listed, own, inForce plans.Terms, org accounts.Organization) page.HeldPlan {
	held := page.HeldPlan{ID: s.ID.String(), Name: s.ProductName + " " + s.PlanName, State: component.BadgeProps{Label: "Active", Tone: component.OK},
		Period: format.Period(s.PeriodStart.In(org.Location()), s.PeriodEnd.In(org.Location()))}
	if s.State == subscriptions.Unpaid {
		held.State = component.BadgeProps{Label: "Unpaid", Tone: component.Bad}
	}
	for i, l := range inForce.Limits {
		row := page.HeldLimit{Position: strconv.Itoa(l.Position), InForce: offer.Described(l), Source: "Plan, version " + format.Count(int64(own.Number)), Ends: "at midnight, " + org.TimeZone + " time",
			Action: customerURL(org.ID) + "/overrides", Bucket: !l.Quota && !l.Concurrent && (l.Algorithm == quota.TokenBucket || l.Algorithm == quota.LeakyBucket)}
		if o := l.Overridden; o != nil {
			row.Override, row.Revoke = overrideFacts(*o, offer.Limit(own.Limits[i])+" ("+strings.ToLower(row.Source[:1])+row.Source[1:]+")", org.Location()), row.Action+"/"+o.ID.String()+"/revoke"
		}
		held.Limits = append(held.Limits, row)
	}
	return held
}

func overrideFacts(o plans.Override, own string, loc *time.Location) []component.Fact {
	end := o.ExpiresAt.In(loc)
	ends := format.DateTime(end)
	if end.Hour() == 0 && end.Minute() == 0 { // the form takes whole days
		ends = "after " + format.Date(end.AddDate(0, 0, -1)) + " (" + ends + ")"
	}
	return []component.Fact{{Name: "Instead of", Value: own}, {Name: "Ends", Value: ends}, {Name: "Set by", Value: firstOf(o.CreatedBy, "somebody who left") + ", " + format.DateTime(o.CreatedAt.In(loc))}, {Name: "Reason", Value: o.Reason}}
}

// endings say how overrides ended.
var endings = map[string]string{plans.Expired: "Expired", plans.Replaced: "Replaced by another one", plans.Revoked: "Ended early", plans.Left: "The subscription left this plan"}

func (p *Pages) endedOverrides(r *request.Request, org accounts.Organization) (out []page.EndedOverride, err error) {
	ended, err := p.Plans.EndedOf(r.Ctx(), org.ID)
	if err != nil {
		return nil, err
	}
	var versions []uuid.UUID
	for _, e := range ended {
		versions = append(versions, e.PlanVersionID)
	}
	terms, err := p.Plans.TermsOf(r.Ctx(), versions...)
	if err != nil {
		return nil, err
	}
	for _, e := range ended {
		row := page.EndedOverride{Plan: e.Plan, How: endings[e.How], By: e.CreatedBy, Reason: e.Reason}
		if l, ok := terms[e.PlanVersionID].Limit(e.Position); ok {
			l.Calls, l.Burst = e.Calls, e.Burst
			row.Limit = offer.Limit(l)
		}
		if e.At != nil {
			row.Ended = format.Moment(e.At.In(org.Location()), p.Clock.Now())
		}
		out = append(out, row)
	}
	return out, nil
}

// Override gives a customer another limit for a while.
func (p *Pages) Override(r *request.Request) error {
	org, err := p.customer(r)
	if err != nil {
		return err
	}
	in, invalid := readOverride(r, org)
	if len(invalid) == 0 {
		err = p.Plans.Override(r.Ctx(), r.Identity.User, org.ID, in)
		if err == nil {
			return r.RedirectWith("The limit is in force within seconds.", customerURL(org.ID))
		}
		fields, message, ok := refusal(err)
		if !ok {
			return err
		}
		if invalid = fields; message != "" {
			invalid["calls"] = message
		}
	}
	props, err := p.customerProps(r, org)
	if err != nil {
		return err
	}
	for i := range props.Subscriptions {
		for j := range props.Subscriptions[i].Limits {
			if l := &props.Subscriptions[i].Limits[j]; props.Subscriptions[i].ID == r.Form("subscription") && l.Position == r.Form("position") {
				if l.Balance != nil {
					l.Balance.Open, l.Balance.Calls = true, page.Input{Error: invalid["calls"]}
				}
				l.Open, l.Calls, l.Burst, l.Why, l.Until = true, typed(r, invalid, "calls"), typed(r, invalid, "burst"), typed(r, invalid, "reason"), typed(r, invalid, "expires")
			}
		}
	}
	return r.Invalid(page.Customer(r.Layout(props.Name), props))
}

func readOverride(r *request.Request, org accounts.Organization) (in plans.NewOverride, invalid map[string]string) {
	invalid = map[string]string{}
	number := func(field string) int64 {
		n, err := format.ParseCount(r.Form(field))
		if err != nil {
			invalid[field] = err.Error()
		}
		return n
	}
	in.Subscription, _ = r.FormID("subscription") // one that is none is not found
	in.Position, in.Calls, in.Burst, in.Reason = int(min(number("position"), 1000)), number("calls"), number("burst"), r.Form("reason")
	day, err := time.ParseInLocation(time.DateOnly, r.Form("expires"), org.Location())
	if err != nil {
		invalid["expires"] = "Choose the last day on which the override holds."
	}
	in.ExpiresAt = day.AddDate(0, 0, 1)
	return in, invalid
}

// RevokeOverride ends an override before its time.
func (p *Pages) RevokeOverride(r *request.Request) error {
	org, err := p.customer(r)
	if err != nil {
		return err
	}
	id, err := r.ParamID("override")
	if err != nil {
		return err
	}
	if err := p.Plans.RevokeOverride(r.Ctx(), r.Identity.User, org.ID, id); err != nil {
		return err
	}
	return r.RedirectWith("The plan’s own limit is in force again within seconds.", customerURL(org.ID))
}
