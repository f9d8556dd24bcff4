// Package writeoff lets an operator give up on quota leases whose gateway will
// not come back: what is not known to be spent returns to its quota.
package writeoff

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/audit"
	"tollgate/internal/clock"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/quota/lease"
)

// Service runs the use cases. It acts across organizations; callers have
// authorized the person before.
type Service struct {
	db    *postgres.DB
	clock *clock.Clock
}

// New makes the service.
func New(db *postgres.DB, c *clock.Clock) *Service { return &Service{db: db, clock: c} }

// Lease is a lease with whose quota it is of.
type Lease struct {
	lease.Held
	Org      uuid.UUID
	Customer string
	Plan     string
}

// Unspent is what is not known to be spent of l.
func (l Lease) Unspent() int64 { return max(l.Granted-l.Spent, 0) }

// Expired lists leases that may be written off, oldest first, at most 1,000.
func (s *Service) Expired(ctx context.Context) ([]Lease, error) {
	return s.list(ctx, func(tx pgx.Tx) ([]lease.Held, error) { return lease.Expired(ctx, tx, s.clock.Real(), s.clock.Now()) })
}

// WrittenOff lists what was written off within a span of real time, newest
// first, at most 1,000, each with the calls that arrived all the same.
func (s *Service) WrittenOff(ctx context.Context, within time.Duration) ([]Lease, error) {
	return s.list(ctx, func(tx pgx.Tx) ([]lease.Held, error) { return lease.WrittenOff(ctx, tx, s.clock.Real().Add(-within)) })
}

func (s *Service) list(ctx context.Context, read func(pgx.Tx) ([]lease.Held, error)) (out []Lease, err error) {
	err = s.db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		held, err := read(tx.PGX)
		if err != nil {
			return err
		}
		out, err = named(ctx, tx, held)
		return err
	})
	return out, err
}

// named finds out whose leases these are, in one query.
func named(ctx context.Context, tx *postgres.Tx, held []lease.Held) ([]Lease, error) {
	ids, at := make([]uuid.UUID, len(held)), map[uuid.UUID][]int{}
	out := make([]Lease, len(held))
	for i, h := range held {
		ids[i], out[i].Held = h.Subscription, h
		at[h.Subscription] = append(at[h.Subscription], i)
	}
	rows, err := tx.PGX.Query(ctx, `
		SELECT s.id, s.org_id, o.name, p.name FROM subscriptions s JOIN organizations o ON o.id = s.org_id
		JOIN plan_versions v ON v.id = s.plan_version_id JOIN plans p ON p.id = v.plan_id WHERE s.id = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	var id, org uuid.UUID
	var customer, plan string
	_, err = pgx.ForEachRow(rows, []any{&id, &org, &customer, &plan}, func() error {
		for _, i := range at[id] {
			out[i].Org, out[i].Customer, out[i].Plan = org, customer, plan
		}
		return nil
	})
	return out, err
}

// WriteOff gives up on one lease. It refuses one that has not expired: its
// gateway may still be spending it.
func (s *Service) WriteOff(ctx context.Context, actor uuid.UUID, id int64) (out Lease, err error) {
	err = s.db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		now := s.clock.Real()
		held, err := lease.WriteOff(ctx, tx.PGX, id, now)
		switch {
		case errors.Is(err, lease.ErrNotHeld):
			return problem.Conflict("This lease was settled or written off already.")
		case errors.Is(err, lease.ErrNotExpired):
			return problem.Conflict("The gateway may still be spending this lease. It can be written off from %s on.", held.ExpiresAt.Add(lease.Doubt).UTC().Format("2 January 2006 15:04 UTC"))
		case err != nil:
			return err
		}
		all, err := named(ctx, tx, []lease.Held{held})
		if err != nil {
			return err
		}
		out = all[0]
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: out.Org, Actor: actor, Action: "quota_lease.write_off", Object: "quota_lease", ID: strconv.FormatInt(id, 10), Details: map[string]string{
			"gateway": held.Gateway, "subscription": held.Subscription.String(), "calls": strconv.FormatInt(out.Unspent(), 10),
		}})
	})
	return out, err
}

// WriteOffGateway gives up on all expired leases of one gateway's data folder
// and returns them. It stops at the first that fails.
func (s *Service) WriteOffGateway(ctx context.Context, actor uuid.UUID, gateway string) (out []Lease, err error) {
	all, err := s.Expired(ctx)
	for _, l := range all {
		if err != nil || l.Gateway != gateway {
			continue
		}
		var off Lease
		if off, err = s.WriteOff(ctx, actor, l.Lease); err == nil {
			out = append(out, off)
		}
	}
	return out, err
}
