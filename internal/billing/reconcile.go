package billing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/metering"
	"tollgate/internal/postgres"
)

// Reconciled compares, for one subscription and period, what gateways counted
// with what was billed and with what Stripe has.
type Reconciled struct {
	Subscription   uuid.UUID
	Customer       string
	Plan           string
	Start, End     time.Time
	Closed         bool
	Priced         bool                  // whether calls cost anything, so that lines count them
	Units          metering.PeriodTotals // up to the last batch that was billed, or all
	Invoiced       int64                 // calls on usage and adjustment lines
	Open           int64                 // billable and not on an invoice yet
	Invoice        *uuid.UUID            // of the period
	InvoiceName    string
	Lines          int64 // minor units, Σ of the invoice's lines
	StripeSubtotal *int64
	Total          int64
	Paid           int64
	Currency       string
	State          string
}

// UnitsHold reports whether received = billable + excluded, and billable = invoiced + open.
func (r Reconciled) UnitsHold() bool {
	return r.Units.Received == r.Units.Billable+r.Units.Test+r.Units.Unanswered && r.Units.Billable == r.Invoiced+r.Open
}

// MoneyHolds reports whether the lines add up to the invoice and to Stripe's sum.
func (r Reconciled) MoneyHolds() bool {
	return r.Lines == r.Total && (r.StripeSubtotal == nil || *r.StripeSubtotal == r.Total)
}

// Reconcile compares the latest periods of all customers, newest first.
func (s *Service) Reconcile(ctx context.Context, customer string, month time.Time, offset, most int) (out []Reconciled, total int64, err error) {
	until := month.AddDate(0, 1, 0)
	if month.IsZero() {
		until = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	err = s.db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		const from = `
			FROM billing_periods b JOIN subscriptions s ON s.id = b.subscription_id JOIN organizations o ON o.id = b.org_id
			JOIN plan_versions pv ON pv.id = b.plan_version_id JOIN plans p ON p.id = pv.plan_id
			LEFT JOIN invoices i ON i.subscription_id = b.subscription_id AND i.period_start = b.starts_at AND i.reason <> 'first' AND i.state <> 'void'
			WHERE s.state <> 'pending' AND ($1 = '' OR strpos(lower(o.name), lower($1)) > 0) AND b.ends_at >= $2 AND b.ends_at < $3`
		if err := tx.PGX.QueryRow(ctx, `SELECT count(*)`+from, customer, month, until).Scan(&total); err != nil {
			return err
		}
		rows, err := tx.PGX.Query(ctx, `
			SELECT b.subscription_id, o.name, p.name, b.starts_at, b.ends_at, b.closed_batch IS NOT NULL,
				EXISTS (SELECT FROM price_components c WHERE c.plan_version_id = b.plan_version_id), i.id, coalesce(i.number, 'Draft'), i.stripe_subtotal,
				coalesce(i.subtotal, 0), coalesce(i.amount_paid, 0), pv.currency, coalesce(i.state, ''),
				coalesce((SELECT sum(l.amount) FROM invoice_lines l WHERE l.invoice_id = i.id), 0)::bigint,
				coalesce((SELECT sum(l.event_count) FROM invoice_lines l WHERE l.subscription_id = b.subscription_id AND l.period_start = b.starts_at AND l.kind <> 'recurring'), 0)::bigint`+
			from+` ORDER BY b.ends_at DESC, o.name OFFSET $4 LIMIT $5`, customer, month, until, offset, most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r Reconciled
			if err := rows.Scan(&r.Subscription, &r.Customer, &r.Plan, &r.Start, &r.End, &r.Closed, &r.Priced, &r.Invoice, &r.InvoiceName, &r.StripeSubtotal,
				&r.Total, &r.Paid, &r.Currency, &r.State, &r.Lines, &r.Invoiced); err != nil {
				return err
			}
			out = append(out, r)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return countUnits(ctx, tx, out)
	})
	return out, total, err
}

func countUnits(ctx context.Context, tx *postgres.Tx, rows []Reconciled) (err error) {
	for i := range rows {
		r := &rows[i]
		b := metering.Bounds{Subscription: r.Subscription, From: r.Start, To: r.End, BatchTo: metering.AllBatches}
		if r.Units, err = metering.Totals(ctx, tx.PGX, b); err != nil {
			return err
		}
		// Where calls cost nothing no line counts them: they stay open, at no price.
		if r.Invoice == nil || !r.Closed || !r.Priced {
			r.Open = r.Units.Billable - r.Invoiced
			continue
		}
		var late int64
		err := tx.PGX.QueryRow(ctx, `
			SELECT count(*) FROM usage_events e JOIN billing_periods b ON b.subscription_id = e.subscription_id AND b.starts_at = $2
			WHERE e.subscription_id = $1 AND e.at >= $2 AND e.at < $3 AND e.billable AND e.batch_id > b.closed_batch`, r.Subscription, r.Start, r.End).Scan(&late)
		if err != nil {
			return err
		}
		r.Open = late
	}
	return nil
}
