package invoices

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/clock"
	"tollgate/internal/metering"
	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
	"tollgate/internal/problem"
)

// Service reads and decides on invoices. What a caller sees depends on the
// tenancy of the context.
type Service struct {
	db    *postgres.DB
	clock *clock.Clock
}

// New makes the service.
func New(db *postgres.DB, c *clock.Clock) *Service { return &Service{db: db, clock: c} }

// Insert stores a new invoice with its lines, and an outbox row for each line,
// in the open transaction. Subtotal and positions are set here.
func Insert(_ context.Context, tx *postgres.Tx, inv *Invoice, lines []Line) error {
	inv.Subtotal = 0
	for i := range lines {
		lines[i].ID, lines[i].InvoiceID, lines[i].OrgID, lines[i].Position = postgres.NewID(), inv.ID, inv.OrgID, i
		inv.Subtotal += lines[i].Amount
		if lines[i].Details == nil {
			lines[i].Details = []pricing.Detail{}
		}
	}
	if err := tx.Create(inv).Error; err != nil {
		return fmt.Errorf("store invoice: %w", err)
	}
	if err := tx.Create(&lines).Error; err != nil {
		return fmt.Errorf("store invoice lines: %w", err)
	}
	for _, l := range lines {
		if err := tx.Exec(`INSERT INTO stripe_outbox (line_id, org_id, created_at) VALUES (?, ?, ?)`, l.ID, l.OrgID, inv.CreatedAt).Error; err != nil {
			return fmt.Errorf("store outbox: %w", err)
		}
	}
	return nil
}

const listed = `
	SELECT i.*, coalesce(nullif(i.billed_to, ''), o.name) AS customer, o.time_zone, pl.name AS plan_name, p.name AS product_name
	FROM invoices i JOIN organizations o ON o.id = i.org_id JOIN subscriptions s ON s.id = i.subscription_id
	JOIN plan_versions pv ON pv.id = s.plan_version_id JOIN plans pl ON pl.id = pv.plan_id JOIN products p ON p.id = s.product_id `

// Filter narrows a list of invoices; zero values do not narrow.
type Filter struct {
	State    string
	Customer string    // part of the name
	Month    time.Time // in which it was issued, or drafted while it is not; by the customer's calendar
	Org      uuid.UUID
}

func (f Filter) where() (string, []any) {
	sql, args := `WHERE true`, []any{}
	if f.State != "" {
		sql, args = sql+` AND i.state = ?`, append(args, f.State)
	}
	if f.Customer != "" {
		sql, args = sql+` AND strpos(lower(o.name), lower(?)) > 0`, append(args, f.Customer)
	}
	if !f.Month.IsZero() {
		sql += ` AND coalesce(i.issued_at, i.created_at) AT TIME ZONE o.time_zone >= ?::timestamp AND coalesce(i.issued_at, i.created_at) AT TIME ZONE o.time_zone < ?::timestamp`
		args = append(args, f.Month.Format(time.DateOnly), f.Month.AddDate(0, 1, 0).Format(time.DateOnly))
	}
	if f.Org != uuid.Nil {
		sql, args = sql+` AND i.org_id = ?`, append(args, f.Org)
	}
	return sql, args
}

// List returns invoices, newest first, and how many match in all.
func (s *Service) List(ctx context.Context, f Filter, offset, most int) (out []Listed, total int64, err error) {
	where, args := f.where()
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		if err := tx.Raw(`SELECT count(*) FROM invoices i JOIN organizations o ON o.id = i.org_id `+where, args...).Scan(&total).Error; err != nil {
			return err
		}
		return tx.Raw(listed+where+` ORDER BY i.created_at DESC, i.id DESC OFFSET ? LIMIT ?`, append(args, offset, most)...).Scan(&out).Error
	})
	return out, total, err
}

// Sums are the totals of a list, by state and currency.
type Sums struct {
	State    string
	Currency string
	Count    int64
	Subtotal int64
}

// Totals sums invoices by state.
func (s *Service) Totals(ctx context.Context) (out []Sums, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT state, currency, count(*) AS count, sum(subtotal)::bigint AS subtotal FROM invoices GROUP BY 1, 2 ORDER BY 1, 2`).Scan(&out).Error
	})
	return out, err
}

// Get reads one invoice with its lines.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (d Document, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		if err := tx.Raw(listed+`WHERE i.id = ?`, id).Scan(&d.Listed).Error; err != nil {
			return err
		}
		if d.ID == uuid.Nil {
			return problem.NotFound("invoice")
		}
		return tx.Where("invoice_id = ?", id).Order("position").Find(&d.Lines).Error
	})
	return d, err
}

// Line reads one line together with its invoice.
func (s *Service) Line(ctx context.Context, id uuid.UUID) (l Line, d Document, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.Where("id = ?", id).First(&l).Error; err != nil {
			return err
		}
		d, err = s.Get(ctx, l.InvoiceID)
		return err
	})
	if postgres.IsNotFound(err) {
		err = problem.NotFound("invoice line")
	}
	return l, d, err
}

// LinesOf lists the lines of all invoices that match, for exports.
func (s *Service) LinesOf(ctx context.Context, invoices []uuid.UUID) (out []Line, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("invoice_id = ANY(?)", array(invoices)).Order("invoice_id, position").Find(&out).Error
	})
	return out, err
}

// array is one parameter however many ids there are: a statement has at most 65,535.
func array(ids []uuid.UUID) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	return "{" + b.String() + "}"
}

// Calls lists single calls of a usage line, oldest first.
func (s *Service) Calls(ctx context.Context, l Line, f metering.DayFilter, offset, most int) ([]metering.Call, error) {
	return s.calls(ctx, l, f, metering.Call{}, offset, most)
}

// callsAtOnce is how many calls EachCall holds in memory.
const callsAtOnce = 2000

// EachCall goes through all calls of a usage line, oldest first: what is kept of
// days whose single calls are gone, then the single calls. It reads them
// in parts, so that neither memory nor a connection is held for whoever takes
// them slowly; what is frozen does not change in between.
func (s *Service) EachCall(ctx context.Context, l Line, f metering.DayFilter, do func(metering.Call) error) error {
	gone, err := s.gone(ctx, l, f)
	for i := 0; err == nil && i < len(gone); i++ {
		err = do(metering.Call{Kept: &gone[i]})
	}
	if err != nil {
		return err
	}
	var last metering.Call
	for {
		part, err := s.calls(ctx, l, f, last, 0, callsAtOnce)
		if err != nil {
			return err
		}
		for _, c := range part {
			if err := do(c); err != nil {
				return err
			}
		}
		if len(part) < callsAtOnce {
			return nil
		}
		last = part[len(part)-1]
	}
}

// gone is what is kept of a line's days whose single calls are gone.
func (s *Service) gone(ctx context.Context, l Line, f metering.DayFilter) (out []metering.KeptRow, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		out, err = metering.KeptOf(ctx, tx.PGX, l.ID)
		return err
	})
	return slices.DeleteFunc(out, func(k metering.KeptRow) bool { return !f.Has(k) }), err
}

func (s *Service) calls(ctx context.Context, l Line, f metering.DayFilter, after metering.Call, offset, most int) (out []metering.Call, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		out, err = metering.BillableCalls(ctx, tx.PGX, l.Bounds(), f, after, offset, most)
		return err
	})
	return out, err
}

// Hold sets a drafted invoice aside, with a reason.
func (s *Service) Hold(ctx context.Context, actor, id uuid.UUID, reason string) error {
	if reason == "" {
		return &problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{"reason": "Say why, so that whoever comes next knows."}}
	}
	return s.decide(ctx, actor, id, "invoice.hold", reason, func(tx *postgres.Tx) (int64, error) {
		res := tx.Exec(`UPDATE invoices SET state = 'held', hold_reason = ? WHERE id = ? AND state = 'review'`, reason, id)
		return res.RowsAffected, res.Error
	})
}

// Approve releases a drafted or held invoice to be issued and collected; then
// runs after in the same transaction.
func (s *Service) Approve(ctx context.Context, actor, id uuid.UUID, after func(context.Context, *postgres.Tx) error) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		err := s.decide(ctx, actor, id, "invoice.approve", "", func(tx *postgres.Tx) (int64, error) {
			res := tx.Exec(`UPDATE invoices SET state = 'approved', hold_reason = '', approved_by = ?, approved_at = ? WHERE id = ? AND state IN ('review', 'held')`, actor, s.clock.Now(), id)
			return res.RowsAffected, res.Error
		})
		if err != nil {
			return err
		}
		return after(ctx, tx)
	})
}

func (s *Service) decide(ctx context.Context, actor, id uuid.UUID, action, reason string, change func(*postgres.Tx) (int64, error)) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		d, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		n, err := change(tx)
		if err != nil {
			return err
		}
		if n == 0 {
			return problem.Conflict("This invoice is %s; that cannot be done any more.", d.State)
		}
		details := map[string]string{}
		if reason != "" {
			details["reason"] = reason
		}
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: d.OrgID, Actor: actor, Action: action, Object: "invoice", ID: id.String(), Details: details})
	})
}

// History lists what was done to an invoice.
func (s *Service) History(ctx context.Context, id uuid.UUID) (out []audit.Entry, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		out, err = audit.Of(ctx, tx, "invoice", id.String())
		return err
	})
	return out, err
}
