package billing

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// A claim outlives the work done under it, so that no other process begins
// before this one has stopped; of a process that died it runs out by itself.
const (
	claimFor = 5 * time.Minute
	workFor  = 4 * time.Minute
)

// errBusy says that another process works on the same invoice at Stripe.
var errBusy = errors.New("the invoice is being collected")

// claimed runs work on an invoice while nobody else does anything with it at
// Stripe, or returns errBusy. It holds no database connection meanwhile:
// there are fewer of them than there may be invoices waiting for Stripe.
func (s *Service) claimed(ctx context.Context, id uuid.UUID, work func(context.Context, uuid.UUID) error) error {
	ctx = postgres.AsStaff(ctx)
	now := s.clock.Real().Truncate(time.Microsecond) // as exact as the database
	until := now.Add(claimFor)
	n, err := s.update(ctx, `UPDATE invoices SET collecting_until = ? WHERE id = ? AND (collecting_until IS NULL OR collecting_until <= ?)`, until, id, now)
	if err != nil {
		return err
	}
	if n == 0 {
		return errBusy
	}
	limited, cancel := context.WithTimeout(ctx, workFor)
	defer cancel()
	err = work(limited, id)
	_, released := s.update(context.WithoutCancel(ctx), `UPDATE invoices SET collecting_until = NULL WHERE id = ? AND collecting_until = ?`, id, until)
	return errors.Join(err, released)
}

// patience is how long somebody who looks on waits for an invoice that is being collected.
const patience = 15 * time.Second

// claimedPatiently is claimed, but waits a little for whoever has the invoice.
func (s *Service) claimedPatiently(ctx context.Context, id uuid.UUID, work func(context.Context, uuid.UUID) error) error {
	over := time.After(patience)
	for {
		err := s.claimed(ctx, id, work)
		if !errors.Is(err, errBusy) {
			return err
		}
		select {
		case <-over:
			return problem.Conflict("A payment of yours is being settled at this moment. Look again in a minute.")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// update changes rows and says how many.
func (s *Service) update(ctx context.Context, sql string, args ...any) (n int64, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		res := tx.Exec(sql, args...)
		n = res.RowsAffected
		return res.Error
	})
	return n, err
}
