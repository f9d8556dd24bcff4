// Package billing turns subscriptions and usage into invoices, and collects
// them through Stripe: fees in advance, usage in arrears. Tollgate rates;
// Stripe moves money.
package billing

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/subscriptions"
)

// Grace is how long after a period's end its usage may still arrive before the
// period is closed. Later usage goes on the next invoice.
const Grace = time.Hour

// Service runs the use cases of billing. It acts for the system, across
// organizations; callers have authorized the person before.
type Service struct {
	db            *postgres.DB
	clock         *clock.Clock
	stripe        *stripe.Client
	accounts      *accounts.Service
	plans         *plans.Service
	subscriptions *subscriptions.Service
	invoices      *invoices.Service
	queue         *jobs.Queue
	publicURL     string
}

// Parts are what the service works with.
type Parts struct {
	DB            *postgres.DB
	Clock         *clock.Clock
	Stripe        *stripe.Client
	Accounts      *accounts.Service
	Plans         *plans.Service
	Subscriptions *subscriptions.Service
	Invoices      *invoices.Service
	Queue         *jobs.Queue
	PublicURL     string // where Checkout returns to
}

// New makes the service.
func New(p Parts) *Service {
	return &Service{db: p.DB, clock: p.Clock, stripe: p.Stripe, accounts: p.Accounts, plans: p.Plans, subscriptions: p.Subscriptions,
		invoices: p.Invoices, queue: p.Queue, publicURL: p.PublicURL}
}

// CollectJob issues and collects an approved invoice.
type CollectJob struct {
	Invoice uuid.UUID `json:"invoice"`
}

// Kind implements river.JobArgs.
func (CollectJob) Kind() string { return "billing.collect" }

// CatchUpJob does what is due by business time.
type CatchUpJob struct{}

// Kind implements river.JobArgs.
func (CatchUpJob) Kind() string { return "billing.catch_up" }

// LateJob bills what arrived after the last period of ended subscriptions.
type LateJob struct{}

// Kind implements river.JobArgs.
func (LateJob) Kind() string { return "billing.late" }

// EventJob applies a webhook of Stripe's.
type EventJob struct {
	Event string `json:"event"`
}

// Kind implements river.JobArgs.
func (EventJob) Kind() string { return "billing.stripe_event" }

// Register lets the workers do billing's jobs.
func (s *Service) Register(w *jobs.Workers) {
	jobs.Handle(w, s.collectJob)
	jobs.Handle(w, func(ctx context.Context, _ CatchUpJob) error { _, err := s.CatchUp(ctx); return err })
	jobs.Handle(w, func(ctx context.Context, j CustomerJob) error { return s.syncCustomer(ctx, j) })
	jobs.Handle(w, func(ctx context.Context, _ LateJob) error { _, err := s.BillLate(ctx); return err })
	jobs.Handle(w, func(ctx context.Context, j EventJob) error { return s.applyEvent(ctx, j.Event) })
}

// Done says what catching up did.
type Done struct{ Renewed, Closed, Retried int }

// CatchUp does all that is due by business time: periods renewed, closed into
// drafts, refused payments tried again, unpaid beginnings given up. It is safe to repeat and to run twice
// at once; what fails does not keep the rest waiting.
func (s *Service) CatchUp(ctx context.Context) (d Done, err error) {
	ctx = postgres.AsStaff(ctx)
	var renewing, closing, retrying error
	stale := s.giveUpStale(ctx)
	d.Renewed, renewing = s.subscriptions.RollDue(ctx)
	d.Closed, closing = s.closeDue(ctx)
	d.Retried, retrying = s.retryDue(ctx)
	return d, errors.Join(stale, renewing, closing, retrying)
}
