// Package snapshot is what a gateway must know to decide on calls: an immutable
// view, loaded whole from Postgres, kept on disk, and swapped atomically.
package snapshot

import (
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

// Data is the view as rows: what is loaded and what is kept on disk.
type Data struct {
	Version       int64 // of the database's view
	ClockOffset   time.Duration
	Keys          []Key
	Versions      []Version
	Operations    []Operation
	Subscriptions []Subscription
	Limits        []Limit
	Sales         []Sale
}

// Key is an API key that has not been revoked.
type Key struct {
	ID, Org, Application uuid.UUID
	Mode                 token.Mode
	Hash                 []byte
	ExpiresAt            *time.Time
}

// Version is a published API version with its route and upstream.
type Version struct {
	ID           uuid.UUID
	API          string // slug
	Host         string // empty: any
	PathPrefix   string
	LiveURL      string
	TestURL      string // empty: test calls are refused
	SignIdentity bool
	Private      bool // known to its subscribers only
}

// Operation is one callable method and path of a version.
type Operation struct {
	ID, Version uuid.UUID
	Method      string
	Path        string // template, as in /books/{id}
	Weight      int32
}

// Subscription is an application's hold on a plan version.
type Subscription struct {
	ID, Org, Application, Product, PlanVersion uuid.UUID
	Plan, ProductSlug                          string // for messages and links
	State                                      string
	PeriodStart, PeriodEnd                     time.Time
	AnchorDay                                  int    // day of the month on which periods begin
	TimeZone                                   string // of the organization
	CancelAtEnd                                bool   // ends at PeriodEnd
}

// Limit is a rate limit or quota of a plan version.
type Limit struct {
	PlanVersion uuid.UUID
	Kind        string
	Calls       int64
	Window      int32 // seconds
	Hard        bool
}

// Sale says that a product sells a version.
type Sale struct{ Product, Version uuid.UUID }
