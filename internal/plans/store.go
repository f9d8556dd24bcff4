package plans

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"tollgate/internal/postgres"
	"tollgate/internal/pricing"
	"tollgate/internal/problem"
)

func insertTerms(ctx context.Context, tx *postgres.Tx, t Terms, now time.Time) error {
	_, err := tx.PGX.Exec(ctx, `INSERT INTO plan_versions (id, plan_id, number, currency, recurring_fee, billed_classes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.VersionID, t.PlanID, t.Number, t.Currency, t.RecurringFee, t.Billed(), now)
	if err != nil {
		return err
	}
	if err := insertLimits(ctx, tx, t); err != nil {
		return err
	}
	for i, c := range t.Components {
		if err := insertComponent(ctx, tx, t.VersionID, i, c); err != nil {
			return err
		}
	}
	return nil
}

func insertComponent(ctx context.Context, tx *postgres.Tx, version uuid.UUID, position int, c Component) error {
	_, err := tx.PGX.Exec(ctx, `
		INSERT INTO price_components (id, plan_version_id, position, name, meter, model, included, package_size, flat_at_zero, minimum, maximum)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		c.ID, version, position, c.Name, c.Meter, c.Model, c.Included, c.PackageSize, c.FlatAtZero, c.Minimum, c.Maximum)
	if err != nil {
		return err
	}
	for i, tier := range c.Tiers {
		upTo := &tier.UpTo
		if tier.UpTo == pricing.NoEnd {
			upTo = nil
		}
		if _, err := tx.PGX.Exec(ctx, `INSERT INTO price_tiers (component_id, position, up_to, unit_rate, flat) VALUES ($1, $2, $3, $4::numeric, $5)`,
			c.ID, i, upTo, tier.Rate.String(), tier.Flat); err != nil {
			return err
		}
	}
	return nil
}

// TermsOf reads plan versions by id, prices included, in three queries.
func (s *Service) TermsOf(ctx context.Context, versions ...uuid.UUID) (map[uuid.UUID]Terms, error) {
	out := map[uuid.UUID]Terms{}
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `SELECT id, plan_id, number, currency, recurring_fee, billed_classes FROM plan_versions WHERE id = ANY($1)`, versions)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var t Terms
			if err := rows.Scan(&t.VersionID, &t.PlanID, &t.Number, &t.Currency, &t.RecurringFee, &t.BilledClasses); err != nil {
				return err
			}
			out[t.VersionID] = t
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := readLimits(ctx, tx, out, versions); err != nil {
			return err
		}
		return readComponents(ctx, tx, out, versions)
	})
	if err != nil {
		return nil, fmt.Errorf("read terms: %w", err)
	}
	return out, nil
}

func readComponents(ctx context.Context, tx *postgres.Tx, out map[uuid.UUID]Terms, versions []uuid.UUID) error {
	rows, err := tx.PGX.Query(ctx, `
		SELECT c.plan_version_id, c.id, c.name, c.meter, c.model, c.included, c.package_size, c.flat_at_zero, c.minimum, c.maximum, t.up_to, t.unit_rate::text, t.flat
		FROM price_components c JOIN price_tiers t ON t.component_id = c.id
		WHERE c.plan_version_id = ANY($1) ORDER BY c.plan_version_id, c.position, t.position`, versions)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var version uuid.UUID
		var c Component
		var upTo *int64
		var rate string
		var tier pricing.Tier
		if err := rows.Scan(&version, &c.ID, &c.Name, &c.Meter, &c.Model, &c.Included, &c.PackageSize, &c.FlatAtZero, &c.Minimum, &c.Maximum, &upTo, &rate, &tier.Flat); err != nil {
			return err
		}
		if tier.Rate, err = decimal.NewFromString(rate); err != nil {
			return fmt.Errorf("rate %q: %w", rate, err)
		}
		tier.UpTo = pricing.NoEnd
		if upTo != nil {
			tier.UpTo = *upTo
		}
		t := out[version]
		if n := len(t.Components); n == 0 || t.Components[n-1].ID != c.ID {
			t.Components = append(t.Components, c)
		}
		last := &t.Components[len(t.Components)-1]
		last.Tiers = append(last.Tiers, tier)
		out[version] = t
	}
	return rows.Err()
}

// Products lists all products by name.
func (s *Service) Products(ctx context.Context) (out []Product, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error { return tx.Order("name").Find(&out).Error })
	return out, err
}

// Offering reads a product with its plans: those for everybody, and those that
// are private to the context's organization.
func (s *Service) Offering(ctx context.Context, productSlug string) (Offering, error) {
	all, err := s.offerings(ctx, `p.slug = ?`, productSlug)
	return first(all, err, "product")
}

// OfferingByID reads a product with its plans by its id.
func (s *Service) OfferingByID(ctx context.Context, id uuid.UUID) (Offering, error) {
	all, err := s.offerings(ctx, `p.id = ?`, id)
	return first(all, err, "product")
}

// OfferingsOf lists the products that sell an API version.
func (s *Service) OfferingsOf(ctx context.Context, version uuid.UUID) ([]Offering, error) {
	return s.offerings(ctx, `p.id IN (SELECT product_id FROM product_versions WHERE version_id = ?)`, version)
}

// OfferOf reads a plan, its product and its present terms.
func (s *Service) OfferOf(ctx context.Context, plan uuid.UUID) (Offer, Product, error) {
	all, err := s.offerings(ctx, `p.id = (SELECT product_id FROM plans WHERE id = ?)`, plan)
	if err != nil {
		return Offer{}, Product{}, err
	}
	for _, o := range all {
		for _, p := range o.Plans {
			if p.ID == plan {
				return p, o.Product, nil
			}
		}
	}
	return Offer{}, Product{}, problem.NotFound("plan")
}

// offerings reads products that match where, with their visible plans, in a
// fixed number of queries.
func (s *Service) offerings(ctx context.Context, where string, args ...any) (out []Offering, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var products []Product
		if err := tx.Raw(`SELECT p.* FROM products p WHERE `+where+` ORDER BY p.name`, args...).Scan(&products).Error; err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(products))
		for i, p := range products {
			ids[i] = p.ID
		}
		var rows []Plan
		if err := tx.Where("product_id IN ?", ids).Order("product_id, position").Find(&rows).Error; err != nil {
			return err
		}
		terms, err := s.currentTerms(ctx, tx, rows)
		if err != nil {
			return err
		}
		for _, p := range products {
			o := Offering{Product: p}
			for _, plan := range rows {
				if plan.ProductID == p.ID {
					o.Plans = append(o.Plans, Offer{Plan: plan, Terms: terms[plan.ID]})
				}
			}
			out = append(out, o)
		}
		return nil
	})
	return out, err
}

// currentTerms reads the newest version of each plan's terms, by plan.
func (s *Service) currentTerms(ctx context.Context, tx *postgres.Tx, plans []Plan) (map[uuid.UUID]Terms, error) {
	ids := make([]uuid.UUID, len(plans))
	for i, p := range plans {
		ids[i] = p.ID
	}
	var versions []uuid.UUID
	rows, err := tx.PGX.Query(ctx, `SELECT DISTINCT ON (plan_id) id FROM plan_versions WHERE plan_id = ANY($1) ORDER BY plan_id, number DESC`, ids)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		versions = append(versions, id)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	byVersion, err := s.TermsOf(ctx, versions...)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID]Terms{}
	for _, t := range byVersion {
		out[t.PlanID] = t
	}
	return out, nil
}

// Request reads one request for a plan.
func (s *Service) Request(ctx context.Context, id uuid.UUID) (Request, error) {
	all, err := s.requests(ctx, `r.id = ?`, id)
	return first(all, err, "request")
}

// first is the only one that was read; none is an error.
func first[T any](all []T, err error, what string) (one T, _ error) {
	switch {
	case err != nil:
		return one, err
	case len(all) == 0:
		return one, problem.NotFound(what)
	}
	return all[0], nil
}

// Requests lists requests for plans: open ones first, newest first.
func (s *Service) Requests(ctx context.Context) ([]Request, error) {
	return s.requests(ctx, `true`)
}

// RequestsOf lists an organization's own requests: open ones first, newest first.
func (s *Service) RequestsOf(ctx context.Context, org uuid.UUID) ([]Request, error) {
	return s.requests(ctx, `r.org_id = ?`, org)
}

func (s *Service) requests(ctx context.Context, where string, args ...any) (out []Request, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT r.*, o.name AS org_name, u.email, p.name AS plan_name, p.product_id, d.name AS product_name, coalesce(g.name, '') AS granted_name,
				EXISTS (SELECT 1 FROM subscriptions s JOIN plan_versions v ON v.id = s.plan_version_id
					WHERE v.plan_id = r.granted_plan_id AND s.org_id = r.org_id AND s.state <> 'pending') AS taken
			FROM plan_requests r JOIN organizations o ON o.id = r.org_id JOIN users u ON u.id = r.user_id
			JOIN plans p ON p.id = r.plan_id JOIN products d ON d.id = p.product_id
			LEFT JOIN plans g ON g.id = r.granted_plan_id
			WHERE `+where+` ORDER BY r.state <> 'open', r.created_at DESC LIMIT 200`, args...).Scan(&out).Error
	})
	return out, err
}
