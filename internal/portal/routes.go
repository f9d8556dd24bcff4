package portal

import (
	"net/http"
	"slices"

	p "tollgate/internal/permissions"
	"tollgate/internal/portal/account"
	"tollgate/internal/portal/api"
	"tollgate/internal/portal/console"
	"tollgate/internal/portal/finance"
	"tollgate/internal/portal/ops"
	"tollgate/internal/portal/request"
	"tollgate/internal/portal/site"
	"tollgate/internal/portal/studio"
)

// Screens are the handlers of every page, grouped as people know them.
type Screens struct {
	Auth     *site.Auth
	Account  *account.Pages
	Site     *site.Pages
	Console  *console.Console
	Studio   *studio.Pages
	Finance  *finance.Finance
	Ops      *ops.Ops
	Webhooks *ops.Webhooks
	API      *api.Handlers
	Clock    *ops.Clock // demo mode only; nil: no such addresses
}

// Routes is the whole map of the portal: each address with the permission that
// it needs.
func (s Screens) Routes() []Route {
	routes := slices.Concat(s.accountRoutes(), s.siteRoutes(), s.consoleRoutes(), s.studioRoutes(), s.financeRoutes(), s.opsRoutes(), s.apiRoutes())
	if s.Clock != nil {
		routes = append(routes, get("/demo/clock", p.MoveClock, s.Clock.Page), post("/demo/clock", p.MoveClock, s.Clock.Move))
	}
	return routes
}

func get(path string, needs p.Permission, h request.Handler) Route {
	return Route{http.MethodGet, path, needs, h}
}

func post(path string, needs p.Permission, h request.Handler) Route {
	return Route{http.MethodPost, path, needs, h}
}

// accountRoutes are the way in and out, and one's own account.
func (s Screens) accountRoutes() []Route {
	return []Route{
		get("/login", p.Public, s.Auth.LoginForm),
		post("/login", p.Public, s.Auth.Login),
		get("/signup", p.Public, s.Auth.SignUpForm),
		post("/signup", p.Public, s.Auth.SignUp),
		post("/logout", p.SignedIn, s.Auth.Logout),
		get("/account", p.SignedIn, s.Account.Show),
		post("/account/password", p.SignedIn, s.Account.ChangePassword),
		post("/account/organization", p.ManageOrganization, s.Account.ChangeOrganization),
	}
}

// siteRoutes are what anybody may read.
func (s Screens) siteRoutes() []Route {
	return []Route{
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
		get("/-/components", p.SeeComponents, s.Site.Components),
	}
}

// consoleRoutes are a customer's pages.
func (s Screens) consoleRoutes() []Route {
	return []Route{
		get("/console", p.ReadOwn, s.Console.Dashboard),
		get("/console/subscribe/:plan", p.Buy, s.Console.SubscribeForm),
		post("/console/subscribe/:plan", p.Buy, s.Console.Subscribe),
		get("/console/checkout/return", p.Buy, s.Console.CheckoutReturn),
		get("/console/subscriptions", p.ReadOwn, s.Console.ListSubscriptions),
		post("/console/subscriptions/:id/cancel", p.Buy, s.Console.Cancel),
		post("/console/subscriptions/:id/resume", p.Buy, s.Console.Resume),
		get("/console/keys", p.ReadOwn, s.Console.ListKeys),
		post("/console/keys", p.ManageKeys, s.Console.CreateKey),
		get("/console/keys/created", p.ManageKeys, s.Console.KeyCreated),
		post("/console/keys/:key/rotate", p.ManageKeys, s.Console.RotateKey),
		post("/console/keys/:key/revoke", p.ManageKeys, s.Console.RevokeKey),
		get("/console/first-call/:key", p.ReadOwn, s.Console.FirstCall),
		get("/console/first-call/:key/status", p.ReadOwn, s.Console.FirstCallStatus),
		get("/console/usage", p.ReadOwn, s.Console.Usage),
		get("/console/usage.csv", p.ReadOwn, s.Console.UsageCSV),
		get("/console/logs", p.ReadOwn, s.Console.Logs),
		get("/console/logs.csv", p.ReadOwn, s.Console.LogsCSV),
		get("/console/billing", p.ReadOwn, s.Console.BillingPage),
		post("/console/billing/card", p.Buy, s.Console.UpdateCard),
		get("/console/invoices/:id", p.ReadOwn, s.Console.Invoice),
		get("/console/invoices/:id/lines.csv", p.ReadOwn, s.Console.InvoiceCSV),
		get("/console/requests/new", p.Buy, s.Console.RequestForm),
		post("/console/requests/new", p.Buy, s.Console.SendRequest),
	}
}

// studioRoutes are the product team's pages.
func (s Screens) studioRoutes() []Route {
	return []Route{
		get("/studio", p.ManageCatalog, s.Studio.APIs),
		get("/studio/apis/new", p.ManageCatalog, s.Studio.NewAPI),
		post("/studio/apis/new", p.ManageCatalog, s.Studio.SubmitAPI),
		get("/studio/apis/:api/upstream", p.ManageCatalog, s.Studio.Upstream),
		post("/studio/apis/:api/upstream", p.ManageCatalog, s.Studio.ChangeUpstream),
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
		get("/studio/products/:id/plans/:plan", p.ManageCatalog, s.Studio.Plan),
		get("/studio/customers", p.ManageCatalog, s.Studio.Customers),
		get("/studio/customers/:id", p.ManageCatalog, s.Studio.Customer),
		post("/studio/customers/:id/overrides", p.OverrideLimits, s.Studio.Override),
		post("/studio/customers/:id/credits", p.OverrideLimits, s.Studio.AddCredit),
		post("/studio/customers/:id/overrides/:override/revoke", p.OverrideLimits, s.Studio.RevokeOverride),
		get("/studio/requests", p.ManageCatalog, s.Studio.Requests),
		get("/studio/requests/:id", p.ManageCatalog, s.Studio.Request),
		post("/studio/requests/:id/grant", p.ManageCatalog, s.Studio.Grant),
		post("/studio/requests/:id/decline", p.ManageCatalog, s.Studio.Decline),
	}
}

// financeRoutes are finance's pages.
func (s Screens) financeRoutes() []Route {
	return []Route{
		get("/finance/invoices", p.ReadInvoices, s.Finance.List),
		get("/finance/invoices.csv", p.ReadInvoices, s.Finance.ListCSV),
		get("/finance/lines.csv", p.ReadInvoices, s.Finance.LinesCSV),
		get("/finance/invoices/:id", p.ReadInvoices, s.Finance.Invoice),
		post("/finance/invoices/:id/approve", p.Review, s.Finance.Approve),
		post("/finance/invoices/:id/hold", p.Review, s.Finance.Hold),
		get("/finance/lines/:id", p.ReadInvoices, s.Finance.Line),
		post("/finance/lines/:id/recompute", p.ReadInvoices, s.Finance.Recompute),
		get("/finance/lines/:id/calls", p.ReadInvoices, s.Finance.LineCalls),
		get("/finance/lines/:id/calls.csv", p.ReadInvoices, s.Finance.LineCallsCSV),
		get("/finance/reconciliation", p.ReadInvoices, s.Finance.Reconciliation),
	}
}

// opsRoutes are the operator's page and Stripe's webhooks.
func (s Screens) opsRoutes() []Route {
	return []Route{
		get("/ops", p.Operate, s.Ops.System),
		post("/ops/leases/:lease/write-off", p.Operate, s.Ops.WriteOff),
		post("/ops/gateways/:gateway/write-off", p.Operate, s.Ops.WriteOffGateway),
		post(webhookPath, p.Public, s.Webhooks.Stripe),
	}
}

// apiRoutes are the management API, called through the gateway.
func (s Screens) apiRoutes() []Route {
	return []Route{
		get("/api/v1/usage", p.Gateway, s.API.GetUsage),
		get("/api/v1/subscriptions", p.Gateway, s.API.ListSubscriptions),
	}
}
