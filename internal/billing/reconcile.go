package billing

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/invoices"
	"tollgate/internal/metering"
	"tollgate/internal/postgres"
)

// Reconciled compares, for one subscription and period, what gateways counted
// with what was billed, and each of the period's invoices with what Stripe has.
type Reconciled struct {
	Subscription uuid.UUID
	Customer     string
	Plan         string
	Start, End   time.Time
	Closed       bool
	Priced       bool // whether calls cost anything, so that lines count them
	Units        metering.PeriodTotals
	Invoiced     int64 // calls on usage and adjustment lines
	Voided       int64 // calls on such lines of invoices that were voided
	Open         int64 // billable and not on an invoice yet
	Invoices     []ReconciledInvoice

	closedBatch *int64
}

// ReconciledInvoice is an invoice of a period with the sums that must agree.
type ReconciledInvoice struct {
	ID             uuid.UUID
	Name           string
	State          string
	Currency       string
	Issued         bool
	Total          int64 // minor units, as stored
	Lines          int64 // Σ of the lines
	StripeSubtotal *int64
	Paid           int64
}

// Agrees reports whether all sums of the period do.
func (r Reconciled) Agrees() bool {
	for _, i := range r.Invoices {
		if !i.agrees() {
			return false
		}
	}
	return r.Units.Received == r.Units.Billable+r.Units.Test+r.Units.Unanswered && r.Units.Billable == r.Invoiced+r.Voided+r.Open
}

// agrees: the lines add up to the total, the total is what Stripe has of an
// issued invoice, and what was paid of a paid one.
func (i ReconciledInvoice) agrees() bool {
	atStripe := (i.StripeSubtotal == nil && !i.Issued) || (i.StripeSubtotal != nil && *i.StripeSubtotal == i.Total)
	return i.Lines == i.Total && atStripe && (i.State != invoices.Paid || i.Paid == i.Total)
}

// Reconcile compares the latest periods of all customers, newest first, and
// says how many there are.
func (s *Service) Reconcile(ctx context.Context, customer string, month time.Time, offset, most int) (out []Reconciled, total int64, err error) {
	until := month.AddDate(0, 1, 0)
	if month.IsZero() {
		until = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	err = s.db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.PGX.QueryRow(ctx, reconcilable+`SELECT count(*)`+matching, customer, month, until).Scan(&total); err != nil {
			return err
		}
		if out, err = readPeriods(ctx, tx.PGX, customer, month, until, offset, most); err != nil {
			return err
		}
		if err := addInvoices(ctx, tx.PGX, out); err != nil {
			return err
		}
		return addUnits(ctx, tx.PGX, out)
	})
	return out, total, err
}

// reconcilable are all periods, and those of which only an invoice is left:
// a subscription may have been given up before it began.
const reconcilable = `
	WITH periods AS (
		SELECT subscription_id, org_id, starts_at, ends_at, plan_version_id, closed_batch FROM billing_periods
		UNION ALL SELECT DISTINCT i.subscription_id, i.org_id, i.period_start, i.period_end, s.plan_version_id, NULL::bigint
		FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id
		WHERE i.state <> 'void' AND NOT EXISTS (SELECT FROM billing_periods b WHERE b.subscription_id = i.subscription_id AND b.starts_at = i.period_start))`

const matching = `
	FROM periods b JOIN subscriptions s ON s.id = b.subscription_id JOIN organizations o ON o.id = b.org_id
	JOIN plan_versions pv ON pv.id = b.plan_version_id JOIN plans p ON p.id = pv.plan_id
	WHERE ($1 = '' OR strpos(lower(o.name), lower($1)) > 0) AND b.ends_at >= $2 AND b.ends_at < $3 AND (s.state <> 'pending'
		OR EXISTS (SELECT FROM invoices i WHERE i.subscription_id = b.subscription_id AND i.period_start = b.starts_at AND i.state <> 'void'))`

func readPeriods(ctx context.Context, tx pgx.Tx, args ...any) ([]Reconciled, error) {
	rows, err := tx.Query(ctx, reconcilable+`
		SELECT b.subscription_id, o.name, p.name, b.starts_at, b.ends_at, b.closed_batch, EXISTS (SELECT FROM price_components c WHERE c.plan_version_id = b.plan_version_id)`+
		matching+` ORDER BY b.ends_at DESC, o.name, b.subscription_id OFFSET $4 LIMIT $5`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Reconciled, err error) {
		err = row.Scan(&r.Subscription, &r.Customer, &r.Plan, &r.Start, &r.End, &r.closedBatch, &r.Priced)
		r.Closed = r.closedBatch != nil
		return r, err
	})
}

// named makes the periods a table of position, subscription and start.
const named = ` unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS p (subscription_id, starts_at, n) `

func nameAll(list []Reconciled) []any {
	var subs []uuid.UUID
	var starts []time.Time
	for _, r := range list {
		subs, starts = append(subs, r.Subscription), append(starts, r.Start)
	}
	return []any{subs, starts}
}

func addInvoices(ctx context.Context, tx pgx.Tx, list []Reconciled) error {
	rows, err := tx.Query(ctx, `
		SELECT p.n, i.id, coalesce(i.number, 'Draft'), i.state, i.currency, i.issued_at IS NOT NULL, i.subtotal,
			coalesce((SELECT sum(l.amount) FROM invoice_lines l WHERE l.invoice_id = i.id), 0)::bigint, i.stripe_subtotal, i.amount_paid
		FROM`+named+`JOIN invoices i ON i.subscription_id = p.subscription_id AND i.period_start = p.starts_at
		WHERE i.state <> 'void' ORDER BY i.created_at, i.id`, nameAll(list)...)
	if err != nil {
		return err
	}
	var n int
	var i ReconciledInvoice
	_, err = pgx.ForEachRow(rows, []any{&n, &i.ID, &i.Name, &i.State, &i.Currency, &i.Issued, &i.Total, &i.Lines, &i.StripeSubtotal, &i.Paid}, func() error {
		list[n-1].Invoices = append(list[n-1].Invoices, i)
		return nil
	})
	return err
}

func addUnits(ctx context.Context, tx pgx.Tx, list []Reconciled) error {
	bounds := make([]metering.Bounds, len(list))
	for i, r := range list {
		bounds[i] = metering.Bounds{Subscription: r.Subscription, From: r.Start, To: r.End, BatchTo: metering.AllBatches}
		if r.Closed {
			bounds[i].BatchTo = *r.closedBatch
		}
	}
	units, err := metering.Totals(ctx, tx, bounds)
	if err != nil {
		return err
	}
	if err := addBilled(ctx, tx, list); err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		r.Units, r.Open = units[i], units[i].Late
		if !r.Closed || !r.Priced { // where calls cost nothing no line counts them: they stay open, at no price
			r.Open = r.Units.Billable - r.Invoiced - r.Voided
		}
	}
	return nil
}

// addBilled counts the calls on the periods' lines, once however many price
// components share them.
func addBilled(ctx context.Context, tx pgx.Tx, list []Reconciled) error {
	rows, err := tx.Query(ctx, `
		SELECT n, coalesce(sum(calls) FILTER (WHERE NOT void), 0)::bigint, coalesce(sum(calls) FILTER (WHERE void), 0)::bigint FROM (
			SELECT p.n, i.state = 'void' AS void, max(l.event_count) AS calls
			FROM`+named+`JOIN invoice_lines l ON l.subscription_id = p.subscription_id AND l.period_start = p.starts_at AND l.kind <> 'recurring'
			JOIN invoices i ON i.id = l.invoice_id GROUP BY p.n, i.id, l.batch_after) once GROUP BY n`, nameAll(list)...)
	if err != nil {
		return err
	}
	var n int
	var invoiced, voided int64
	_, err = pgx.ForEachRow(rows, []any{&n, &invoiced, &voided}, func() error {
		list[n-1].Invoiced, list[n-1].Voided = invoiced, voided
		return nil
	})
	return err
}
