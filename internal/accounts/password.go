package accounts

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"

	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// passwordCost follows OWASP's advice for argon2id: 19 MiB, two passes.
var passwordCost = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func (s *Service) hashPassword(ctx context.Context, password string) (string, error) {
	release, err := s.turn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, passwordCost)
}

// turn waits for one of the few places in which passwords are hashed.
func (s *Service) turn(ctx context.Context) (release func(), err error) {
	select {
	case s.hash <- struct{}{}:
		return func() { <-s.hash }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) passwordMatches(ctx context.Context, user *User, password string) (bool, error) {
	if len(password) > maxPassword {
		return false, nil
	}
	release, err := s.turn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	hash := s.decoy
	if user != nil {
		hash = user.PasswordHash
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	return match && user != nil, err
}

// PasswordChange is what somebody types to get another password.
type PasswordChange struct {
	Current string
	New     string
}

// ChangePassword sets a new password and ends all of the person's sessions. The
// current one is asked for again, so that an open browser is not enough; wrong
// ones slow down as in SignIn.
func (s *Service) ChangePassword(ctx context.Context, who Identity, in PasswordChange, address string) error {
	v := problem.Invalid{}
	checkPassword(v, "new_password", in.New)
	if err := v.Err(); err != nil {
		return err
	}
	user, err := s.findUser(ctx, who.Email)
	if err != nil {
		return err
	}
	ok, err := s.checkedPassword(ctx, who.Email, user, in.Current, address)
	if err != nil {
		return err
	}
	if v.Check(ok, "current_password", "This is not your current password."); !ok {
		return v.Err()
	}
	hash, err := s.hashPassword(ctx, in.New)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		if err := tx.Model(&User{}).Where("id = ?", who.User).Update("password_hash", hash).Error; err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM sessions WHERE user_id = ?`, who.User).Error
	})
}

// checkedPassword compares a password and counts failures. Repeated ones from
// one network address slow that address's attempts on that account, so that
// nobody can lock a stranger out. user is nil where there is no such account.
func (s *Service) checkedPassword(ctx context.Context, email string, user *User, password, address string) (bool, error) {
	subject := failureSubject(email, address)
	if err := s.checkFailures(ctx, subject); err != nil {
		return false, err
	}
	ok, err := s.passwordMatches(ctx, user, password)
	if err == nil && !ok {
		err = s.noteFailure(ctx, subject)
	}
	return ok, err
}

const (
	freeFailures = 5
	failureDelay = 2 * time.Second // doubles with each failure beyond the free ones
	maxDelay     = 5 * time.Minute
)

// wait is how long after the last failure the next attempt may come.
func wait(failures int) time.Duration {
	if failures < freeFailures {
		return 0
	}
	return min(failureDelay<<min(failures-freeFailures, 16), maxDelay)
}

func failureSubject(email, address string) []byte {
	sum := sha256.Sum256([]byte(email + "\x00" + address))
	return sum[:]
}

func (s *Service) checkFailures(ctx context.Context, subject []byte) error {
	var failures int
	var last time.Time
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT failures, last_at FROM login_failures WHERE subject = $1`, subject).Scan(&failures, &last)
	})
	if postgres.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("login failures: %w", err)
	}
	if left := last.Add(wait(failures)).Sub(s.clock.Real()); left > 0 {
		return problem.New("too-many-attempts", "Too many failed attempts. Try again in %d seconds.", int(left.Seconds())+1)
	}
	return nil
}

// noteFailure counts a failed attempt; after a quiet hour the count starts anew.
func (s *Service) noteFailure(ctx context.Context, subject []byte) error {
	now := s.clock.Real()
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `
			INSERT INTO login_failures AS f (subject, failures, last_at) VALUES ($1, 1, $2)
			ON CONFLICT (subject) DO UPDATE SET last_at = $2, failures = CASE WHEN f.last_at < $3 THEN 1 ELSE f.failures + 1 END`,
			subject, now, now.Add(-time.Hour))
		return err
	})
}
