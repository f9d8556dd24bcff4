package portal

import (
	"net/http"

	p "tollgate/internal/permissions"
	"tollgate/internal/portal/api"
	"tollgate/internal/portal/request"
	"tollgate/internal/portal/site"
)

// Screens are the handlers of every page, grouped as people know them.
type Screens struct {
	Auth *site.Auth
	API  *api.Handlers
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

		// console

		// studio

		// finance

		// operations and demo

		// management API
		get("/api/v1/usage", p.Gateway, s.API.GetUsage),
		get("/api/v1/subscriptions", p.Gateway, s.API.ListSubscriptions),
	}
}
