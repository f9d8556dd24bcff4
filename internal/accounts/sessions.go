package accounts

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/postgres"
)

// SessionStore keeps sessions in Postgres under the hash of their token, so
// that a copy of the table signs nobody in. It implements scs.CtxStore.
type SessionStore struct {
	DB    *postgres.DB
	Clock *clock.Clock
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// FindCtx reads a session that has not expired.
func (s SessionStore) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT data FROM sessions WHERE token_hash = $1 AND expires_at > $2 AND NOT ended`, tokenHash(token), s.Clock.Real()).Scan(&data)
	})
	if postgres.IsNotFound(err) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// SessionUser is the session's name for the id of who is signed in.
const SessionUser = "user"

// CommitCtx writes a session, and whose it is, so that all of a person's
// sessions can be ended.
func (s SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return fmt.Errorf("read the session: %w", err)
	}
	var user *uuid.UUID
	if text, _ := values[SessionUser].(string); text != "" {
		id, err := uuid.Parse(text)
		if err != nil {
			return fmt.Errorf("read the session: %w", err)
		}
		user = &id
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `
			INSERT INTO sessions (token_hash, user_id, data, expires_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (token_hash) DO UPDATE SET user_id = excluded.user_id, data = excluded.data, expires_at = excluded.expires_at
			WHERE NOT sessions.ended`, tokenHash(token), user, data, expiry)
		return err
	})
}

// DeleteCtx ends a session for good: a request that is still under way with it
// cannot write it back.
func (s SessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `UPDATE sessions SET ended = true, data = '' WHERE token_hash = $1`, tokenHash(token))
		return err
	})
}

// Forget removes sessions that have expired, and failed sign-ins that no longer
// slow anybody down.
func (s *Service) Forget(ctx context.Context) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.PGX.Exec(ctx, `DELETE FROM sessions WHERE expires_at < $1`, s.clock.Real()); err != nil {
			return err
		}
		_, err := tx.PGX.Exec(ctx, `DELETE FROM login_failures WHERE last_at < $1`, s.clock.Real().Add(-quietTime))
		return err
	})
}

// Find implements scs.Store for callers without a context.
func (s SessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store for callers without a context.
func (s SessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete implements scs.Store for callers without a context.
func (s SessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
