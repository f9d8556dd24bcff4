package keys

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/postgres"
)

const columns = `k.id, k.org_id, k.application_id, k.name, k.mode, k.display, k.hash, k.created_at, k.expires_at, k.revoked_at, k.replaced, k.scopes, k.networks`

func (k *Key) fields() []any {
	return []any{&k.ID, &k.OrgID, &k.ApplicationID, &k.Name, &k.Mode, &k.Display, &k.Hash, &k.CreatedAt, &k.ExpiresAt, &k.RevokedAt, &k.Replaced, &k.Scopes, &k.Networks}
}

func insertKey(ctx context.Context, tx *postgres.Tx, k Key) error {
	_, err := tx.PGX.Exec(ctx, `
		INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at, expires_at, scopes, networks)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, '{}'::text[]), coalesce($11, '{}'::cidr[]))`,
		k.ID, k.OrgID, k.ApplicationID, k.Name, k.Mode, k.Display, k.Hash, k.CreatedAt, k.ExpiresAt, k.Scopes, k.Networks)
	return err
}

func readKey(ctx context.Context, tx *postgres.Tx, org, id uuid.UUID) (k Key, err error) {
	err = tx.PGX.QueryRow(ctx, `SELECT `+columns+` FROM keys k WHERE k.org_id = $1 AND k.id = $2`, org, id).Scan(k.fields()...)
	return k, err
}

func listKeys(ctx context.Context, tx *postgres.Tx, org uuid.UUID) ([]Listed, error) {
	rows, err := tx.PGX.Query(ctx, `
		SELECT `+columns+`, u.last_used_at, coalesce(u.last_status, 0), coalesce(u.last_duration_us, 0) FROM keys k LEFT JOIN key_usage u ON u.key_id = k.id
		WHERE k.org_id = $1 ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC, k.id LIMIT 500`, org)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Listed, err error) {
		return l, row.Scan(append(l.fields(), &l.LastUsedAt, &l.LastStatus, &l.LastDurationUs)...)
	})
}

// scopesExist refuses scopes that nothing answers to: a slip would make a key
// that can call nothing. Others' private APIs are not there for anybody else.
func scopesExist(ctx context.Context, tx *postgres.Tx, org uuid.UUID, scopes []string) error {
	if len(scopes) == 0 {
		return nil
	}
	rows, err := tx.PGX.Query(ctx, `
		SELECT s FROM unnest($1::text[]) AS s WHERE NOT EXISTS (
			SELECT FROM apis a JOIN api_versions v ON v.api_id = a.id AND v.lifecycle IN ('published', 'deprecated')
			WHERE a.slug = split_part(s, '/', 1)
				AND (a.visibility = 'public' OR EXISTS (SELECT FROM product_versions pv JOIN subscriptions u ON u.product_id = pv.product_id
					WHERE pv.version_id = v.id AND u.org_id = $2 AND u.state IN ('active', 'unpaid')))
				AND (strpos(s, '/') = 0
				OR EXISTS (SELECT FROM operations o WHERE o.version_id = v.id AND o.slug = split_part(s, '/', 2))))`, scopes, org)
	if err != nil {
		return err
	}
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(unknown) > 0 {
		err = invalid("scopes", "There is no "+strings.Join(unknown, ", ")+". Write the API and the operation as their pages' addresses do, such as shop/list-things.")
	}
	return err
}
