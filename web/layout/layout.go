// Package layout frames pages: public, signed in, and bare.
package layout

import (
	"net/url"
	"strings"

	"tollgate/web/component"
)

// Props are what every page needs besides its own content.
type Props struct {
	Title       string // without the product's name
	Description string // for search engines and link previews
	Nonce       string // of this answer's content security policy
	Path        string // of the request; marks the current place in the navigation
	User        *UserProps
	Nav         []NavItem // nil shows the area's own navigation
	Flash       *component.FlashProps
	Demo        *DemoProps
	Query       string // what the search box holds
	SuggestURL  string // answers ?q= with [{"title","detail","url"}]; none when empty
	Mode        string // test or live: marks signed-in pages; empty shows no mark
}

// UserProps is the person who is signed in.
type UserProps struct {
	Name         string
	Email        string
	Organization string
	Areas        []NavItem // the areas this person may enter
}

// NavItem is one place.
type NavItem struct {
	Label string
	URL   string
	Icon  string // lucide name
	Count string // such as open requests, empty for none
}

// DemoProps say that the clock can be moved, and what it shows.
type DemoProps struct {
	Now string // business time, formatted
}

// Area is a part of the signed-in pages.
type Area string

// The areas.
const (
	Console Area = "Console"
	Studio  Area = "Studio"
	Finance Area = "Finance"
	Ops     Area = "Operations"
)

// Home is the area that the signed-in person works in first.
func (p Props) Home() Area {
	if p.User != nil && len(p.User.Areas) > 0 {
		return Area(p.User.Areas[0].Label)
	}
	return Console
}

// AreaNav is the navigation of an area.
func AreaNav(area Area) []NavItem {
	switch area {
	case Studio:
		return []NavItem{
			{Label: "APIs", URL: "/studio", Icon: "boxes"},
			{Label: "Products and plans", URL: "/studio/products", Icon: "package"},
			{Label: "Customers", URL: "/studio/customers", Icon: "user-round"},
			{Label: "Requests", URL: "/studio/requests", Icon: "inbox"},
		}
	case Finance:
		return []NavItem{
			{Label: "Invoices", URL: "/finance/invoices", Icon: "receipt-text"},
			{Label: "Reconciliation", URL: "/finance/reconciliation", Icon: "scale"},
		}
	case Ops:
		return []NavItem{{Label: "System", URL: "/ops", Icon: "activity"}}
	case Console:
	}
	return []NavItem{
		{Label: "Overview", URL: "/console", Icon: "layout-dashboard"},
		{Label: "API keys", URL: "/console/keys", Icon: "key-round"},
		{Label: "Usage", URL: "/console/usage", Icon: "chart-column"},
		{Label: "Logs", URL: "/console/logs", Icon: "scroll-text"},
		{Label: "Subscriptions", URL: "/console/subscriptions", Icon: "layers"},
		{Label: "Billing", URL: "/console/billing", Icon: "credit-card"},
	}
}

func (p Props) nav(area Area) []NavItem {
	if p.Nav != nil {
		return p.Nav
	}
	items := AreaNav(area)
	if area == Ops && p.Demo != nil {
		items = append(items, NavItem{Label: "Demo clock", URL: "/demo/clock", Icon: "clock"})
	}
	return items
}

// below says where pages belong whose address does not start like their place's.
var below = map[string]string{
	"/console/invoices": "/console/billing", "/console/subscribe": "/console/subscriptions",
	"/console/requests": "/console/subscriptions", "/console/first-call": "/console/keys",
	"/finance/lines": "/finance/invoices",
}

// current is the index of the item whose address is the longest prefix of the path.
func current(path string, items []NavItem) int {
	for prefix, place := range below {
		if strings.HasPrefix(path, prefix) {
			path = place
			break
		}
	}
	best, length := -1, 0
	for i, item := range items {
		inside := path == item.URL || strings.HasPrefix(path, strings.TrimSuffix(item.URL, "/")+"/")
		if inside && len(item.URL) > length {
			best, length = i, len(item.URL)
		}
	}
	return best
}

var publicNav = []NavItem{
	{Label: "APIs", URL: "/apis", Icon: "boxes"},
	{Label: "Error codes", URL: "/problems", Icon: "circle-alert"},
}

// places are what the palette offers before anything is typed.
func (p Props) places() []NavItem {
	all := append([]NavItem{}, publicNav...)
	if p.User == nil {
		return append(all, NavItem{Label: "Sign in", URL: "/login"}, NavItem{Label: "Create an account", URL: "/signup"})
	}
	for _, area := range p.User.Areas {
		for _, item := range AreaNav(Area(area.Label)) {
			item.Label = area.Label + ": " + item.Label
			all = append(all, item)
		}
	}
	return all
}

// comeBack is the address of a form that leads back to this page; the front page
// is no place to come back to.
func (p Props) comeBack(form string) string {
	if p.Path == "" || p.Path == "/" {
		return form
	}
	return form + "?next=" + url.QueryEscape(p.Path)
}

func (p Props) title() string {
	if p.Title == "" {
		return "Tollgate"
	}
	return p.Title + " · Tollgate"
}
