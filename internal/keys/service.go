package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/clock"
	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Service runs the use cases of keys.
type Service struct {
	db     *postgres.DB
	clock  *clock.Clock
	pepper []byte
}

// New makes the service. The pepper is the gateways' too.
func New(db *postgres.DB, c *clock.Clock, pepper []byte) *Service {
	return &Service{db: db, clock: c, pepper: pepper}
}

// Create makes a key and returns it together with the secret, which is known
// only now.
func (s *Service) Create(ctx context.Context, actor, org, application uuid.UUID, in NewKey) (k Key, secret string, err error) {
	if err := in.Validate(); err != nil {
		return Key{}, "", err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		k, secret, err = s.insert(ctx, tx, actor, org, application, in)
		return err
	})
	return k, secret, err
}

func (s *Service) insert(ctx context.Context, tx *postgres.Tx, actor, org, application uuid.UUID, in NewKey) (Key, string, error) {
	secret := token.Mint(in.Mode)
	hash := token.Sum(s.pepper, secret)
	k := Key{ID: postgres.NewID(), OrgID: org, ApplicationID: application, Name: in.Name, Mode: in.Mode, Display: token.Display(secret), Hash: hash[:], CreatedAt: s.clock.Now()}
	if err := tx.Create(&k).Error; err != nil {
		return Key{}, "", fmt.Errorf("store key: %w", err)
	}
	return k, secret, s.note(ctx, tx, actor, k, "key.create")
}

func (s *Service) note(ctx context.Context, tx *postgres.Tx, actor uuid.UUID, k Key, action string) error {
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: k.OrgID, Actor: actor, Action: action, Object: "key", ID: k.ID.String(), Details: map[string]string{"name": k.Name, "key": k.Display}})
}

// List returns the organization's keys, newest first, the revoked last.
func (s *Service) List(ctx context.Context, org uuid.UUID) (out []Listed, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT k.*, u.last_used_at, u.last_status, u.last_duration_us FROM keys k LEFT JOIN key_usage u ON u.key_id = k.id
			WHERE k.org_id = ? ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC, k.id LIMIT 500`, org).Scan(&out).Error
	})
	return out, err
}

// Get reads one of the organization's keys.
func (s *Service) Get(ctx context.Context, org, id uuid.UUID) (k Key, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("org_id = ? AND id = ?", org, id).First(&k).Error
	})
	if postgres.IsNotFound(err) {
		err = problem.NotFound("key")
	}
	return k, err
}

// Revoke ends a key at once. The caller repeats its name, so that no other key
// is revoked by mistake.
func (s *Service) Revoke(ctx context.Context, actor, org, id uuid.UUID, name string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		k, err := s.Get(ctx, org, id)
		if err != nil {
			return err
		}
		if k.Name != name {
			return &problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{"name": "Type the key's name exactly: " + k.Name}}
		}
		res := tx.Exec(`UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`, s.clock.Now(), id)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error // revoked before: nothing to do
		}
		return s.note(ctx, tx, actor, k, "key.revoke")
	})
}

// Rotate makes a successor of the same name and mode; the old key works for
// overlap longer.
func (s *Service) Rotate(ctx context.Context, actor, org, id uuid.UUID, overlap time.Duration) (k Key, secret string, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return Key{}, "", &problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{"overlap": "Choose an overlap of at most 30 days."}}
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.Exec(`SELECT 1 FROM keys WHERE org_id = ? AND id = ? FOR UPDATE`, org, id).Error; err != nil {
			return err // one rotation at a time: a double click makes one successor
		}
		old, err := s.Get(ctx, org, id)
		if err != nil {
			return err
		}
		if !old.Works(s.clock.Now()) {
			return problem.Conflict("This key no longer works, so it cannot be rotated. Make a new one.")
		}
		if old.ExpiresAt != nil {
			return problem.Conflict("This key was replaced already and ends on %s. Rotate its successor instead.", old.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC"))
		}
		until := s.clock.Now().Add(overlap)
		if err := tx.Exec(`UPDATE keys SET expires_at = ? WHERE id = ?`, until, id).Error; err != nil {
			return err
		}
		if err := s.note(ctx, tx, actor, old, "key.rotate"); err != nil {
			return err
		}
		k, secret, err = s.insert(ctx, tx, actor, org, old.ApplicationID, NewKey{Name: old.Name, Mode: old.Mode})
		return err
	})
	return k, secret, err
}
