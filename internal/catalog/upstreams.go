package catalog

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
)

// insertUpstream stores where a new version's calls go. A version that replaces
// another takes over how its upstream is called, and all of its targets where
// the address stays the same.
func insertUpstream(ctx context.Context, tx *postgres.Tx, id uuid.UUID, in NewAPI, now time.Time) error {
	_, err := tx.PGX.Exec(ctx, `
		INSERT INTO upstreams (id, sign_identity, created_at, policy) VALUES ($1, $2, $3,
			coalesce((SELECT u.policy FROM upstreams u JOIN api_versions v ON v.upstream_id = u.id WHERE v.id = $4), '{}'))`,
		id, in.SignIdentity, now, in.Replaces)
	if err != nil {
		return err
	}
	for mode, address := range map[string]string{"live": in.UpstreamURL, "test": in.TestURL} {
		if address == "" {
			continue
		}
		tag, err := tx.PGX.Exec(ctx, `
			INSERT INTO upstream_targets (upstream_id, mode, position, url, weight)
			SELECT $1, t.mode, t.position, t.url, t.weight FROM upstream_targets t JOIN api_versions v ON v.upstream_id = t.upstream_id
			WHERE v.id = $2 AND t.mode = $3 AND $4 = (SELECT f.url FROM upstream_targets f WHERE f.upstream_id = t.upstream_id AND f.mode = t.mode ORDER BY f.position LIMIT 1)`,
			id, in.Replaces, mode, address)
		if err == nil && tag.RowsAffected() == 0 {
			_, err = tx.PGX.Exec(ctx, `INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, $2, 0, $3)`, id, mode, address)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
