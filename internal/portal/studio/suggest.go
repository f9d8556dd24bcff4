package studio

import (
	"slices"
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
	props.How = "From the busiest second, minute, hour and day of each of " + format.Counted(callers, "subscription", "subscriptions") + " in the last " + format.Count(plans.SuggestDays) +
		" days, counted by weight. Suggested is what 99 of 100 would never have reached, rounded up. Seconds and minutes come from the " + format.Count(plans.SuggestHours) +
		" busiest hours of the last 14 days. Calls that were refused are left out."
	if callers == plans.SuggestCallers {
		props.How += " There are more subscriptions; these are a sample."
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
	published, err := p.Plans.Operations(r.Ctx(), product)
	if err != nil {
		return err
	}
	for _, l := range o.Terms.Limits {
		row := page.PlanLimit{Text: offer.Described(l)}
		if l.Operation != "" && !slices.ContainsFunc(published, func(o plans.Operation) bool { return o.Call == l.Operation }) {
			row.Warn = "Counts nothing: not published any more"
		}
		props.Limits = append(props.Limits, row)
	}
	if props.Suggested, err = p.suggested(r, product, &id); err != nil {
		return err
	}
	return r.Page(page.Plan(r.Layout(sold.Name+" "+o.Name), props))
}
