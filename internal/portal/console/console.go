// Package console is what customers do: subscribe, make keys, watch usage, pay.
// Its context sees one organization; anything of another is not found.
package console

import (
	"context"
	"time"

	"tollgate/internal/accounts"
	"tollgate/internal/applications"
	"tollgate/internal/billing"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/keys"
	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
)

// Console holds the handlers of /console.
type Console struct {
	DB            *postgres.DB
	Clock         *clock.Clock
	Accounts      *accounts.Service
	Applications  *applications.Service
	Keys          *keys.Service
	Subscriptions *subscriptions.Service
	Plans         *plans.Service
	Billing       *billing.Service
	Invoices      *invoices.Service
	GatewayURL    string // as developers reach the gateway
	CallsKept     int    // days that single calls are stored at least
}

// org is the organization of whoever asks.
func (c *Console) org(r *request.Request) (accounts.Organization, error) {
	return c.Accounts.Organization(r.Ctx(), r.Identity.Organization)
}

// reading runs usage queries in one transaction.
func (c *Console) reading(r *request.Request, do func(context.Context, *postgres.Tx) error) error {
	return c.DB.InTx(r.Ctx(), do)
}

// filter is all usage of the organization in a time.
func filter(r *request.Request, from, to time.Time) metering.Filter {
	return metering.Filter{Org: r.Identity.Organization, From: from, To: to}
}
