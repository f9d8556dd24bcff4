// Package plans holds what is sold: products, their plans, and each plan's
// immutable terms. A change of terms is a new version.
package plans

import (
	"time"

	"github.com/google/uuid"

	"tollgate/internal/pricing"
)

// Product is what is sold: a set of API versions.
type Product struct {
	ID          uuid.UUID
	Slug        string
	Name        string
	Description string
	CreatedAt   time.Time
}

// How a plan is sold.
const (
	SelfServe = "self_serve" // anybody may subscribe
	OnRequest = "on_request" // asked for through a form
	Anonymous = "anonymous"  // for calls without a key: nobody subscribes to it
)

// Plan is what pages call a tier of a product.
type Plan struct {
	ID          uuid.UUID
	ProductID   uuid.UUID
	Slug        string
	Name        string
	Description string
	Sale        string
	PrivateTo   *uuid.UUID // the one organization that it is offered to; nil: everybody
	Position    int
	CreatedAt   time.Time
}

// Terms are one version of a plan: limits and prices that never change.
type Terms struct {
	VersionID    uuid.UUID
	PlanID       uuid.UUID
	Number       int
	Currency     string // ISO 4217, lower case
	RecurringFee int64  // minor units per month, in advance
	// BilledClasses are the classes of answers' status that are billed, 2 for
	// 2xx; nil: those below 500 of an upstream, BilledByDefault.
	BilledClasses []int16
	Limits        []Limit
	Components    []Component
}

// Component is a named reason to charge for usage.
type Component struct {
	ID    uuid.UUID
	Name  string
	Meter string // what is counted, one of Meters
	pricing.Component
}

// Free reports whether nothing can ever be charged under t.
func (t Terms) Free() bool { return t.RecurringFee == 0 && len(t.Components) == 0 }

// Offer is a plan with its present terms.
type Offer struct {
	Plan
	Terms Terms
}

// Offering is a product with the plans that a caller may see.
type Offering struct {
	Product
	Plans []Offer
}

// UsageCharge is what quantity calls in a period cost under t, beside the fee.
func (t Terms) UsageCharge(quantity int64) (int64, []pricing.Line, error) {
	total := int64(0)
	lines := make([]pricing.Line, len(t.Components))
	for i, c := range t.Components {
		line, err := pricing.Rate(c.Component, quantity)
		if err != nil {
			return 0, nil, err
		}
		lines[i] = line
		total += line.Amount
	}
	return total, lines, nil
}

// BilledByDefault are the classes of status that a plan bills which names none.
func BilledByDefault() []int16 { return []int16{2, 3, 4} }

// Billed are the classes of answers' status that t bills.
func (t Terms) Billed() []int16 {
	if t.BilledClasses == nil {
		return BilledByDefault()
	}
	return t.BilledClasses
}
