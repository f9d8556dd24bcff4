package studio

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
	"tollgate/internal/subscriptions/period"
	"tollgate/web/component"
	"tollgate/web/page"
)

// balances puts the balances of prepaid plans in the place of their limits.
func (p *Pages) balances(r *request.Request, org accounts.Organization, subs []subscriptions.Listed, terms map[uuid.UUID]plans.Terms, held []page.HeldPlan) error {
	prepaid := func(s subscriptions.Listed) bool { return offer.Prepaid(terms[s.PlanVersionID]) }
	if !slices.ContainsFunc(subs, prepaid) {
		return nil
	}
	credits, err := p.Plans.ReasonedCreditsOf(r.Ctx(), org.ID)
	if err != nil {
		return err
	}
	return p.DB.InTx(r.Ctx(), func(ctx context.Context, tx *postgres.Tx) error {
		for _, s := range subs {
			i := slices.IndexFunc(held, func(h page.HeldPlan) bool { return h.ID == s.ID.String() })
			if i < 0 || !prepaid(s) {
				continue
			}
			t, always := terms[s.PlanVersionID], period.Always()
			used, err := metering.QuotaUsed(ctx, tx.PGX, s.ID, t.Billed(), always.Start, always.End)
			if err != nil {
				return err
			}
			j := slices.IndexFunc(t.Limits, func(l plans.Limit) bool { return l.Prepaid })
			held[i].Limits[j].Balance = p.balance(org, credits[s.ID], used)
		}
		return nil
	})
}

func (p *Pages) balance(org accounts.Organization, credits plans.Credits, used int64) *page.HeldBalance {
	b := &page.HeldBalance{Left: offer.Left(credits.Calls, used), Percent: offer.UsedUp(credits.Calls, used), Action: customerURL(org.ID) + "/credits", Credit: uuid.NewString()}
	switch {
	case b.Percent >= 100:
		b.Tone = component.Bad
	case b.Percent >= 80:
		b.Tone = component.Warn
	}
	for _, c := range credits.Latest {
		by := firstOf(c.GrantedBy, "the plan")
		b.Credits = append(b.Credits, page.CreditRow{Calls: format.Count(c.Calls), When: format.Moment(c.GrantedAt.In(org.Location()), p.Clock.Now()), By: by, Reason: c.Reason})
	}
	return b
}

// AddCredit adds calls to a customer's prepaid balance.
func (p *Pages) AddCredit(r *request.Request) error {
	org, err := p.customer(r)
	if err != nil {
		return err
	}
	invalid := map[string]string{}
	in := plans.NewCredit{Reason: r.Form("reason")}
	if in.Calls, err = format.ParseCount(r.Form("calls")); err != nil {
		invalid["calls"] = err.Error()
	}
	var known bool
	if in.ID, known = r.FormID("credit"); !known {
		in.ID = postgres.NewID()
	}
	in.Subscription, _ = r.FormID("subscription") // one that is none is not found
	if len(invalid) == 0 {
		err = p.Plans.AddCredit(r.Ctx(), r.Identity.User, org.ID, in)
		if err == nil {
			return r.RedirectWith("The credit is added: it can be used within seconds.", customerURL(org.ID))
		}
		fields, ok := request.Fields(err)
		if !ok {
			return err
		}
		invalid = fields
	}
	props, err := p.customerProps(r, org)
	if err != nil {
		return err
	}
	for _, held := range props.Subscriptions {
		for _, l := range held.Limits {
			if b := l.Balance; b != nil && held.ID == r.Form("subscription") {
				b.Open, b.Credit, b.Calls, b.Why = true, in.ID.String(), typed(r, invalid, "calls"), typed(r, invalid, "reason")
			}
		}
	}
	return r.Invalid(page.Customer(r.Layout(props.Name), props))
}
