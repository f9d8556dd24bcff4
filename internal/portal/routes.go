package portal

import (
	"net/http"

	p "tollgate/internal/permissions"
	"tollgate/internal/portal/request"
	"tollgate/internal/portal/site"
)

// Screens are the handlers of every page, grouped as people know them.
type Screens struct {
	Auth *site.Auth
	Site *site.Pages
}

// Routes is the whole map of the portal: each address with the permission that
// it needs.
func (s Screens) Routes() []Route {
	get := func(path string, needs p.Permission, h func(*request.Request) error) Route {
		return Route{http.MethodGet, path, needs, h}
	}
	post := func(path string, needs p.Permission, h func(*request.Request) error) Route {
		return Route{http.MethodPost, path, needs, h}
	}
	return []Route{
		// the way in and out
		get("/login", p.Public, s.Auth.LoginForm),
		post("/login", p.Public, s.Auth.Login),
		get("/signup", p.Public, s.Auth.SignUpForm),
		post("/signup", p.Public, s.Auth.SignUp),
		post("/logout", p.SignedIn, s.Auth.Logout),

		// site
		get("/", p.Public, s.Site.Landing),
		get("/apis", p.Public, s.Site.APIs),
		get("/apis/:api", p.Public, s.Site.API),
		get("/apis/:api/ops", p.Public, s.Site.Operations),
		get("/apis/:api/openapi.json", p.Public, s.Site.Document),
		get("/apis/:api/:op", p.Public, s.Site.Operation),
		get("/apis/:api/:op/markdown", p.Public, s.Site.OperationMarkdown),
		get("/pricing/:product", p.Public, s.Site.Pricing),
		get("/products/:product", p.Public, s.Site.Product),
		get("/problems", p.Public, s.Site.Problems),
		get("/problems/:code", p.Public, s.Site.Problem),
		get("/search/suggest", p.Public, s.Site.Suggest),

		// console

		// studio

		// finance

		// operations and demo

		// management API
	}
}
