// Package billing turns subscriptions and usage into invoices, and collects
// them through Stripe: fees in advance, usage in arrears. Tollgate rates;
// Stripe moves money.
package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/clock"
	"tollgate/internal/invoices"
	"tollgate/internal/jobs"
	"tollgate/internal/metering"
	"tollgate/internal/plans"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
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

// EventJob applies a webhook of Stripe's.
type EventJob struct {
	Event string `json:"event"`
}

// Kind implements river.JobArgs.
func (EventJob) Kind() string { return "billing.stripe_event" }

// Register lets the workers do billing's jobs.
func (s *Service) Register(w *jobs.Workers) {
	jobs.Handle(w, func(ctx context.Context, j CollectJob) error { return s.Collect(ctx, j.Invoice) })
	jobs.Handle(w, func(ctx context.Context, _ CatchUpJob) error { _, err := s.CatchUp(ctx); return err })
	jobs.Handle(w, func(ctx context.Context, j EventJob) error { return s.applyEvent(ctx, j.Event) })
}

// Done says what catching up did.
type Done struct{ Renewed, Closed, Retried int }

// CatchUp does all that is due by business time: periods renewed, closed into
// drafts, refused payments tried again. It is safe to repeat and to run twice
// at once.
func (s *Service) CatchUp(ctx context.Context) (d Done, err error) {
	ctx = postgres.AsStaff(ctx)
	if d.Renewed, err = s.subscriptions.RollDue(ctx); err != nil {
		return d, err
	}
	if d.Closed, err = s.closeDue(ctx); err != nil {
		return d, err
	}
	d.Retried, err = s.retryDue(ctx)
	return d, err
}

// closeDue closes every period whose grace has passed.
func (s *Service) closeDue(ctx context.Context) (closed int, err error) {
	for {
		due, err := s.subscriptions.DuePeriods(ctx, s.clock.Now().Add(-Grace), 100)
		if err != nil || len(due) == 0 {
			return closed, err
		}
		for _, p := range due {
			if err := s.closePeriod(ctx, p); err != nil {
				return closed, fmt.Errorf("close period %d of subscription %s: %w", p.Number, p.SubscriptionID, err)
			}
			closed++
		}
	}
}

// errClosed says that another process closed the period first.
var errClosed = errors.New("closed already")

// closePeriod freezes a period's usage into a draft, together with the next
// period's fee. Nothing to charge makes no invoice.
func (s *Service) closePeriod(ctx context.Context, p subscriptions.BillingPeriod) error {
	last, err := metering.LastBatch(ctx, s.db.StaffPool())
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		res := tx.Exec(`UPDATE billing_periods SET closed_batch = ? WHERE subscription_id = ? AND number = ? AND closed_batch IS NULL`, last, p.SubscriptionID, p.Number)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return errClosed
		}
		return s.draft(ctx, tx, p, last)
	})
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

// draft writes the invoice of a period that is being closed at batch last.
func (s *Service) draft(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod, last int64) error {
	lines, err := s.usageLines(ctx, tx, p, 0, last, invoices.Usage)
	if err != nil {
		return err
	}
	late, err := s.lateLines(ctx, tx, p, last)
	if err != nil {
		return err
	}
	lines = append(lines, late...)
	fee, currency, err := s.nextFee(ctx, tx, p)
	if err != nil {
		return err
	}
	lines = append(lines, fee...)
	if len(lines) == 0 {
		return nil
	}
	inv := invoices.Invoice{
		ID: postgres.NewID(), OrgID: p.OrgID, SubscriptionID: p.SubscriptionID, Reason: invoices.Period, State: invoices.Review,
		Currency: currency, PeriodStart: p.StartsAt, PeriodEnd: p.EndsAt, CreatedAt: s.clock.Now(),
	}
	if len(fee) == 0 {
		inv.Reason = invoices.Final
	}
	return invoices.Insert(ctx, tx, &inv, lines)
}

// usageLines rates a period's usage of batches (after, to]. With after > 0 it
// is late usage: charged is what the whole costs now, less what was billed.
func (s *Service) usageLines(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod, after, to int64, kind string) ([]invoices.Line, error) {
	terms, err := s.termsOf(ctx, p.PlanVersionID)
	if err != nil || len(terms.Components) == 0 {
		return nil, err
	}
	bounds := metering.Bounds{Subscription: p.SubscriptionID, From: p.StartsAt, To: p.EndsAt, BatchAfter: after, BatchTo: to}
	counted, err := metering.CountBillable(ctx, tx.PGX, bounds)
	if err != nil || (kind == invoices.Adjustment && counted.Calls == 0) {
		return nil, err
	}
	var lines []invoices.Line
	for _, c := range terms.Components {
		quantity := quantityOf(c, counted)
		rated, err := s.rate(tx, p, c, quantity, kind)
		if err != nil {
			return nil, err
		}
		lines = append(lines, invoices.Line{
			Kind: kind, Description: c.Name, Quantity: quantity, Amount: rated.Amount, Details: rated.Details,
			PeriodStart: p.StartsAt, PeriodEnd: p.EndsAt, PlanVersionID: p.PlanVersionID, ComponentID: &c.ID, SubscriptionID: p.SubscriptionID,
			BatchAfter: after, BatchTo: to, EventCount: counted.Calls, UsageHash: counted.Hash,
		})
	}
	return lines, nil
}

func quantityOf(c plans.Component, counted metering.Counted) int64 {
	if c.Meter == "units" {
		return counted.Units
	}
	return counted.Calls
}

// rate prices quantity; an adjustment costs what all usage of the period costs
// now, less what was billed for it before.
func (s *Service) rate(tx *postgres.Tx, p subscriptions.BillingPeriod, c plans.Component, quantity int64, kind string) (pricing.Line, error) {
	if kind != invoices.Adjustment {
		return pricing.Rate(c.Component, quantity)
	}
	var before struct{ Quantity, Amount int64 }
	err := tx.Raw(`SELECT coalesce(sum(quantity), 0)::bigint AS quantity, coalesce(sum(amount), 0)::bigint AS amount FROM invoice_lines l
		WHERE subscription_id = ? AND period_start = ? AND component_id = ? AND invoice_id NOT IN (SELECT id FROM invoices WHERE state = 'void')`, p.SubscriptionID, p.StartsAt, c.ID).Scan(&before).Error
	if err != nil {
		return pricing.Line{}, err
	}
	whole, err := pricing.Rate(c.Component, before.Quantity+quantity)
	if err != nil {
		return pricing.Line{}, err
	}
	whole.Details = append(whole.Details, pricing.Detail{Amount: -before.Amount, Note: "billed before"})
	whole.Amount -= before.Amount
	return whole, nil
}

// lateLines adjusts earlier periods for usage that arrived after they were closed.
func (s *Service) lateLines(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod, last int64) (lines []invoices.Line, err error) {
	var closed []subscriptions.BillingPeriod
	err = tx.Where("subscription_id = ? AND number < ? AND closed_batch < ?", p.SubscriptionID, p.Number, last).Order("number").Find(&closed).Error
	if err != nil {
		return nil, err
	}
	for _, earlier := range closed {
		more, err := s.usageLines(ctx, tx, earlier, *earlier.ClosedBatch, last, invoices.Adjustment)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
		if err := tx.Exec(`UPDATE billing_periods SET closed_batch = ? WHERE subscription_id = ? AND number = ?`, last, earlier.SubscriptionID, earlier.Number).Error; err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// nextFee is the line of the fee for the period after p, if there is one.
func (s *Service) nextFee(ctx context.Context, tx *postgres.Tx, p subscriptions.BillingPeriod) (lines []invoices.Line, currency string, err error) {
	var next subscriptions.BillingPeriod
	err = tx.Where("subscription_id = ? AND number = ?", p.SubscriptionID, p.Number+1).Limit(1).Find(&next).Error
	if err != nil {
		return nil, "", err
	}
	renewed := next.Number != 0
	if !renewed {
		next.PlanVersionID = p.PlanVersionID
	}
	terms, err := s.termsOf(ctx, next.PlanVersionID)
	if err != nil || !renewed || terms.RecurringFee == 0 {
		return nil, terms.Currency, err
	}
	line, err := s.feeLine(ctx, next, terms)
	return []invoices.Line{line}, terms.Currency, err
}

func (s *Service) feeLine(ctx context.Context, p subscriptions.BillingPeriod, terms plans.Terms) (invoices.Line, error) {
	offer, product, err := s.plans.OfferOf(ctx, terms.PlanID)
	return invoices.Line{
		Kind: invoices.Recurring, Description: fmt.Sprintf("%s, plan %s", product.Name, offer.Name), Quantity: 1, Amount: terms.RecurringFee,
		PeriodStart: p.StartsAt, PeriodEnd: p.EndsAt, PlanVersionID: p.PlanVersionID, SubscriptionID: p.SubscriptionID,
	}, err
}

func (s *Service) termsOf(ctx context.Context, version uuid.UUID) (plans.Terms, error) {
	all, err := s.plans.TermsOf(ctx, version)
	return all[version], err
}
