package site

import (
	"context"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/catalog"
	"tollgate/internal/clock"
	"tollgate/internal/permissions"
	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/subscriptions"
	"tollgate/web/component"
	"tollgate/web/page"
)

// KeyPlaceholder stands in samples where a key belongs.
const KeyPlaceholder = "YOUR_API_KEY"

// Pages are the landing page, the catalog, the reference and prices.
type Pages struct {
	Catalog       *catalog.Service
	Plans         *plans.Service
	Subscriptions *subscriptions.Service
	Clock         *clock.Clock
	GatewayURL    string // as developers reach the gateway, without a slash at its end
	PublicURL     string // as browsers reach the portal

	documents documents
}

// catalogCtx lets those who publish see private APIs as well.
func catalogCtx(r *request.Request) context.Context {
	if permissions.Allows(r.Identity.Role, permissions.ManageCatalog) {
		return r.AsStaff()
	}
	return r.Ctx()
}

// mine are the plans that the reader's organization subscribes to.
func (p *Pages) mine(r *request.Request) (map[uuid.UUID]bool, error) {
	out := map[uuid.UUID]bool{}
	if !r.SignedIn() {
		return out, nil
	}
	all, err := p.Subscriptions.List(r.Ctx(), r.Identity.Organization)
	for _, s := range all {
		if s.State == subscriptions.Active || s.State == subscriptions.Unpaid {
			out[s.PlanID] = true
		}
	}
	return out, err
}

// SubscribeURL is where subscribing to a plan begins, or asking for it.
func SubscribeURL(o plans.Offer) string {
	if o.Sale == plans.OnRequest {
		return "/console/requests/new?plan=" + o.ID.String()
	}
	return "/console/subscribe/" + o.ID.String()
}

func apiURL(slug string, parts ...string) string {
	u := "/apis/" + url.PathEscape(slug)
	for _, p := range parts {
		u += "/" + url.PathEscape(p)
	}
	return u
}

func tagURL(slug, tag string) string {
	return apiURL(slug, "ops") + "?tag=" + url.QueryEscape(tag)
}

func lifecycle(state string) component.BadgeProps {
	switch state {
	case catalog.Deprecated:
		return component.BadgeProps{Label: "Deprecated", Tone: component.Warn}
	case catalog.Published:
		return component.BadgeProps{Label: "Live", Tone: component.OK}
	}
	return component.BadgeProps{Label: state}
}

// versionLabel writes v1.2 for a label that is a number.
func versionLabel(label string) string {
	if label != "" && strings.Trim(label[:1], "0123456789") == "" {
		return "v" + label
	}
	return label
}

func operationCount(n int) string { return format.Counted(int64(n), "operation", "operations") }

// cards are the catalog's cards, with what the cheapest plan costs.
func (p *Pages) cards(ctx context.Context, entries []catalog.Entry) ([]page.CatalogCard, error) {
	ids := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		ids[i] = e.Version.ID
	}
	offerings, err := p.Plans.OfferingsByVersion(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]page.CatalogCard, len(entries))
	for i, e := range entries {
		var all []plans.Offer
		for _, o := range offerings[e.Version.ID] {
			all = append(all, o.Plans...)
		}
		status := lifecycle(e.Version.Lifecycle)
		if e.Visibility == catalog.Private {
			status = component.BadgeProps{Label: "Private"}
		}
		out[i] = page.CatalogCard{Name: e.Name, URL: apiURL(e.Slug), Summary: e.Summary, PriceFrom: offer.From(all),
			Version: versionLabel(e.Version.Label), Operations: operationCount(e.Version.OperationCount), Status: status}
	}
	return out, nil
}

// planRows are the plans that include a version, with their limits.
func planRows(offerings []plans.Offering, mine map[uuid.UUID]bool) []page.PlanRow {
	var out []page.PlanRow
	for _, o := range offerings {
		for _, plan := range o.Plans {
			row := page.PlanRow{Name: plan.Name, URL: "/pricing/" + o.Slug, Price: offer.Price(plan.Terms), Rate: offer.RateLimit(plan.Terms),
				Quota: offer.Quota(plan.Terms), Overage: offer.Overage(plan.Terms), Mine: mine[plan.ID]}
			if len(offerings) > 1 {
				row.Name = o.Name + " " + plan.Name
			}
			if plan.Sale == plans.OnRequest {
				row.Price, row.Rate, row.Quota, row.Overage = "On request", "By agreement", "By agreement", "By agreement"
			}
			if plan.Sale == plans.Anonymous {
				row.Price, row.Quota, row.Overage = "Free, no key needed", "None", "Calls are refused"
			}
			if !row.Mine && plan.Sale != plans.Anonymous {
				row.Action = action(plan)
			}
			out = append(out, row)
		}
	}
	return out
}

func action(o plans.Offer) component.LinkButtonProps {
	if o.Sale == plans.Anonymous {
		return component.LinkButtonProps{Label: "Browse the APIs", URL: "/apis"}
	}
	if o.Sale == plans.OnRequest {
		return component.LinkButtonProps{Label: "Ask us", URL: SubscribeURL(o)}
	}
	return component.LinkButtonProps{Label: "Subscribe", URL: SubscribeURL(o)}
}
