package plans

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/audit"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Credit is calls that were added to a subscription's prepaid balance. It never
// changes.
type Credit struct {
	ID             uuid.UUID
	SubscriptionID uuid.UUID
	Calls          int64
	GrantedAt      time.Time
	Reason         string // for staff; CreditsOf leaves this and GrantedBy out
	GrantedBy      string // mail address; empty: the plan, as its subscription began
}

// Credits are those of one subscription.
type Credits struct {
	Calls  int64    // of all of them
	Latest []Credit // newest first, at most MostCredits
}

// MostCredits is how many credits of a subscription are listed.
const MostCredits = 50

// maxBalance is the most calls that may be credited to a subscription all in all.
const maxBalance = 1000 * MaxQuota

// NewCredit is what staff type to add to a balance.
type NewCredit struct {
	ID           uuid.UUID // made with the form, so that sending it twice adds once
	Subscription uuid.UUID
	Calls        int64
	Reason       string
}

func (n NewCredit) validate() error {
	v := problem.Invalid{}
	v.Check(n.Calls >= 1 && n.Calls <= MaxQuota, "calls", "Give a number of calls from 1 to 1,000,000,000,000.")
	v.Check(strings.TrimSpace(n.Reason) != "", "reason", "Say why, in a sentence for your colleagues.")
	v.Check(len(n.Reason) <= 500, "reason", "Use at most 500 characters.")
	return v.Err()
}

// AddCredit adds calls to the balance of a running subscription on a prepaid
// plan. Gateways know it within seconds. Errors name the fields calls and reason.
func (s *Service) AddCredit(ctx context.Context, actor, org uuid.UUID, in NewCredit) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var prepaid bool
		var before int64
		err := tx.PGX.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM plan_limits l WHERE l.plan_version_id = s.plan_version_id AND l.prepaid)
			FROM subscriptions s WHERE s.id = $1 AND s.org_id = $2 AND s.state IN ('active', 'unpaid') FOR UPDATE`, in.Subscription, org).Scan(&prepaid)
		switch {
		case postgres.IsNotFound(err):
			return problem.NotFound("running subscription")
		case err != nil:
			return err
		case !prepaid:
			return problem.Conflict("The plan of this subscription is not prepaid: there is no balance to add to.")
		}
		if err := in.validate(); err != nil {
			return err
		}
		if err := tx.PGX.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint FROM prepaid_credits WHERE subscription_id = $1`, in.Subscription).Scan(&before); err != nil {
			return err
		}
		if before > maxBalance-in.Calls {
			return problem.Conflict("No more than 1,000,000,000,000,000 calls are credited to one subscription.")
		}
		return s.insertCredit(ctx, tx, actor, org, in)
	})
}

func (s *Service) insertCredit(ctx context.Context, tx *postgres.Tx, actor, org uuid.UUID, in NewCredit) error {
	now := s.clock.Now()
	tag, err := tx.PGX.Exec(ctx, `
		INSERT INTO prepaid_credits (id, org_id, subscription_id, calls, reason, granted_by, granted_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`,
		in.ID, org, in.Subscription, in.Calls, in.Reason, actor, now)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return audit.Write(ctx, tx, now, audit.Event{Org: org, Actor: actor, Action: "balance.credit", Object: "subscription", ID: in.Subscription.String(),
		Details: map[string]string{"calls": strconv.FormatInt(in.Calls, 10), "reason": in.Reason}})
}

// CreditsOf are the credits of an organization, by subscription, without what is
// for staff.
func (s *Service) CreditsOf(ctx context.Context, org uuid.UUID) (map[uuid.UUID]Credits, error) {
	return s.credits(ctx, org, `'', ''`, ``)
}

// ReasonedCreditsOf are CreditsOf with who granted them and why. Only staff may
// read that.
func (s *Service) ReasonedCreditsOf(ctx context.Context, org uuid.UUID) (map[uuid.UUID]Credits, error) {
	return s.credits(ctx, org, `c.reason, coalesce(u.email, '')`, `LEFT JOIN users u ON u.id = c.granted_by`)
}

func (s *Service) credits(ctx context.Context, org uuid.UUID, columns, join string) (map[uuid.UUID]Credits, error) {
	out := map[uuid.UUID]Credits{}
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `SELECT subscription_id, sum(calls)::bigint FROM prepaid_credits WHERE org_id = $1 GROUP BY 1`, org)
		if err != nil {
			return err
		}
		var id uuid.UUID
		var calls int64
		if _, err := pgx.ForEachRow(rows, []any{&id, &calls}, func() error { out[id] = Credits{Calls: calls}; return nil }); err != nil {
			return err
		}
		rows, err = tx.PGX.Query(ctx, `
			SELECT c.id, c.subscription_id, c.calls, c.granted_at, `+columns+` FROM (
				SELECT id, row_number() OVER (PARTITION BY subscription_id ORDER BY granted_at DESC, id DESC) AS n FROM prepaid_credits WHERE org_id = $1) latest
			JOIN prepaid_credits c USING (id) `+join+` WHERE latest.n <= $2 ORDER BY latest.n`, org, MostCredits)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Credit])
		for _, c := range all {
			of := out[c.SubscriptionID]
			of.Latest = append(of.Latest, c)
			out[c.SubscriptionID] = of
		}
		return err
	})
	return out, err
}
