// Package invoices holds invoices and their lines as documents: what was
// billed, why, and from which calls. An issued invoice never changes.
package invoices

import (
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/metering"
	"tollgate/internal/pricing"
)

// States of an invoice.
const (
	Review   = "review" // drafted, waits for finance
	Held     = "held"   // set aside, with a reason
	Approved = "approved"
	Open     = "open" // issued, not yet paid
	Paid     = "paid"
	Void     = "void"
)

// Why an invoice was made.
const (
	First  = "first"  // fees in advance of a new subscription
	Period = "period" // usage of the past period, fees of the next
	Final  = "final"  // usage of the last period
)

// Invoice is one document.
type Invoice struct {
	ID              uuid.UUID
	OrgID           uuid.UUID
	SubscriptionID  uuid.UUID
	Number          *string // given when issued
	Reason          string
	State           string
	Currency        string
	Subtotal        int64 // minor units, the sum of the lines
	PeriodStart     time.Time
	PeriodEnd       time.Time
	CreatedAt       time.Time
	ApprovedBy      *uuid.UUID
	ApprovedAt      *time.Time
	HoldReason      string
	StripeInvoiceID *string
	StripeNumber    string
	StripeSubtotal  *int64
	StripeRedrafts  int // drafts at Stripe given up because their sum was wrong
	AmountPaid      int64
	IssuedAt        *time.Time
	PaidAt          *time.Time
	PayAttempts     int
	NextAttemptAt   *time.Time
	Failure         string
}

// Name is the invoice's number, or what it is called before it has one.
func (i Invoice) Name() string {
	if i.Number != nil {
		return *i.Number
	}
	return "Draft"
}

// Kinds of lines.
const (
	Recurring  = "recurring"
	Usage      = "usage"
	Adjustment = "adjustment" // usage that arrived after its period was billed
)

// Line is one line of an invoice.
type Line struct {
	ID             uuid.UUID
	InvoiceID      uuid.UUID
	OrgID          uuid.UUID
	Position       int
	Kind           string
	Description    string
	Quantity       int64
	Amount         int64 // minor units
	PeriodStart    time.Time
	PeriodEnd      time.Time
	PlanVersionID  uuid.UUID
	ComponentID    *uuid.UUID
	SubscriptionID uuid.UUID
	BatchAfter     int64
	BatchTo        int64
	EventCount     int64
	UsageHash      string
	Details        []pricing.Detail `gorm:"serializer:json"`
}

// TableName names the table, which gorm would call lines.
func (Line) TableName() string { return "invoice_lines" }

// Bounds name the calls behind a usage line.
func (l Line) Bounds() metering.Bounds {
	return metering.Bounds{Subscription: l.SubscriptionID, From: l.PeriodStart, To: l.PeriodEnd, BatchAfter: l.BatchAfter, BatchTo: l.BatchTo}
}

// Listed is an invoice with its customer's name and plan.
type Listed struct {
	Invoice
	Customer    string
	PlanName    string
	ProductName string
	TimeZone    string
}

// Location is the customer's time zone; an unknown one is UTC.
func (l Listed) Location() *time.Location { return clock.Zone(l.TimeZone) }

// Document is an invoice with its lines.
type Document struct {
	Listed
	Lines []Line
}
