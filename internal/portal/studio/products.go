package studio

import (
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Products lists what is sold.
func (p *Pages) Products(r *request.Request) error {
	all, err := p.Plans.CountedProducts(r.Ctx())
	if err != nil {
		return err
	}
	var props page.ProductsProps
	for _, c := range all {
		props.Products = append(props.Products, page.ProductRow{Name: c.Name, URL: "/studio/products/" + c.ID.String(), Description: c.Description,
			APIs: format.Counted(c.Versions, "API", "APIs"), Plans: format.Counted(c.Plans, "plan", "plans"), Subscribers: format.Count(c.Subscribers)})
	}
	return r.Page(page.Products(r.Layout("Products and plans"), props))
}

// NewProduct is the form of a product.
func (p *Pages) NewProduct(r *request.Request) error {
	options, err := p.apiOptions(r, nil)
	if err != nil {
		return err
	}
	return r.Page(page.ProductForm(r.Layout("New product"), page.ProductFormProps{APIs: options}))
}

func (p *Pages) apiOptions(r *request.Request, chosen []string) ([]component.Option, error) {
	entries, err := p.Catalog.List(r.Ctx(), "")
	if err != nil {
		return nil, err
	}
	selected := map[string]bool{}
	for _, id := range chosen {
		selected[id] = true
	}
	out := make([]component.Option, len(entries))
	for i, e := range entries {
		id := e.Version.ID.String()
		out[i] = component.Option{Value: id, Label: e.Name, Hint: "Version " + e.Version.Label, Selected: selected[id]}
	}
	return out, nil
}

// CreateProduct makes a product.
func (p *Pages) CreateProduct(r *request.Request) error {
	in := plans.NewProduct{Name: r.Form("name"), Slug: r.Form("slug"), Description: r.Form("description")}
	for _, raw := range r.FormAll("apis") {
		if id, err := uuid.Parse(raw); err == nil {
			in.Versions = append(in.Versions, id)
		}
	}
	product, err := p.Plans.CreateProduct(r.Ctx(), r.Identity.User, in)
	if err == nil {
		return r.RedirectWith("The product was created. Now give it a plan.", "/studio/products/"+product.ID.String())
	}
	fields, message, ok := refusal(err)
	if !ok {
		return err
	}
	options, err := p.apiOptions(r, r.FormAll("apis"))
	if err != nil {
		return err
	}
	return r.Invalid(page.ProductForm(r.Layout("New product"), page.ProductFormProps{Name: typed(r, fields, "name"), Slug: typed(r, fields, "slug"),
		Description: typed(r, fields, "description"), APIs: options, APIsError: fields["versions"], Error: message}))
}

// Product shows a product with its plans.
func (p *Pages) Product(r *request.Request) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	o, err := p.Plans.OfferingByID(r.Ctx(), id)
	if err != nil {
		return err
	}
	sells, err := p.Plans.Sells(r.Ctx(), id)
	if err != nil {
		return err
	}
	subscribers, err := p.Plans.Subscribers(r.Ctx(), id)
	if err != nil {
		return err
	}
	names, err := p.customerNames(r)
	if err != nil {
		return err
	}
	props := page.ProductProps{Name: o.Name, Description: o.Description, PricingURL: "/pricing/" + o.Slug, NewPlanURL: "/studio/products/" + id.String() + "/plans/new"}
	for _, s := range sells {
		props.APIs = append(props.APIs, component.LinkProps{Label: s.APIName, URL: "/apis/" + s.APISlug})
	}
	for _, plan := range o.Plans {
		props.Plans = append(props.Plans, p.studioPlan(plan, subscribers[plan.Terms.VersionID], names))
	}
	return r.Page(page.Product(r.Layout(o.Name), props))
}

func (p *Pages) customerNames(r *request.Request) (map[uuid.UUID]string, error) {
	customers, err := p.Accounts.Customers(r.Ctx())
	names := map[uuid.UUID]string{}
	for _, c := range customers {
		names[c.ID] = c.Name
	}
	return names, err
}

func (p *Pages) studioPlan(plan plans.Offer, subscribers int64, names map[uuid.UUID]string) page.StudioPlan {
	out := page.StudioPlan{URL: "/studio/products/" + plan.ProductID.String() + "/plans/" + plan.ID.String(), Name: plan.Name, Slug: plan.Slug, Sale: "Self-serve", Audience: "for everybody", State: component.BadgeProps{Label: "On sale", Tone: component.OK}}
	if plan.Sale == plans.OnRequest {
		out.Sale = "On request"
	}
	if plan.Sale == plans.Anonymous {
		out.Sale = "No key needed"
	}
	if plan.PrivateTo != nil {
		out.Audience, out.State = "for "+firstOf(names[*plan.PrivateTo], "one organization"), component.BadgeProps{Label: "Private"}
	}
	price, limits := offer.Price(plan.Terms), offer.Rates(plan.Terms)
	if _, ok := offer.QuotaOf(plan.Terms); ok {
		limits = append(limits, offer.Quota(plan.Terms)+", then: "+strings.ToLower(offer.Overage(plan.Terms)))
	}
	if plan.Sale == plans.OnRequest { // nobody subscribes to it: each gets a plan made for them
		price, limits = "By agreement", []string{"By agreement"}
	}
	out.Versions = []page.PlanVersionRow{{Version: "v" + format.Count(int64(plan.Terms.Number)), State: component.BadgeProps{Label: "Current", Tone: component.OK},
		Price: price, Limits: strings.Join(limits, "; "), Subscribers: format.Count(subscribers), Since: format.Moment(plan.CreatedAt, p.Clock.Now())}}
	return out
}
