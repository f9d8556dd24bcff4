package portal

import (
	"net/http"

	p "tollgate/internal/permissions"
	"tollgate/internal/portal/api"
	"tollgate/internal/portal/request"
	"tollgate/internal/portal/site"
	"tollgate/internal/portal/studio"
)

// Screens are the handlers of every page, grouped as people know them.
type Screens struct {
	Auth   *site.Auth
	Site   *site.Pages
	Studio *studio.Pages
	API    *api.Handlers
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
		get("/studio", p.ManageCatalog, s.Studio.APIs),
		get("/studio/apis/new", p.ManageCatalog, s.Studio.NewAPI),
		post("/studio/apis/new", p.ManageCatalog, s.Studio.SubmitAPI),
		get("/studio/publications/:id", p.ManageCatalog, s.Studio.Publication),
		get("/studio/publications/:id/status", p.ManageCatalog, s.Studio.PublicationStatus),
		post("/studio/publications/:id/publish", p.ManageCatalog, s.Studio.Publish),
		post("/studio/publications/:id/discard", p.ManageCatalog, s.Studio.Discard),
		get("/studio/products", p.ManageCatalog, s.Studio.Products),
		get("/studio/products/new", p.ManageCatalog, s.Studio.NewProduct),
		post("/studio/products/new", p.ManageCatalog, s.Studio.CreateProduct),
		get("/studio/products/:id", p.ManageCatalog, s.Studio.Product),
		get("/studio/products/:id/plans/new", p.ManageCatalog, s.Studio.NewPlan),
		post("/studio/products/:id/plans/new", p.ManageCatalog, s.Studio.CreatePlan),
		get("/studio/requests", p.ManageCatalog, s.Studio.Requests),
		get("/studio/requests/:id", p.ManageCatalog, s.Studio.Request),
		post("/studio/requests/:id/grant", p.ManageCatalog, s.Studio.Grant),
		post("/studio/requests/:id/decline", p.ManageCatalog, s.Studio.Decline),

		// finance

		// operations and demo

		// management API
		get("/api/v1/usage", p.Gateway, s.API.GetUsage),
		get("/api/v1/subscriptions", p.Gateway, s.API.ListSubscriptions),
	}
}
