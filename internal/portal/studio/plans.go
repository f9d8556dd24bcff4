package studio

import (
	"github.com/a-h/templ"
	"github.com/google/uuid"

	"tollgate/internal/portal/request"
	"tollgate/web/page"
)

// NewPlan is the form of a plan.
func (p *Pages) NewPlan(r *request.Request) error {
	props, product, err := p.planPage(r)
	if err != nil {
		return err
	}
	if err := p.operations(r, product, &props.Fields); err != nil {
		return err
	}
	if err := p.organizations(r, &props.Fields); err != nil {
		return err
	}
	choices(&props.Fields, func(string) string { return "" }, false)
	return r.Page(page.PlanForm(r.Layout("New plan"), props))
}

func (p *Pages) planPage(r *request.Request) (props page.PlanFormProps, product uuid.UUID, err error) {
	if product, err = r.ParamID("id"); err != nil {
		return props, product, err
	}
	o, err := p.Plans.OfferingByID(r.Ctx(), product)
	if err != nil {
		return props, product, err
	}
	u := "/studio/products/" + product.String()
	props = page.PlanFormProps{Product: o.Name, ProductURL: u, Fields: page.PlanFields{Action: u + "/plans/new"}}
	props.Fields.Suggested, err = p.suggested(r, product, nil)
	return props, product, err
}

// CreatePlan makes a plan, or shows what it would cost.
func (p *Pages) CreatePlan(r *request.Request) error {
	props, product, err := p.planPage(r)
	if err != nil {
		return err
	}
	form := readPlan(r, false)
	form.fields.Action, form.fields.Suggested = props.Fields.Action, props.Fields.Suggested
	if err := p.operations(r, product, &form.fields); err != nil {
		return err
	}
	if err := p.findOrganization(r, form); err != nil {
		return err
	}
	if form.valid() && !asking(r) {
		form.plan.Product = product
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
	if err := p.organizations(r, &form.fields); err != nil {
		return err
	}
	props.Fields = form.show(r, false)
	return form.answer(r, page.PlanForm(r.Layout("New plan"), props))
}

// answer sends the form again: as refused, unless it was only to be looked at.
func (f *planForm) answer(r *request.Request, form templ.Component) error {
	if adding(r) || (f.valid() && f.fields.Error == "") {
		return r.Page(form)
	}
	return r.Invalid(form)
}
