// Package snapshot is what a gateway must know to decide on calls: an immutable
// view, loaded whole from Postgres once and then changed by deltas, swapped
// atomically, and kept on disk.
package snapshot

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
	"tollgate/internal/upstream"
)

// Data is rows of the view: all of them when it is loaded whole, the changed
// ones in a delta.
type Data struct {
	Version       int64 // of the database's view
	ClockOffset   time.Duration
	Keys          []Credential
	Access        map[uuid.UUID]Access // of the keys that are restricted, by key
	Versions      []Version
	Plans         []Terms
	Subscriptions []Subscription
}

// Access is what a key is restricted to.
type Access struct {
	Scopes   []string       // APIs ("shop") and operations ("shop/list-things"); none: all
	Networks []netip.Prefix // that calls may come from; none: all
}

// Version is a published API version with its route and upstream.
type Version struct {
	ID           uuid.UUID
	API          string // slug
	Host         string // empty: any
	PathPrefix   string
	SignIdentity bool
	Private      bool // known to its subscribers only
	Upstream     uuid.UUID
	Policy       upstream.Policy // as it was set, without defaults
	CORS         upstream.CORS
	LiveTargets  []upstream.Target // at least one
	TestTargets  []upstream.Target // none: test calls are refused
	Operations   []Operation
	Products     []uuid.UUID // that sell it, in the order of their ids

	fault string // why its settings cannot be read
}

// Operation is one callable method and path of a version.
type Operation struct {
	ID, Version uuid.UUID
	Slug        string
	Method      string
	Path        string // template, as in /books/{id}
	Weight      int32
	UnitsFrom   string // where a call's units come from; empty: Weight

	scope string // of keys: the API's slug and the operation's
	limit string // how limits name it
}

// LimitName is the operation as quota.Limit.Operation names it, such as
// "GET /reports/{id}".
func (o *Operation) LimitName() string { return o.limit }

// Terms is a plan version.
type Terms struct {
	ID, Plan, Product uuid.UUID
	Name, ProductSlug string // of the plan; for messages and links
	Number            int32
	Order             int32 // of the plan among those of its product
	Anonymous         bool  // for calls without a key
	Billed            []int16
	Limits            []Limit // by position
}

// Limit is a limit of a plan version as it is stored.
type Limit struct {
	Plan          uuid.UUID // version
	Position      int32
	Kind          string // rate, quota or concurrency
	Calls         int64
	Window        int32 // seconds
	Hard          bool
	Algorithm     quota.Algorithm
	Scope         quota.Scope
	Operation     string
	Burst         int64
	CalendarMonth bool
	Prepaid       bool
	Adapt         quota.Adapt
}

// Subscription is an application's hold on a plan version. What each call looks
// at comes first, side by side.
type Subscription struct {
	ID, Org, Application, Product uuid.UUID
	PeriodStart, PeriodEnd        time.Time
	Credits                       int64 // calls that were paid for in advance, all in all
	CancelAtEnd                   bool  // ends at PeriodEnd
	AnchorDay                     int   // day of the month on which periods begin
	PlanVersion                   uuid.UUID
	State                         string
	TimeZone                      string // of the organization
	Overrides                     []Override
	Plan, ProductSlug             string // of the terms; set when the view is built
}

// Override is another amount of one limit for one subscription.
type Override struct {
	Subscription uuid.UUID
	Plan         uuid.UUID // version; another than the subscription's is out of force
	Position     int32
	Calls        int64
	Burst        int64 // 0: Calls, as in a limit
	ExpiresAt    time.Time
}
