package plans

import (
	"context"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
)

// OfferingsByVersion lists the products that sell each of the API versions, in
// a fixed number of queries.
func (s *Service) OfferingsByVersion(ctx context.Context, versions []uuid.UUID) (map[uuid.UUID][]Offering, error) {
	out := map[uuid.UUID][]Offering{}
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var sold []struct{ ProductID, VersionID uuid.UUID }
		if err := tx.Raw(`SELECT product_id, version_id FROM product_versions WHERE version_id IN ?`, versions).Scan(&sold).Error; err != nil {
			return err
		}
		all, err := s.offerings(ctx, `p.id IN (SELECT product_id FROM product_versions WHERE version_id IN ?)`, versions)
		if err != nil {
			return err
		}
		for _, o := range all {
			for _, row := range sold {
				if row.ProductID == o.ID {
					out[row.VersionID] = append(out[row.VersionID], o)
				}
			}
		}
		return nil
	})
	return out, err
}

// Sold is an API version that a product sells.
type Sold struct {
	APISlug, APIName, Label string
	VersionID               uuid.UUID
	Public                  bool
}

// Sells lists the API versions that a product sells, by name.
func (s *Service) Sells(ctx context.Context, product uuid.UUID) (out []Sold, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT a.slug AS api_slug, a.name AS api_name, v.label, v.id AS version_id, a.visibility = 'public' AS public
			FROM product_versions pv JOIN api_versions v ON v.id = pv.version_id JOIN apis a ON a.id = v.api_id
			WHERE pv.product_id = ? ORDER BY lower(a.name), v.label`, product).Scan(&out).Error
	})
	return out, err
}

// Operation is one that a limit can count alone.
type Operation struct {
	Call     string // as in "GET /reports/{id}"
	Versions string // that have it, such as "Reports v1, Reports v2"
}

// Operations lists the published operations of a product, by version.
func (s *Service) Operations(ctx context.Context, product uuid.UUID) (out []Operation, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT o.method || ' ' || o.path AS call, string_agg(a.name || ' ' || v.label, ', ' ORDER BY lower(a.name), v.label) AS versions
			FROM product_versions p JOIN api_versions v ON v.id = p.version_id JOIN apis a ON a.id = v.api_id JOIN operations o ON o.version_id = v.id
			WHERE p.product_id = ? AND v.lifecycle IN ('published', 'deprecated') GROUP BY o.method, o.path ORDER BY 2, o.path, o.method`, product).Scan(&out).Error
	})
	return out, err
}

// Counted is a product with numbers of what hangs on it.
type Counted struct {
	Product
	Versions, Plans, Subscribers int64
}

// CountedProducts lists all products by name with their numbers, for staff.
func (s *Service) CountedProducts(ctx context.Context) (out []Counted, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT p.*, (SELECT count(*) FROM product_versions v WHERE v.product_id = p.id) AS versions, (SELECT count(*) FROM plans l WHERE l.product_id = p.id) AS plans,
				(SELECT count(*) FROM subscriptions s WHERE s.product_id = p.id AND s.state IN ('active', 'unpaid')) AS subscribers
			FROM products p ORDER BY lower(p.name), p.id`).Scan(&out).Error
	})
	return out, err
}

// Subscribers counts the running subscriptions of each plan version of a
// product, for staff.
func (s *Service) Subscribers(ctx context.Context, product uuid.UUID) (map[uuid.UUID]int64, error) {
	out := map[uuid.UUID]int64{}
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		var rows []struct {
			ID uuid.UUID
			N  int64
		}
		err := tx.Raw(`SELECT plan_version_id AS id, count(*) AS n FROM subscriptions WHERE product_id = ? AND state IN ('active', 'unpaid') GROUP BY 1`, product).Scan(&rows).Error
		for _, r := range rows {
			out[r.ID] = r.N
		}
		return err
	})
	return out, err
}
