// Package applications holds customers' programs: each has keys and subscriptions.
package applications

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Application is a customer's program.
type Application struct {
	ID        uuid.UUID
	OrgID     uuid.UUID
	Name      string
	CreatedAt time.Time
}

// Service runs the use cases of applications.
type Service struct{ db *postgres.DB }

// New makes the service.
func New(db *postgres.DB) *Service { return &Service{db: db} }

// Default is the application that every organization has from sign-up.
func (s *Service) Default(ctx context.Context, org uuid.UUID) (a Application, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("org_id = ?", org).Order("created_at, id").First(&a).Error
	})
	if postgres.IsNotFound(err) {
		err = problem.NotFound("application")
	}
	return a, err
}
