package plans

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/clock"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Service runs the use cases of products and plans.
type Service struct {
	db    *postgres.DB
	clock *clock.Clock
}

// New makes the service.
func New(db *postgres.DB, c *clock.Clock) *Service { return &Service{db: db, clock: c} }

func taken(field, what string) error {
	v := problem.Invalid{}
	v.Check(false, field, "There is a %s with this address already.", what)
	return v.Err()
}

// CreateProduct makes a product that sells the given API versions.
func (s *Service) CreateProduct(ctx context.Context, actor uuid.UUID, in NewProduct) (Product, error) {
	if err := in.Validate(); err != nil {
		return Product{}, err
	}
	p := Product{ID: postgres.NewID(), Slug: in.Slug, Name: in.Name, Description: in.Description, CreatedAt: s.clock.Now()}
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.Create(&p).Error; err != nil {
			return err
		}
		tag, err := tx.PGX.Exec(ctx, `
			INSERT INTO product_versions (product_id, version_id)
			SELECT $1, id FROM api_versions WHERE id = ANY($2) AND lifecycle IN ('published', 'deprecated')`, p.ID, in.Versions)
		if err != nil {
			return err
		}
		v := problem.Invalid{}
		v.Check(int(tag.RowsAffected()) == len(in.Versions), "versions", "Choose from the APIs that are published.")
		if err := v.Err(); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Actor: actor, Action: "product.create", Object: "product", ID: p.ID.String()})
	})
	if postgres.IsDuplicate(err) {
		return Product{}, taken("slug", "product")
	}
	return p, err
}

// CreatePlan makes a plan and the first version of its terms.
func (s *Service) CreatePlan(ctx context.Context, actor uuid.UUID, in NewPlan) (Offer, error) {
	if err := in.Validate(); err != nil {
		return Offer{}, err
	}
	var offer Offer
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) (err error) {
		if err := checkOperations(ctx, tx, in.Product, in.limits()); err != nil {
			return err
		}
		offer, err = s.insertPlan(ctx, tx, in)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Actor: actor, Action: "plan.create", Object: "plan", ID: offer.ID.String()})
	})
	if postgres.IsDuplicate(err) {
		return Offer{}, taken("slug", "plan")
	}
	return offer, err
}

func (s *Service) insertPlan(ctx context.Context, tx *postgres.Tx, in NewPlan) (Offer, error) {
	var position int
	if err := tx.Raw(`SELECT count(*) FROM plans WHERE product_id = ?`, in.Product).Scan(&position).Error; err != nil {
		return Offer{}, err
	}
	now := s.clock.Now()
	plan := Plan{ID: postgres.NewID(), ProductID: in.Product, Slug: in.Slug, Name: in.Name, Description: in.Description, Sale: in.Sale, PrivateTo: in.PrivateTo, Position: position, CreatedAt: now}
	if err := tx.Create(&plan).Error; err != nil {
		return Offer{}, err
	}
	terms := in.Terms()
	terms.PlanID = plan.ID
	if err := insertTerms(ctx, tx, terms, now); err != nil {
		return Offer{}, fmt.Errorf("store terms: %w", err)
	}
	return Offer{Plan: plan, Terms: terms}, nil
}

// Terms are the first version of the plan's terms.
func (in NewPlan) Terms() Terms {
	t := Terms{VersionID: postgres.NewID(), Number: 1, Currency: in.Currency, RecurringFee: in.RecurringFee, BilledClasses: in.BilledClasses, Limits: in.limits()}
	if in.Usage != nil {
		meter := cmp.Or(in.Meter, "requests")
		t.Components = []Component{{ID: postgres.NewID(), Name: meterNames[meter], Meter: meter, Component: *in.Usage}}
	}
	return t
}

// Request is somebody's wish for a plan that is not sold through self-service.
type Request struct {
	ID            uuid.UUID
	OrgID         uuid.UUID
	OrgName       string
	Email         string // of who asked
	PlanID        uuid.UUID
	PlanName      string
	ProductID     uuid.UUID
	ProductName   string
	ExpectedCalls int64
	Message       string
	State         string // open, granted or declined
	GrantedPlanID *uuid.UUID
	GrantedName   string // of that plan
	Taken         bool   // the granted plan was subscribed to at some time
	Reason        string // why it was declined, for the customer to read
	CreatedAt     time.Time
	DecidedAt     *time.Time
}

// Ask stores a request for a plan.
func (s *Service) Ask(ctx context.Context, org, user uuid.UUID, in NewRequest) error {
	if err := in.Validate(); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var sale string
		if err := tx.PGX.QueryRow(ctx, `SELECT sale FROM plans WHERE id = $1`, in.Plan).Scan(&sale); postgres.IsNotFound(err) || (err == nil && sale != OnRequest) {
			return problem.NotFound("plan to ask for")
		} else if err != nil {
			return err
		}
		_, err := tx.PGX.Exec(ctx, `INSERT INTO plan_requests (id, org_id, user_id, plan_id, expected_calls, message, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'open', $7)`,
			postgres.NewID(), org, user, in.Plan, in.ExpectedCalls, in.Message, s.clock.Now())
		return err
	})
}

// Grant answers a request with a private plan of the given terms.
func (s *Service) Grant(ctx context.Context, actor, request uuid.UUID, in NewPlan) (offer Offer, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		r, err := s.Request(ctx, request)
		if err != nil {
			return err
		}
		if r.State != "open" {
			return problem.Conflict("This request was answered already.")
		}
		in.Product, in.PrivateTo, in.Sale = r.ProductID, &r.OrgID, SelfServe
		if offer, err = s.CreatePlan(ctx, actor, in); err != nil {
			return err
		}
		return s.decide(ctx, tx, actor, r, "granted", "", &offer.ID)
	})
	return offer, err
}

// Decline answers a request with a reason.
func (s *Service) Decline(ctx context.Context, actor, request uuid.UUID, reason string) error {
	v := problem.Invalid{}
	v.Check(strings.TrimSpace(reason) != "", "reason", "Say why, in a sentence that the customer will read.")
	v.Check(len(reason) <= 5000, "reason", "Use at most 5,000 characters.")
	if err := v.Err(); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		r, err := s.Request(ctx, request)
		if err != nil {
			return err
		}
		return s.decide(ctx, tx, actor, r, "declined", reason, nil)
	})
}

func (s *Service) decide(ctx context.Context, tx *postgres.Tx, actor uuid.UUID, r Request, state, reason string, plan *uuid.UUID) error {
	tag, err := tx.PGX.Exec(ctx, `UPDATE plan_requests SET state = $2, reason = $3, granted_plan_id = $4, decided_at = $5 WHERE id = $1 AND state = 'open'`,
		r.ID, state, reason, plan, s.clock.Now())
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return problem.Conflict("This request was answered already.")
	}
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: r.OrgID, Actor: actor, Action: "plan_request." + state, Object: "plan_request", ID: r.ID.String()})
}
