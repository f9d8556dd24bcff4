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
		return tx.Exec(`UPDATE sessions SET ended = true, data = '' WHERE user_id = ?`, who.User).Error
	})
}

// checkedPassword compares a password. Repeated failures from one network address
// slow that address's attempts on that account, so that nobody can lock a
// stranger out. user is nil where there is no such account.
func (s *Service) checkedPassword(ctx context.Context, email string, user *User, password, address string) (bool, error) {
	subject := failureSubject(email, address)
	if err := s.countAttempt(ctx, subject); err != nil {
		return false, err
	}
	ok, err := s.passwordMatches(ctx, user, password)
	if err == nil && ok {
		err = s.forgiveAttempts(ctx, subject)
	}
	return ok, err
}

const (
	freeFailures = 5
	failureDelay = 2 * time.Second // doubles with each failure beyond the free ones
	maxDelay     = 5 * time.Minute
	quietTime    = time.Hour // after which failures are forgotten
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

// countAttempt counts an attempt as failed before it is made, so that many at
// once are slowed down like many in a row, or refuses it.
func (s *Service) countAttempt(ctx context.Context, subject []byte) error {
	now := s.clock.Real()
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var failures int
		var last time.Time
		err := tx.PGX.QueryRow(ctx, `
			INSERT INTO login_failures (subject, failures, last_at) VALUES ($1, 0, $2)
			ON CONFLICT (subject) DO UPDATE SET failures = CASE WHEN login_failures.last_at < $3 THEN 0 ELSE login_failures.failures END
			RETURNING failures, last_at`, subject, now, now.Add(-quietTime)).Scan(&failures, &last) // the row is locked now
		if err != nil {
			return err
		}
		if left := last.Add(wait(failures)).Sub(now); left > 0 && failures > 0 {
			return problem.New("too-many-attempts", "Too many failed attempts. Try again in %d seconds.", int(left.Seconds())+1)
		}
		_, err = tx.PGX.Exec(ctx, `UPDATE login_failures SET failures = failures + 1, last_at = $2 WHERE subject = $1`, subject, now)
		return err
	})
	if err != nil && !problem.Is(err, "too-many-attempts") {
		err = fmt.Errorf("count sign-in attempts: %w", err)
	}
	return err
}

// forgiveAttempts forgets failures: the password was right.
func (s *Service) forgiveAttempts(ctx context.Context, subject []byte) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `DELETE FROM login_failures WHERE subject = $1`, subject)
		return err
	})
}
