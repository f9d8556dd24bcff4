package portal

import (
	"net/http"

	p "tollgate/internal/permissions"
	"tollgate/internal/portal/console"
	"tollgate/internal/portal/finance"
	"tollgate/internal/portal/ops"
	"tollgate/internal/portal/request"
	"tollgate/internal/portal/site"
)

// Screens are the handlers of every page, grouped as people know them.
type Screens struct {
	Auth     *site.Auth
	Console  *console.Console
	Finance  *finance.Finance
	Ops      *ops.Ops
	Clock    *ops.Clock // demo mode only; nil: no such addresses
	Webhooks *ops.Webhooks
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
	routes := []Route{
		// the way in and out
		get("/login", p.Public, s.Auth.LoginForm),
		post("/login", p.Public, s.Auth.Login),
		get("/signup", p.Public, s.Auth.SignUpForm),
		post("/signup", p.Public, s.Auth.SignUp),
		post("/logout", p.SignedIn, s.Auth.Logout),

		// site

		// console
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

		// studio

		// finance
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

		// operations and demo
		get("/ops", p.Operate, s.Ops.System),
		post(webhookPath, p.Public, s.Webhooks.Stripe),

		// management API
	}
	if s.Clock != nil {
		routes = append(routes, get("/demo/clock", p.MoveClock, s.Clock.Page), post("/demo/clock", p.MoveClock, s.Clock.Move))
	}
	return routes
}
