package studio

import (
	"strings"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Requests is the inbox of requests for plans.
func (p *Pages) Requests(r *request.Request) error {
	all, err := p.Plans.Requests(r.Ctx())
	if err != nil {
		return err
	}
	decided := r.Query("state") == "decided"
	open := int64(0)
	var props page.RequestsProps
	for _, q := range all {
		if q.State == "open" {
			open++
		}
		if (q.State != "open") == decided {
			props.Requests = append(props.Requests, page.RequestRow{URL: "/studio/requests/" + q.ID.String(), Organization: q.OrgName, Plan: q.ProductName + " " + q.PlanName,
				Calls: format.Count(q.ExpectedCalls), Sent: format.Moment(q.CreatedAt, p.Clock.Now()), Status: requestBadge(q)})
		}
	}
	props.Tabs = []component.TabProps{
		{Label: "Open", URL: "/studio/requests", Count: format.Count(open), Current: !decided},
		{Label: "Decided", URL: "/studio/requests?state=decided", Count: format.Count(int64(len(all)) - open), Current: decided},
	}
	return r.Page(page.Requests(r.Layout("Requests"), props))
}

func requestBadge(q plans.Request) component.BadgeProps {
	switch q.State {
	case "granted":
		return component.BadgeProps{Label: "Granted", Tone: component.OK}
	case "declined":
		return component.BadgeProps{Label: "Declined"}
	}
	return component.BadgeProps{Label: "Open", Tone: component.Accent}
}

// Request shows one request with the ways to answer it.
func (p *Pages) Request(r *request.Request) error {
	q, err := p.request(r)
	if err != nil {
		return err
	}
	props, err := p.requestProps(r, q)
	if err != nil {
		return err
	}
	if props.Grant != nil {
		name := q.PlanName + " for " + q.OrgName
		props.Grant.Name.Value, props.Grant.Slug.Value = strings.ToValidUTF8(name[:min(len(name), 60)], ""), slugOf(q.PlanName+" "+q.OrgName)
	}
	return r.Page(page.Request(r.Layout("Request of "+q.OrgName), props))
}

func (p *Pages) request(r *request.Request) (plans.Request, error) {
	id, err := r.ParamID("id")
	if err != nil {
		return plans.Request{}, err
	}
	return p.Plans.Request(r.Ctx(), id)
}

func (p *Pages) requestProps(r *request.Request, q plans.Request) (page.RequestProps, error) {
	u := "/studio/requests/" + q.ID.String()
	props := page.RequestProps{Organization: q.OrgName, Status: requestBadge(q), Message: q.Message, Facts: []component.Fact{
		{Name: "Plan", Value: q.ProductName + " " + q.PlanName, URL: "/studio/products/" + q.ProductID.String()},
		{Name: "Expected calls", Value: format.Count(q.ExpectedCalls) + " a month"},
		{Name: "Asked by", Value: q.Email}, {Name: "Sent", Value: format.DateTime(q.CreatedAt)},
	}}
	switch q.State {
	case "granted":
		props.Decision = "A private plan was granted."
	case "declined":
		props.Decision = "Declined: " + q.Reason
	default:
		props.Grant, props.DeclineAction = &page.PlanFields{Action: u + "/grant", Submit: "Grant this plan", AskFree: true}, u+"/decline"
		choices(props.Grant, func(string) string { return "" }, true)
		return props, p.operations(r, q.ProductID, props.Grant)
	}
	return props, nil
}

// Grant answers a request with a private plan.
func (p *Pages) Grant(r *request.Request) error {
	q, err := p.request(r)
	if err != nil {
		return err
	}
	form := readPlan(r, true)
	form.fields.AskFree, form.fields.Free = true, r.Form("free_unlimited") != ""
	if err := p.operations(r, q.ProductID, &form.fields); err != nil {
		return err
	}
	form.invalid.Check(form.plan.Bounded() || form.fields.Free || r.Form("preview") != "", "free_unlimited", "Type a price or a limit, or tick that the plan has neither.")
	if form.valid() && !asking(r) {
		_, err := p.Plans.Grant(r.Ctx(), r.Identity.User, q.ID, form.plan)
		if err == nil {
			return r.RedirectWith(q.OrgName+" may now subscribe to "+form.plan.Name+".", "/studio/requests/"+q.ID.String())
		}
		fields, message, ok := refusal(err)
		if !ok {
			return err
		}
		form.refuse(fields, message)
	}
	props, err := p.requestProps(r, q)
	if err != nil {
		return err
	}
	if props.Grant == nil {
		return r.RedirectWith("This request was answered already.", "/studio/requests/"+q.ID.String())
	}
	form.fields.Action, form.fields.Submit = props.Grant.Action, props.Grant.Submit
	fields := form.show(r, true)
	props.Grant = &fields
	return form.answer(r, page.Request(r.Layout("Request of "+q.OrgName), props))
}

// Decline answers a request with a reason.
func (p *Pages) Decline(r *request.Request) error {
	q, err := p.request(r)
	if err != nil {
		return err
	}
	err = p.Plans.Decline(r.Ctx(), r.Identity.User, q.ID, r.Form("reason"))
	if err == nil {
		return r.RedirectWith("The request was declined.", "/studio/requests")
	}
	fields, ok := request.Fields(err)
	if !ok {
		return err
	}
	props, err := p.requestProps(r, q)
	if err != nil {
		return err
	}
	props.Reason = typed(r, fields, "reason")
	return r.Invalid(page.Request(r.Layout("Request of "+q.OrgName), props))
}
