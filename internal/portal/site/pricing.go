package site

import (
	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

const (
	usualCalls = 10_000
	mostCalls  = 1_000_000_000_000 // a calculator's limit, not a plan's
	sliderEnd  = 1_000_000
)

// Pricing is a product's plans and what a number of calls would cost.
func (p *Pages) Pricing(r *request.Request) error {
	o, err := p.Plans.Offering(r.Ctx(), r.Param("product"))
	if err != nil {
		return err
	}
	sells, err := p.Plans.Sells(r.Ctx(), o.ID)
	if err != nil {
		return err
	}
	mine, err := p.mine(r)
	if err != nil {
		return err
	}
	props := page.PricingProps{Product: o.Name, Slug: o.Slug, Description: o.Description, Calculator: calculator(r, o.Plans)}
	for i, plan := range o.Plans {
		card := planCard(plan, mine)
		card.Popular = i == 1 && len(o.Plans) == 3
		props.Plans = append(props.Plans, card)
	}
	for _, s := range sells {
		if s.Public {
			props.Included = append(props.Included, component.LinkProps{Label: s.APIName, URL: apiURL(s.APISlug)})
		}
	}
	return r.Page(page.Pricing(r.Layout(o.Name+" pricing"), props))
}

// Product leads to the product's prices.
func (p *Pages) Product(r *request.Request) error {
	o, err := p.Plans.Offering(r.Ctx(), r.Param("product"))
	if err != nil {
		return err
	}
	return r.Redirect("/pricing/" + o.Slug)
}

func planCard(o plans.Offer, mine map[uuid.UUID]bool) page.PlanCard {
	card := page.PlanCard{Name: o.Name, Note: o.Description, Action: action(o)}
	if o.Sale == plans.OnRequest {
		card.Price, card.Points = "By agreement", []string{"Limits and price made for you"}
		card.Action.Label = "Ask for it"
		return card
	}
	t := o.Terms
	if o.Sale == plans.Anonymous {
		card.Price, card.Points = "Free", append([]string{"No key needed: call it as it is"}, offer.Points(t)...)
		return card
	}
	switch {
	case t.Free():
		card.Price, card.Per = "Free", ""
	case t.RecurringFee > 0:
		card.Price, card.Per = format.Price(t.RecurringFee, t.Currency), "a month, in advance"
	default:
		card.Price, card.Per = format.Price(0, t.Currency), "a month"
	}
	if usage := offer.Usage(t); usage != "" && card.Note == "" {
		card.Note = "then " + usage
	}
	card.Points, card.Tiers = offer.Points(t), offer.Tiers(t)
	if !t.Free() {
		card.Action.Kind = component.Primary
	}
	switch {
	case mine[o.ID]:
		card.Badge = component.BadgeProps{Label: "Your plan", Tone: component.Accent}
		card.Action = component.LinkButtonProps{Label: "Manage", URL: "/console/subscriptions"}
	case o.PrivateTo != nil:
		card.Badge = component.BadgeProps{Label: "Only for you", Tone: component.OK}
	}
	return card
}

// calculator prices the typed number of calls under each plan on sale.
func calculator(r *request.Request, all []plans.Offer) *page.CalculatorProps {
	onSale := []plans.Offer{}
	for _, o := range all {
		if o.Sale == plans.SelfServe {
			onSale = append(onSale, o)
		}
	}
	if len(onSale) == 0 {
		return nil
	}
	c := &page.CalculatorProps{Calls: r.Query("calls"), MaxCalls: "1000000"}
	calls := int64(usualCalls)
	if c.Calls != "" {
		n, err := format.ParseCount(c.Calls)
		switch {
		case err != nil:
			c.Error = err.Error()
		case n > mostCalls:
			c.Error = "Type at most " + format.Count(mostCalls) + " calls."
		default:
			calls = n
		}
	}
	if c.Error == "" {
		c.Calls = format.Count(calls)
	}
	best := offer.Cheapest(onSale, calls)
	for i, o := range onSale {
		c.Bills = append(c.Bills, planBill(o, calls, i == best && len(onSale) > 1))
	}
	c.BreakEven = offer.BreakEven(onSale, 100*sliderEnd)
	return c
}

func planBill(o plans.Offer, calls int64, cheapest bool) page.PlanBill {
	bill := page.PlanBill{Plan: o.Name, Cheapest: cheapest}
	if offer.Refuses(o.Terms, calls) {
		q, _ := offer.QuotaOf(o.Terms)
		if bill.Total = "–"; q.Prepaid {
			bill.Refused = offer.Quota(o.Terms) + ": served as far as the balance reaches."
			return bill
		}
		bill.Refused = "Ends at " + format.Counted(q.Calls, "call", "calls") + " a month: further calls are refused."
		return bill
	}
	lines, total, err := offer.Bill(o.Terms, calls)
	if err != nil {
		bill.Total, bill.Refused = "–", "This is more than can be billed at once; ask us for a plan."
		return bill
	}
	bill.Lines, bill.Total = lines, format.Money(total, o.Terms.Currency)
	return bill
}
