package studio

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

func organizations(chosen string, customers map[uuid.UUID]string) []component.Option {
	out := []component.Option{{Value: "", Label: "Choose one"}}
	for id, name := range customers {
		out = append(out, component.Option{Value: id.String(), Label: name, Selected: id.String() == chosen})
	}
	slices.SortFunc(out[1:], func(a, b component.Option) int {
		return strings.Compare(strings.ToLower(a.Label)+a.Value, strings.ToLower(b.Label)+b.Value)
	})
	return out
}

// NewPlan is the form of a plan.
func (p *Pages) NewPlan(r *request.Request) error {
	props, err := p.planPage(r)
	if err != nil {
		return err
	}
	customers, err := p.customerNames(r)
	if err != nil {
		return err
	}
	choices(&props.Fields, func(string) string { return "" }, customers)
	return r.Page(page.PlanForm(r.Layout("New plan"), props))
}

func (p *Pages) planPage(r *request.Request) (page.PlanFormProps, error) {
	id, err := r.ParamID("id")
	if err != nil {
		return page.PlanFormProps{}, err
	}
	o, err := p.Plans.OfferingByID(r.Ctx(), id)
	if err != nil {
		return page.PlanFormProps{}, err
	}
	u := "/studio/products/" + id.String()
	suggested, err := p.suggested(r, id, nil)
	return page.PlanFormProps{Product: o.Name, ProductURL: u, Fields: page.PlanFields{Action: u + "/plans/new", Suggested: suggested}}, err
}

// CreatePlan makes a plan, or shows what it would cost.
func (p *Pages) CreatePlan(r *request.Request) error {
	props, err := p.planPage(r)
	if err != nil {
		return err
	}
	form := readPlan(r, false)
	if form.valid() && !form.asking(r) {
		form.plan.Product, err = r.ParamID("id")
		if err != nil {
			return err
		}
		_, err = p.Plans.CreatePlan(r.Ctx(), r.Identity.User, form.plan)
		if err == nil {
			return r.RedirectWith("The plan "+form.plan.Name+" is on sale.", props.ProductURL)
		}
		fields, message, ok := refusal(err)
		if !ok {
			return err
		}
		form.refuse(fields, message)
	}
	customers, err := p.customerNames(r)
	if err != nil {
		return err
	}
	form.fields.Action, form.fields.Suggested = props.Fields.Action, props.Fields.Suggested
	props.Fields = form.show(r, customers)
	if (form.valid() && form.fields.Error == "") || r.Form("add_limit") != "" {
		return r.Page(page.PlanForm(r.Layout("New plan"), props))
	}
	return r.Invalid(page.PlanForm(r.Layout("New plan"), props))
}
