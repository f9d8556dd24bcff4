// Package demo fills an empty installation with something to try: a provider
// with its team, two published APIs with plans, and a customer on the Pro plan
// who has paid. It goes through the same use cases as people do.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"tollgate/internal/accounts"
	"tollgate/internal/billing"
	"tollgate/internal/catalog"
	"tollgate/internal/demo/elements"
	"tollgate/internal/keys"
	"tollgate/internal/keys/token"
	"tollgate/internal/plans"
	"tollgate/internal/portal/api"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
)

// Provider is the organization that publishes.
const Provider = "Elementary Labs"

// Person is one of the demo's people.
type Person struct{ Who, Email, Password, Role string }

// Last is the e-mail address of the person who is made last: where they are, the
// sample data is whole.
const Last = "operator@elementary.example"

// People lists the demo's people with the given passwords, in the order of the story.
func People(password func(who string) string) []Person {
	out := []Person{
		{"Developer", "dev@acme.example", "", "owner"},
		{"Product team", "product@elementary.example", "", "product"},
		{"Finance", "finance@elementary.example", "", "finance"},
		{"Operator", Last, "", "operator"},
	}
	for i := range out {
		out[i].Password = password(out[i].Who)
	}
	return out
}

// Seeder makes the demo's data.
type Seeder struct {
	Accounts *accounts.Service
	Catalog  *catalog.Service
	Plans    *plans.Service
	Keys     *keys.Service
	Billing  *billing.Service

	SampleURL, PortalURL string // upstreams of the two APIs
	Simulated            bool   // Stripe is simulated: a card can be stored without a person

	KeepKey func(key string) error // called before the data counts as whole
}

// Seed fills an empty installation. KeepKey gets the developer's live key, or ""
// when a real Stripe account is used, where only a person can store a card.
func (s Seeder) Seed(ctx context.Context, people []Person) error {
	var dev, author accounts.Joined
	var last Person
	for _, p := range people {
		if p.Email == Last {
			last = p
			continue
		}
		joined, err := s.join(ctx, p)
		if err != nil {
			return err
		}
		switch p.Role {
		case "owner":
			dev = joined
		case "product":
			author = joined
		}
	}
	key, err := s.fill(ctx, dev, author.User)
	if err != nil {
		return err
	}
	if err := s.KeepKey(key); err != nil {
		return err
	}
	_, err = s.join(ctx, last)
	return err
}

// join makes a person, who signs up or is of the provider's team.
func (s Seeder) join(ctx context.Context, p Person) (joined accounts.Joined, err error) {
	in := accounts.SignUp{Email: p.Email, Password: p.Password}
	if p.Role == "owner" {
		joined, err = s.Accounts.SignUp(ctx, in)
	} else {
		joined, err = s.Accounts.AddStaff(ctx, in, Provider, p.Role)
	}
	if err != nil {
		return joined, fmt.Errorf("make %s: %w", p.Who, err)
	}
	return joined, nil
}

// fill publishes what is sold and, where no person has to store a card,
// subscribes the developer to it.
func (s Seeder) fill(ctx context.Context, dev accounts.Joined, author uuid.UUID) (key string, err error) {
	pro, included, err := s.publishAll(postgres.AsStaff(ctx), author)
	if err != nil {
		return "", err
	}
	if !s.Simulated {
		return "", nil
	}
	if _, err := s.Billing.Subscribe(ctx, dev.Identity, dev.Application, included); err != nil {
		return "", fmt.Errorf("subscribe to the portal's own API: %w", err)
	}
	return s.subscribe(ctx, dev, pro)
}

// publishAll publishes both APIs and puts each into a product. It returns the
// sample product's Pro plan and the one plan of the portal's own API.
func (s Seeder) publishAll(ctx context.Context, author uuid.UUID) (pro, included uuid.UUID, err error) {
	version, err := s.publish(ctx, author, "elements.json", elements.Document, catalog.NewAPI{
		Name: "Elements", Slug: "elements", Summary: "The periodic table as an API: elements, weights and molar masses.",
		UpstreamURL: s.SampleURL, TestURL: s.SampleURL, PathPrefix: "/elements/v1", Visibility: "public",
	})
	if err != nil {
		return pro, included, err
	}
	product, err := s.Plans.CreateProduct(ctx, author, plans.NewProduct{Slug: "elements", Name: "Elements", Description: "Chemistry for programs.", Versions: []uuid.UUID{version}})
	if err != nil {
		return pro, included, fmt.Errorf("make the product: %w", err)
	}
	for _, p := range Plans(product.ID) {
		offer, err := s.Plans.CreatePlan(ctx, author, p)
		if err != nil {
			return pro, included, fmt.Errorf("make the plan %s: %w", p.Name, err)
		}
		if p.Slug == "pro" {
			pro = offer.ID
		}
	}
	included, err = s.publishOwn(ctx, author)
	return pro, included, err
}

// publishOwn puts the portal's management API behind the gateway, free of charge.
func (s Seeder) publishOwn(ctx context.Context, author uuid.UUID) (plan uuid.UUID, err error) {
	version, err := s.publish(ctx, author, "tollgate.json", api.Document, catalog.NewAPI{
		Name: "Tollgate", Slug: "tollgate", Summary: "Your own usage and subscriptions, for programs.",
		UpstreamURL: s.PortalURL, TestURL: s.PortalURL, PathPrefix: "/tollgate", Visibility: "public", SignIdentity: true,
	})
	if err != nil {
		return plan, err
	}
	product, err := s.Plans.CreateProduct(ctx, author, plans.NewProduct{Slug: "tollgate", Name: "Tollgate", Description: "The portal's own API.", Versions: []uuid.UUID{version}})
	if err != nil {
		return plan, fmt.Errorf("make the product: %w", err)
	}
	offer, err := s.Plans.CreatePlan(ctx, author, plans.NewPlan{Product: product.ID, Slug: "included", Name: "Included", Sale: plans.SelfServe, Currency: "usd", Limits: []plans.Limit{plans.Rate(1000, time.Hour)}})
	return offer.ID, err
}

func (s Seeder) publish(ctx context.Context, author uuid.UUID, name string, document []byte, in catalog.NewAPI) (uuid.UUID, error) {
	id, err := s.Catalog.Submit(ctx, author, catalog.Source{Name: name, Document: document})
	if err != nil {
		return uuid.Nil, fmt.Errorf("submit %s: %w", name, err)
	}
	if err := s.Catalog.Read(ctx, catalog.ReadJob{Publication: id}); err != nil {
		return uuid.Nil, fmt.Errorf("read %s: %w", name, err)
	}
	entry, err := s.Catalog.Publish(ctx, author, id, in)
	if err != nil {
		return uuid.Nil, fmt.Errorf("publish %s: %w", name, err)
	}
	return entry.Version.ID, nil
}

// Plans are the three plans of the sample product.
func Plans(product uuid.UUID) []plans.NewPlan {
	cents := decimal.RequireFromString
	return []plans.NewPlan{
		{Product: product, Slug: "free", Name: "Free", Description: "To try things out.", Sale: plans.SelfServe, Currency: "usd",
			Limits: []plans.Limit{plans.Rate(100, time.Hour), plans.Quota(1000, true)}},
		{Product: product, Slug: "pro", Name: "Pro", Description: "For programs that people rely on.", Sale: plans.SelfServe, Currency: "usd",
			RecurringFee: 4900, Limits: []plans.Limit{plans.Rate(1000, time.Hour)},
			Usage: &pricing.Component{Model: pricing.Graduated, Included: 100, FlatAtZero: true, Tiers: []pricing.Tier{{UpTo: 50, Rate: cents("0.5")}, {UpTo: pricing.NoEnd, Rate: cents("0.25")}}}},
		{Product: product, Slug: "enterprise", Name: "Enterprise", Description: "Made to measure: limits, prices and support.", Sale: plans.OnRequest, Currency: "usd"},
	}
}

// subscribe puts the developer on Pro through Checkout, as a person would, and
// makes a live key.
func (s Seeder) subscribe(ctx context.Context, dev accounts.Joined, plan uuid.UUID) (string, error) {
	next, err := s.Billing.Subscribe(ctx, dev.Identity, dev.Application, plan)
	if err != nil {
		return "", fmt.Errorf("subscribe: %w", err)
	}
	session, err := payAt(ctx, next.CheckoutURL)
	if err != nil {
		return "", err
	}
	if _, err := s.Billing.CheckoutDone(ctx, session); err != nil {
		return "", fmt.Errorf("finish checkout: %w", err)
	}
	_, secret, err := s.Keys.Create(postgres.AsMember(ctx, dev.Organization, dev.User), dev.User, dev.Organization, dev.Application, keys.NewKey{Name: "First key", Mode: token.Live})
	return secret, err
}

// payAt types the test card into the simulator's Checkout page.
func payAt(ctx context.Context, page string) (session string, err error) {
	form := url.Values{"number": {"4242 4242 4242 4242"}, "expiry": {"12 / 34"}, "cvc": {"123"}, "name": {"Ada Developer"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("open checkout: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("submit checkout: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		return "", errors.New("checkout answered " + resp.Status)
	}
	return path.Base(req.URL.Path), nil
}
