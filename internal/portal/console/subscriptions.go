package console

import (
	"time"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/subscriptions"
	"tollgate/web/component"
	"tollgate/web/page"
)

// ListSubscriptions shows the plans that the organization holds.
func (c *Console) ListSubscriptions(r *request.Request) error {
	subs, err := c.Subscriptions.List(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return err
	}
	app, err := c.Applications.Default(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return err
	}
	versions := make([]uuid.UUID, len(subs))
	for i, s := range subs {
		versions[i] = s.PlanVersionID
	}
	terms, err := c.Plans.TermsOf(r.Ctx(), versions...)
	if err != nil {
		return err
	}
	org, err := c.org(r)
	if err != nil {
		return err
	}
	overrides, err := c.Plans.OverridesOf(r.Ctx(), org.ID)
	if err != nil {
		return err
	}
	asked, err := c.Plans.RequestsOf(r.Ctx(), org.ID)
	if err != nil {
		return err
	}
	props := page.SubscriptionsProps{Asked: askedRows(asked, c.Clock.Now().In(org.Location()))}
	for _, s := range subs {
		t := terms[s.PlanVersionID]
		row := subscriptionRow(s, t)
		if s.State != subscriptions.Ended {
			limitWords(&row, t.With(overrides[s.ID], c.Clock.Now()), t, s.Location())
		}
		if s.ApplicationID == app.ID {
			row.Application = app.Name
		}
		props.Subscriptions = append(props.Subscriptions, row)
	}
	return r.Page(page.Subscriptions(r.Layout("Subscriptions"), props))
}

// limitWords says the limits in force, and which of them are not the plan's own.
func limitWords(row *page.SubscriptionRow, inForce, own plans.Terms, loc *time.Location) {
	for i, l := range inForce.Limits {
		row.Limits = append(row.Limits, offer.Described(l))
		if o := l.Overridden; o != nil {
			row.Raised = append(row.Raised, "Until "+format.DateTime(o.ExpiresAt.In(loc))+" your limit is "+offer.Limit(l)+", instead of "+format.Count(own.Limits[i].Calls)+".")
		}
	}
}

func subscriptionRow(s subscriptions.Listed, t plans.Terms) page.SubscriptionRow {
	loc, address := s.Location(), "/console/subscriptions/"+s.ID.String()
	end := format.Date(s.PeriodEnd.In(loc))
	row := page.SubscriptionRow{
		ID: s.ID.String(), Product: s.ProductName, Plan: s.PlanName, URL: "/pricing/" + s.ProductSlug,
		Period: "Current period " + format.Period(s.PeriodStart.In(loc), s.PeriodEnd.In(loc)) + ".", State: component.BadgeProps{Label: "Active", Tone: component.OK},
	}
	switch {
	case s.State == subscriptions.Ended:
		row.State, row.Period = component.BadgeProps{Label: "Ended"}, ""
		if s.EndedAt != nil {
			row.Period = "Ended on " + format.Date(s.EndedAt.In(loc)) + "."
		}
		return row
	case s.State == subscriptions.Unpaid:
		row.State = component.BadgeProps{Label: "Unpaid", Tone: component.Bad}
		row.Next = "Calls are refused until the open invoice is paid: update the card under Billing."
	case s.CancelAtEnd:
		row.State = component.BadgeProps{Label: "Ends " + format.ShortDate(s.PeriodEnd.In(loc)), Tone: component.Warn}
		row.Next, row.ResumeURL = "It works until "+end+" and is not renewed.", address+"/resume"
		return row
	case t.Free() && offer.Prepaid(t):
		row.Next = "Calls are served as far as the balance reaches."
	case t.Free():
		row.Next = "Renews on " + end + ", free of charge."
	case len(t.Components) == 0:
		row.Next = "Renews on " + end + " for " + format.Money(t.RecurringFee, t.Currency) + "."
	default:
		row.Next = "Renews on " + end + " for " + format.Money(t.RecurringFee, t.Currency) + " and the calls of the period."
	}
	row.CancelURL, row.CancelNote = address+"/cancel", "It stays usable until "+end+" and is not renewed. You can take this back until then."
	if offer.Prepaid(t) {
		row.CancelNote += " What is left of the balance then ends with it."
	}
	return row
}

// Cancel ends a subscription with its present period.
func (c *Console) Cancel(r *request.Request) error {
	return c.cancel(r, true, "It ends with the present period. You can take this back until then.")
}

// Resume takes a cancellation back.
func (c *Console) Resume(r *request.Request) error {
	return c.cancel(r, false, "The subscription goes on.")
}

func (c *Console) cancel(r *request.Request, cancel bool, message string) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	if err := c.Subscriptions.CancelAtEnd(r.Ctx(), r.Identity.User, r.Identity.Organization, id, cancel); err != nil {
		return err
	}
	return r.RedirectWith(message, "/console/subscriptions")
}
