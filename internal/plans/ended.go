package plans

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/postgres"
)

// How an override ended.
const (
	Expired  = "expired"
	Replaced = "replaced" // by another one of the same limit
	Revoked  = "revoked"
	Left     = "left" // the subscription left the plan version, or ended itself
)

// Ended is an override that is in force no more.
type Ended struct {
	Override
	How  string
	At   *time.Time // nil: not known, for those that were Left
	Plan string     // with its product
}

// EndedOf lists the overrides of an organization that are in force no more,
// newest first, at most 50.
func (s *Service) EndedOf(ctx context.Context, org uuid.UUID) (out []Ended, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `
			SELECT o.id, o.org_id, o.subscription_id, o.plan_version_id, o.position, o.calls, o.burst, o.reason, o.expires_at, coalesce(u.email, ''), o.created_at,
				CASE WHEN o.expires_at <= coalesce(o.revoked_at, $2) THEN 'expired'
					WHEN n.id IS NOT NULL THEN 'replaced' WHEN o.revoked_at IS NOT NULL THEN 'revoked' ELSE 'left' END,
				CASE WHEN o.expires_at <= coalesce(o.revoked_at, $2) THEN o.expires_at ELSE o.revoked_at END AS ended, d.name || ' ' || p.name
			FROM limit_overrides o JOIN subscriptions s ON s.id = o.subscription_id
			JOIN plan_versions v ON v.id = o.plan_version_id JOIN plans p ON p.id = v.plan_id JOIN products d ON d.id = p.product_id
			LEFT JOIN limit_overrides n ON n.subscription_id = o.subscription_id AND n.plan_version_id = o.plan_version_id AND n.position = o.position AND n.created_at = o.revoked_at AND n.id <> o.id
			LEFT JOIN users u ON u.id = o.created_by
			WHERE o.org_id = $1 AND (o.revoked_at IS NOT NULL OR o.expires_at <= $2 OR o.plan_version_id <> s.plan_version_id OR s.state = 'ended')
			ORDER BY coalesce(o.revoked_at, o.expires_at) DESC, o.id LIMIT 50`, org, s.clock.Now())
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Ended])
		return err
	})
	return out, err
}
