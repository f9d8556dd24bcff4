// Package subscriptions holds an application's hold on a plan version: its
// state and its billing periods.
package subscriptions

import (
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
)

// States of a subscription.
const (
	Pending = "pending" // chosen, not yet paid for
	Active  = "active"
	Unpaid  = "unpaid" // an invoice could not be collected; calls are refused
	Ended   = "ended"
)

// Subscription is an application's hold on a plan version.
type Subscription struct {
	ID                uuid.UUID
	OrgID             uuid.UUID
	ApplicationID     uuid.UUID
	PlanVersionID     uuid.UUID
	ProductID         uuid.UUID
	State             string
	CheckoutSessionID string
	AnchorDay         int // day of the month, in the organization's time zone
	PeriodStart       *time.Time
	PeriodEnd         *time.Time
	CancelAtEnd       bool
	CreatedAt         time.Time
	EndedAt           *time.Time
}

// Listed is a subscription with the names that pages show.
type Listed struct {
	Subscription
	PlanID      uuid.UUID
	PlanName    string
	ProductName string
	ProductSlug string
	TimeZone    string
}

// BillingPeriod is one period of a subscription and how far it has been billed.
type BillingPeriod struct {
	SubscriptionID uuid.UUID
	OrgID          uuid.UUID
	Number         int
	StartsAt       time.Time
	EndsAt         time.Time
	PlanVersionID  uuid.UUID
	ClosedBatch    *int64 // last usage batch that was counted; nil until closed
}

// Location is the organization's time zone; an unknown one is UTC.
func (l Listed) Location() *time.Location { return clock.Zone(l.TimeZone) }
