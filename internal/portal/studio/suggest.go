package studio

import (
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/web/page"
)

// suggested are the limits that past traffic suggests.
func (p *Pages) suggested(r *request.Request, product uuid.UUID, plan *uuid.UUID) (props page.SuggestionProps, err error) {
	peaks, err := p.Plans.Suggest(r.Ctx(), product, plan)
	if err != nil {
		return props, err
	}
	if len(peaks) == 0 {
		props.How = "No live call has been forwarded in the last " + format.Count(plans.SuggestDays) + " days, so past traffic suggests nothing yet."
		return props, nil
	}
	callers := int64(0)
	for _, k := range peaks {
		callers = max(callers, k.Callers)
		window := format.Window(k.Window)
		props.Rows = append(props.Rows, page.SuggestionRow{Window: strings.ToUpper(window[:1]) + window[1:], P50: format.Count(k.P50), P95: format.Count(k.P95),
			P99: format.Count(k.P99), Max: format.Count(k.Max), Suggested: format.Count(k.Suggested())})
	}
	props.How = "How much each of " + format.Counted(callers, "subscription", "subscriptions") + " called at its busiest in the last " + format.Count(plans.SuggestDays) +
		" days, by weight; half of them called no more than the first number. Suggested is what 99 of 100 would not have met, rounded up to a 1, 2 or 5 with zeros. " +
		"Seconds and minutes are looked for in each one’s " + format.Count(plans.SuggestHours) + " busiest hours of the last 14 days. Calls that limits refused are not among them."
	if callers == plans.SuggestCallers {
		props.How += " There are more subscriptions: this is a sample."
	}
	return props, nil
}

// Plan shows a plan's limits and what its traffic suggests.
func (p *Pages) Plan(r *request.Request) error {
	product, err := r.ParamID("id")
	if err != nil {
		return err
	}
	id, err := r.ParamID("plan")
	if err != nil {
		return err
	}
	o, sold, err := p.Plans.OfferOf(r.Ctx(), id)
	if err != nil {
		return err
	}
	if sold.ID != product {
		return problem.NotFound("plan")
	}
	props := page.PlanProps{Product: sold.Name, ProductURL: "/studio/products/" + sold.ID.String(), Name: o.Name, Price: offer.Price(o.Terms)}
	for _, l := range o.Terms.Limits {
		props.Limits = append(props.Limits, offer.Described(l))
	}
	if props.Suggested, err = p.suggested(r, product, &id); err != nil {
		return err
	}
	return r.Page(page.Plan(r.Layout(sold.Name+" "+o.Name), props))
}
