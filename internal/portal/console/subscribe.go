package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/invoices"
	"tollgate/internal/keys"
	"tollgate/internal/plans"
	"tollgate/internal/portal/bill"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
	"tollgate/internal/subscriptions/period"
	"tollgate/web/page"
)

// SubscribeForm shows what a plan costs today and later, before anything happens.
func (c *Console) SubscribeForm(r *request.Request) error {
	id, err := r.ParamID("plan")
	if err != nil {
		return err
	}
	offer, product, err := c.Plans.OfferOf(r.Ctx(), id)
	if err != nil {
		return err
	}
	if offer.Sale == plans.OnRequest {
		return r.Redirect("/console/requests/new?plan=" + id.String())
	}
	if offer.Sale == plans.Anonymous {
		return problem.NotFound("plan to subscribe to: this one needs no key")
	}
	props, err := c.confirm(r, offer, product)
	if err != nil {
		return err
	}
	return r.Page(page.Subscribe(r.Layout(props.Product+" "+props.Plan), props))
}

func (c *Console) confirm(r *request.Request, offer plans.Offer, product plans.Product) (page.SubscribeProps, error) {
	org, err := c.org(r)
	if err != nil {
		return page.SubscribeProps{}, err
	}
	now := c.Clock.Now().In(org.Location())
	first := period.From(now, now.Day(), org.Location())
	terms, money := offer.Terms, format.Money(offer.Terms.RecurringFee, offer.Terms.Currency)
	props := page.SubscribeProps{
		Product: product.Name, Plan: offer.Name, PricingURL: "/pricing/" + product.Slug, Action: "/console/subscribe/" + offer.ID.String(),
		TodayTotal: money, Then: then(terms, format.Date(first.End)), Limits: bill.Limits(terms),
		NeedsCard: !terms.Free() && org.PaymentMethodID == "", Button: "Subscribe",
	}
	if terms.RecurringFee > 0 {
		props.Today = []page.BillLine{{Label: product.Name + " " + offer.Name + ", " + format.Period(first.Start, first.End), Arithmetic: "1 × " + money, Amount: money}}
		props.Button = "Subscribe and pay " + money
	}
	if props.NeedsCard {
		props.Button = "Continue to card"
	}
	if !terms.Free() {
		props.Payment = cardText(org)
	}
	held, free, err := c.held(r, product.ID)
	switch {
	case held == nil:
	case held.PlanID == offer.ID:
		props.Action, props.Error = "", "This application is on this plan already."
	case free:
		props.Then = "Your plan " + held.PlanName + " ends when this one begins. " + props.Then
	default:
		props.Action, props.Error = "", "You hold "+product.Name+" "+held.PlanName+" already, and one plan of a product at a time. Cancel it first; this one can begin when its period is over."
	}
	return props, err
}

// held is the subscription to a product that runs now, and whether it gives way
// because it is free; nil for none.
func (c *Console) held(r *request.Request, product uuid.UUID) (sub *subscriptions.Listed, free bool, err error) {
	all, err := c.Subscriptions.List(r.Ctx(), r.Identity.Organization)
	for i, s := range all {
		if s.ProductID == product && (s.State == subscriptions.Active || s.State == subscriptions.Unpaid) {
			terms, err := c.Plans.TermsOf(r.Ctx(), s.PlanVersionID)
			return &all[i], terms[s.PlanVersionID].Free(), err
		}
	}
	return nil, false, err
}

func then(t plans.Terms, end string) string {
	fee := format.Money(t.RecurringFee, t.Currency)
	switch {
	case t.Free():
		return "Nothing is ever charged under this plan."
	case t.RecurringFee == 0:
		return "On " + end + ": the calls made until then, at the prices beside."
	case len(t.Components) == 0:
		return "On " + end + ": " + fee + " for the month after."
	}
	return "On " + end + ": " + fee + " for the month after, and the calls made until then."
}

func cardText(org accounts.Organization) string {
	if org.PaymentMethodID == "" {
		return ""
	}
	return cardBrand(org.CardBrand) + " ending " + org.CardLast4
}

func cardBrand(brand string) string {
	switch brand {
	case "visa":
		return "Visa"
	case "mastercard":
		return "Mastercard"
	case "amex":
		return "American Express"
	}
	return "Card"
}

// Subscribe puts the default application on a plan. It leads to Stripe's page
// for a card when one is needed, and to Billing when the payment was declined:
// that page explains it and has the button to update the card.
func (c *Console) Subscribe(r *request.Request) error {
	id, err := r.ParamID("plan")
	if err != nil {
		return err
	}
	offer, product, err := c.Plans.OfferOf(r.Ctx(), id)
	if err != nil {
		return err
	}
	app, err := c.Applications.Default(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return err
	}
	next, err := c.Billing.Subscribe(r.Ctx(), r.Identity, app.ID, id)
	if problem.Is(err, "conflict") {
		props, formErr := c.confirm(r, offer, product)
		if formErr != nil {
			return formErr
		}
		props.Error = problem.As(err).Message
		return r.PageStatus(http.StatusConflict, page.Subscribe(r.Layout(props.Product+" "+props.Plan), props))
	}
	if err != nil {
		return err
	}
	if next.CheckoutURL != "" {
		return r.Redirect(next.CheckoutURL)
	}
	return c.subscribed(r, next.Subscription)
}

// CheckoutReturn is where Stripe's page leads back to. What it says is asked of
// Stripe anew.
func (c *Console) CheckoutReturn(r *request.Request) error {
	session := r.Query("session_id")
	sub, err := c.Subscriptions.ByCheckout(r.AsStaff(), session)
	if err != nil && (session == "" || !problem.Is(err, "not-found")) { // a card update has no subscription
		return err
	}
	if err == nil && sub.OrgID != r.Identity.Organization {
		return problem.NotFound("checkout")
	}
	id, err := c.Billing.CheckoutDone(r.Ctx(), session)
	if id != uuid.Nil && problem.Is(err, "conflict") { // the card is stored all the same
		return r.RedirectWith("Nothing was charged. "+problem.As(err).Message+" The card is stored for what you hold.", "/console/billing")
	}
	if err != nil {
		return err
	}
	if id == uuid.Nil {
		return r.RedirectWith("The card is stored.", "/console/billing")
	}
	return c.subscribed(r, id)
}

// subscribed leads on from a subscription that was just made.
func (c *Console) subscribed(r *request.Request, id uuid.UUID) error {
	if err := c.settled(r, id); err != nil {
		return err
	}
	list, err := c.Subscriptions.List(r.Ctx(), r.Identity.Organization) // without those that wait for a payment
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID == id && s.State == subscriptions.Active {
			next, err := c.keysFor(r, s.ApplicationID)
			if err != nil {
				return err
			}
			return r.RedirectWith("You are subscribed to "+s.ProductName+" "+s.PlanName+". "+next, "/console/keys")
		}
	}
	return r.Redirect("/console/billing")
}

// keysFor says what an application with a new plan calls it with.
func (c *Console) keysFor(r *request.Request, application uuid.UUID) (string, error) {
	all, err := c.Keys.List(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return "", err
	}
	works := func(k keys.Listed) bool { return k.ApplicationID == application && k.Works(c.Clock.Now()) }
	if slices.ContainsFunc(all, works) {
		return "Your keys work for it at once.", nil
	}
	return "Now create a key to call it with.", nil
}

// Stripe's webhook may be collecting the first fee at this very moment; its
// outcome decides where the person goes, so we wait a little for it.
const (
	settleTries = 30
	settlePause = 100 * time.Millisecond
)

// settled returns when the subscription is no longer pending, its payment was
// refused, or the wait is over.
func (c *Console) settled(r *request.Request, id uuid.UUID) error {
	for range settleTries {
		sub, err := c.Subscriptions.Get(r.Ctx(), id)
		if err != nil || sub.State != subscriptions.Pending {
			return err
		}
		open, _, err := c.Invoices.List(r.Ctx(), invoices.Filter{Org: r.Identity.Organization, State: invoices.Open}, 0, 20)
		if err != nil || slices.ContainsFunc(open, func(i invoices.Listed) bool { return i.SubscriptionID == id && i.Failure != "" }) {
			return err
		}
		timer := time.NewTimer(settlePause)
		select {
		case <-r.Ctx().Done():
			timer.Stop()
			return r.Ctx().Err()
		case <-timer.C:
		}
	}
	return nil
}
