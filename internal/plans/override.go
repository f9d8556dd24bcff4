package plans

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/audit"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/quota"
)

// Override is another amount of one limit for one subscription, for a while.
type Override struct {
	ID             uuid.UUID
	OrgID          uuid.UUID
	SubscriptionID uuid.UUID
	PlanVersionID  uuid.UUID // another than the subscription's is out of force
	Position       int       // of the limit
	Calls          int64
	Burst          int64
	Reason         string // for staff
	ExpiresAt      time.Time
	CreatedBy      string // mail address
	CreatedAt      time.Time
}

// With is t as it is in force at a moment under overrides, of which those of
// other plan versions and those that have expired count for nothing.
func (t Terms) With(overrides []Override, at time.Time) Terms {
	t.Limits = slices.Clone(t.Limits)
	for _, o := range overrides {
		if o.PlanVersionID != t.VersionID || !at.Before(o.ExpiresAt) {
			continue
		}
		if i := t.at(o.Position); i >= 0 && !t.Limits[i].Prepaid {
			t.Limits[i].Calls, t.Limits[i].Burst, t.Limits[i].Overridden = o.Calls, o.Burst, &o
		}
	}
	return t
}

func (t Terms) at(position int) int {
	return slices.IndexFunc(t.Limits, func(l Limit) bool { return l.Position == position })
}

// Limit finds t's limit at a position.
func (t Terms) Limit(position int) (Limit, bool) {
	if i := t.at(position); i >= 0 {
		return t.Limits[i], true
	}
	return Limit{}, false
}

// NewOverride is what staff type to override a limit.
type NewOverride struct {
	Subscription uuid.UUID
	Position     int // of the limit in the subscription's plan version
	Calls        int64
	Burst        int64 // 0: the algorithm's own
	Reason       string
	ExpiresAt    time.Time
}

// MaxOverride is how far ahead an override may expire.
const MaxOverride = 366 * 24 * time.Hour

func (n NewOverride) validate(now time.Time, l Limit) error {
	v := problem.Invalid{}
	most, words := int64(quota.MaxCalls), "1,000,000,000"
	if l.Quota {
		most, words = MaxQuota, "1,000,000,000,000"
	}
	v.Check(n.Calls >= 1 && n.Calls <= most, "calls", "Give a number of calls from 1 to %s.", words)
	v.Check(n.Burst >= 0 && n.Burst <= quota.MaxCalls, "burst", "Give a number of calls from 0 to 1,000,000,000.")
	bucket := !l.Quota && !l.Concurrent && (l.Algorithm == quota.TokenBucket || l.Algorithm == quota.LeakyBucket)
	v.Check(n.Burst == 0 || bucket, "burst", "Only the two buckets have a burst.")
	v.Check(strings.TrimSpace(n.Reason) != "", "reason", "Say why, in a sentence for your colleagues.")
	v.Check(len(n.Reason) <= 500, "reason", "Use at most 500 characters.")
	v.Check(n.ExpiresAt.After(now), "expires", "Choose a day that is not over.")
	v.Check(!n.ExpiresAt.After(now.Add(MaxOverride)), "expires", "An override lasts at most a year.")
	return v.Err()
}

// Override gives one subscription of an organization another amount of one
// limit. It replaces an override of that limit. Gateways know it within seconds, and the running
// window keeps its count. Errors name the fields of NewOverride in lower case,
// and expires.
func (s *Service) Override(ctx context.Context, actor, org uuid.UUID, in NewOverride) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var version, product uuid.UUID
		err := tx.PGX.QueryRow(ctx, `SELECT plan_version_id, product_id FROM subscriptions WHERE id = $1 AND org_id = $2 AND state IN ('active', 'unpaid') FOR UPDATE`, in.Subscription, org).
			Scan(&version, &product)
		if postgres.IsNotFound(err) {
			return problem.NotFound("running subscription")
		} else if err != nil {
			return err
		}
		l, err := s.limit(ctx, version, in.Position)
		if err != nil {
			return err
		}
		if l.Prepaid {
			return problem.Conflict("A prepaid balance is not overridden: add a credit to it.")
		}
		now := s.clock.Now()
		if err := in.validate(now, l); err != nil {
			return err
		}
		l.Calls, l.Burst = in.Calls, in.Burst
		if err := overridable(ctx, tx, product, l); err != nil {
			return err
		}
		if err := replaceOverride(ctx, tx, Override{ID: postgres.NewID(), OrgID: org, SubscriptionID: in.Subscription, PlanVersionID: version, Position: in.Position,
			Calls: in.Calls, Burst: in.Burst, Reason: in.Reason, ExpiresAt: in.ExpiresAt, CreatedAt: now}, actor); err != nil {
			return err
		}
		return s.noteOverride(ctx, tx, actor, org, in.Subscription, "limit.override", map[string]string{"position": strconv.Itoa(in.Position),
			"calls": strconv.FormatInt(in.Calls, 10), "burst": strconv.FormatInt(in.Burst, 10), "reason": in.Reason, "expires": in.ExpiresAt.UTC().Format(time.RFC3339)})
	})
}

func replaceOverride(ctx context.Context, tx *postgres.Tx, o Override, by uuid.UUID) error {
	_, err := tx.PGX.Exec(ctx, `UPDATE limit_overrides SET revoked_at = $4 WHERE subscription_id = $1 AND plan_version_id = $2 AND position = $3 AND revoked_at IS NULL`,
		o.SubscriptionID, o.PlanVersionID, o.Position, o.CreatedAt)
	if err != nil {
		return err
	}
	_, err = tx.PGX.Exec(ctx, `
		INSERT INTO limit_overrides (id, org_id, subscription_id, plan_version_id, position, calls, burst, reason, expires_at, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		o.ID, o.OrgID, o.SubscriptionID, o.PlanVersionID, o.Position, o.Calls, o.Burst, o.Reason, o.ExpiresAt, by, o.CreatedAt)
	return err
}

// overridable says of an amount under which the heaviest call could never pass
// what a plan's form says of it, under this form's names.
func overridable(ctx context.Context, tx *postgres.Tx, product uuid.UUID, l Limit) error {
	err := checkOperations(ctx, tx, product, []Limit{l})
	e := problem.As(err)
	if err == nil || e == nil || len(e.Fields) == 0 {
		return err
	}
	v := problem.Invalid{}
	for field, message := range e.Fields {
		v.Check(false, field[strings.LastIndexByte(field, '.')+1:], "%s", message)
	}
	return v.Err()
}

func (s *Service) limit(ctx context.Context, version uuid.UUID, position int) (Limit, error) {
	terms, err := s.TermsOf(ctx, version)
	if err != nil {
		return Limit{}, err
	}
	l, ok := terms[version].Limit(position)
	if !ok {
		return Limit{}, problem.NotFound("limit")
	}
	return l, nil
}

// RevokeOverride ends an override of an organization before its time.
func (s *Service) RevokeOverride(ctx context.Context, actor, org, id uuid.UUID) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var subscription uuid.UUID
		var position int
		err := tx.PGX.QueryRow(ctx, `UPDATE limit_overrides SET revoked_at = $2 WHERE id = $1 AND org_id = $3 AND revoked_at IS NULL RETURNING subscription_id, position`, id, s.clock.Now(), org).
			Scan(&subscription, &position)
		if postgres.IsNotFound(err) {
			return problem.NotFound("override that is in force")
		} else if err != nil {
			return err
		}
		return s.noteOverride(ctx, tx, actor, org, subscription, "limit.override_revoke", map[string]string{"position": strconv.Itoa(position)})
	})
}

func (s *Service) noteOverride(ctx context.Context, tx *postgres.Tx, actor, org, subscription uuid.UUID, action string, details map[string]string) error {
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: org, Actor: actor, Action: action, Object: "subscription", ID: subscription.String(), Details: details})
}

// OverridesOf lists the overrides in force of an organization's subscriptions,
// by subscription.
func (s *Service) OverridesOf(ctx context.Context, org uuid.UUID) (map[uuid.UUID][]Override, error) {
	out := map[uuid.UUID][]Override{}
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `
			SELECT o.id, o.org_id, o.subscription_id, o.plan_version_id, o.position, o.calls, o.burst, o.reason, o.expires_at, coalesce(u.email, ''), o.created_at
			FROM limit_overrides o LEFT JOIN users u ON u.id = o.created_by
			WHERE o.org_id = $1 AND o.revoked_at IS NULL AND o.expires_at > $2 ORDER BY o.subscription_id, o.position LIMIT 1000`, org, s.clock.Now())
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Override])
		for _, o := range all {
			out[o.SubscriptionID] = append(out[o.SubscriptionID], o)
		}
		return err
	})
	return out, err
}
