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
	if now := s.clock.Now(); in.ExpiresAt != nil && (!in.ExpiresAt.After(now) || in.ExpiresAt.After(now.Add(MaxLifetime))) {
		return Key{}, "", invalid("expires", "Choose a day from today on and within ten years, or none.")
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := scopesExist(ctx, tx, org, in.Scopes); err != nil {
			return err
		}
		k, secret, err = s.insert(ctx, tx, actor, org, application, in)
		return err
	})
	return k, secret, err
}

func invalid(field, message string) error {
	return &problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{field: message}}
}

func (s *Service) insert(ctx context.Context, tx *postgres.Tx, actor, org, application uuid.UUID, in NewKey) (Key, string, error) {
	secret := token.Mint(in.Mode)
	hash := token.Sum(s.pepper, secret)
	k := Key{ID: postgres.NewID(), OrgID: org, ApplicationID: application, Name: in.Name, Mode: in.Mode, Display: token.Display(secret), Hash: hash[:], CreatedAt: s.clock.Now(),
		ExpiresAt: in.ExpiresAt, Scopes: in.Scopes, Networks: in.Networks}
	if err := insertKey(ctx, tx, k); err != nil {
		return Key{}, "", fmt.Errorf("store key: %w", err)
	}
	return k, secret, s.note(ctx, tx, actor, k, "key.create")
}

func (s *Service) note(ctx context.Context, tx *postgres.Tx, actor uuid.UUID, k Key, action string) error {
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: k.OrgID, Actor: actor, Action: action, Object: "key", ID: k.ID.String(), Details: map[string]string{"name": k.Name, "key": k.Display}})
}

// List returns the organization's keys, newest first, the revoked last.
func (s *Service) List(ctx context.Context, org uuid.UUID) (out []Listed, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		out, err = listKeys(ctx, tx, org)
		return err
	})
	return out, err
}

// Get reads one of the organization's keys.
func (s *Service) Get(ctx context.Context, org, id uuid.UUID) (k Key, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		k, err = readKey(ctx, tx, org, id)
		return err
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
			return invalid("name", "Type the key's name exactly: "+k.Name)
		}
		res := tx.Exec(`UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`, s.clock.Now(), id)
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error // revoked before: nothing to do
		}
		return s.note(ctx, tx, actor, k, "key.revoke")
	})
}

// Rotate makes a successor of the same name, mode, scopes, networks and
// lifetime; the old key works for overlap longer, but not beyond its own expiry.
func (s *Service) Rotate(ctx context.Context, actor, org, id uuid.UUID, overlap time.Duration) (k Key, secret string, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return Key{}, "", invalid("overlap", "Choose an overlap of at most 30 days.")
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
		if old.Replaced {
			return problem.Conflict("This key was replaced already and ends on %s. Rotate its successor instead.", old.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC"))
		}
		until, next := s.clock.Now().Add(overlap), NewKey{Name: old.Name, Mode: old.Mode, Scopes: old.Scopes, Networks: old.Networks}
		if old.ExpiresAt != nil {
			end := s.clock.Now().Add(old.ExpiresAt.Sub(old.CreatedAt))
			next.ExpiresAt = &end
			if old.ExpiresAt.Before(until) {
				until = *old.ExpiresAt
			}
		}
		if err := tx.Exec(`UPDATE keys SET expires_at = ?, replaced = true WHERE id = ?`, until, id).Error; err != nil {
			return err
		}
		if err := s.note(ctx, tx, actor, old, "key.rotate"); err != nil {
			return err
		}
		k, secret, err = s.insert(ctx, tx, actor, org, old.ApplicationID, next)
		return err
	})
	return k, secret, err
}
