package accounts_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"tollgate/internal/accounts"
	"tollgate/internal/clock"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/problem"
)

var ada = accounts.SignUp{Email: "ada@example.com", Password: "correct horse battery"}

func setup(t *testing.T) (*accounts.Service, *postgres.DB) {
	t.Helper()
	db := pgtest.New(t)
	s, err := accounts.New(db, clock.Fixed(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

func TestWhoSignedUpCanSignInAndOwnsAnOrganization(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	joined, err := s.SignUp(context.Background(), accounts.SignUp{Email: " Ada@Example.com ", Password: ada.Password})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.SignIn(context.Background(), "ADA@example.com", ada.Password, "192.0.2.1")
	if err != nil || id != joined.Identity || id.Role != "owner" || id.OrgName != "Example" {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestSignUpSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if _, err := s.SignUp(context.Background(), ada); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in    accounts.SignUp
		field string
	}{
		"taken":       {ada, "email"},
		"no address":  {accounts.SignUp{Email: "ada", Password: ada.Password}, "email"},
		"short":       {accounts.SignUp{Email: "b@example.com", Password: "short"}, "password"},
		"with a name": {accounts.SignUp{Email: "Ada <c@example.com>", Password: ada.Password}, "email"},
	} {
		_, err := s.SignUp(context.Background(), c.in)
		if e := problem.As(err); e.Code != "invalid" || e.Fields[c.field] == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongPasswordAndUnknownAccountAnswerAlike(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if _, err := s.SignUp(context.Background(), ada); err != nil {
		t.Fatal(err)
	}
	_, wrong := s.SignIn(context.Background(), ada.Email, "not the password", "192.0.2.1")
	_, unknown := s.SignIn(context.Background(), "nobody@example.com", "not the password", "192.0.2.1")
	if wrong == nil || unknown == nil || wrong.Error() != unknown.Error() {
		t.Errorf("%v, %v", wrong, unknown)
	}
}

func TestFailuresSlowOneAddressAndLockNobodyOut(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if _, err := s.SignUp(context.Background(), ada); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := s.SignIn(context.Background(), ada.Email, "wrong password", "198.51.100.1"); !problem.Is(err, "invalid") {
			t.Fatal(err)
		}
	}
	if _, err := s.SignIn(context.Background(), ada.Email, ada.Password, "198.51.100.1"); !problem.Is(err, "too-many-attempts") {
		t.Errorf("the guesser is not slowed: %v", err)
	}
	if _, err := s.SignIn(context.Background(), ada.Email, ada.Password, "192.0.2.1"); err != nil {
		t.Errorf("the owner is locked out: %v", err)
	}
}

func TestANewPasswordEndsAllSessionsAndTheTableHoldsNoToken(t *testing.T) {
	t.Parallel()
	s, db := setup(t)
	joined, err := s.SignUp(context.Background(), ada)
	if err != nil {
		t.Fatal(err)
	}
	c := clock.New()
	store := accounts.SessionStore{DB: db, Clock: c}
	data, err := scs.GobCodec{}.Encode(c.Real().Add(time.Hour), map[string]any{accounts.SessionUser: joined.User.String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Commit("the token", data, c.Real().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, found, err := store.Find("the token"); !found || err != nil {
		t.Fatal(found, err)
	}
	for field, wrong := range map[string]accounts.PasswordChange{
		"current_password": {Current: "not her password", New: "another good password"},
		"new_password":     {Current: ada.Password, New: "short"},
	} {
		err := s.ChangePassword(context.Background(), joined.Identity, wrong, "192.0.2.1")
		if problem.As(err).Fields[field] == "" {
			t.Errorf("a wrong %s: %v", field, err)
		}
	}
	if _, found, err := store.Find("the token"); !found || err != nil {
		t.Fatal("a refused change ended the session", err)
	}
	if err := s.ChangePassword(context.Background(), joined.Identity, accounts.PasswordChange{Current: ada.Password, New: "another good password"}, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, found, err := store.Find("the token"); found || err != nil {
		t.Errorf("the session is still there (%v)", err)
	}
	if _, err := s.SignIn(context.Background(), ada.Email, "another good password", "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

func TestManyGuessesAtOnceAreSlowedLikeManyInARow(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if _, err := s.SignUp(context.Background(), ada); err != nil {
		t.Fatal(err)
	}
	var checked atomic.Int64
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := s.SignIn(context.Background(), ada.Email, "wrong password", "198.51.100.1"); problem.Is(err, "invalid") {
				checked.Add(1)
			}
		})
	}
	wg.Wait()
	if n := checked.Load(); n != 5 {
		t.Errorf("%d of 30 guesses were checked, want 5", n)
	}
}

func TestTheRightPasswordForgivesTypingErrors(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	if _, err := s.SignUp(context.Background(), ada); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for range 4 {
			if _, err := s.SignIn(context.Background(), ada.Email, "wrong password", "192.0.2.1"); !problem.Is(err, "invalid") {
				t.Fatal(err)
			}
		}
		if _, err := s.SignIn(context.Background(), ada.Email, ada.Password, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnEndedSessionIsNotBroughtBackByARequestUnderWay(t *testing.T) {
	t.Parallel()
	s, db := setup(t)
	joined, err := s.SignUp(context.Background(), ada)
	if err != nil {
		t.Fatal(err)
	}
	m := scs.New()
	m.Store = accounts.SessionStore{DB: db, Clock: clock.New()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	session := func() string {
		ctx, err := m.Load(context.Background(), "")
		must(err)
		m.Put(ctx, accounts.SessionUser, joined.User.String())
		token, _, err := m.Commit(ctx)
		must(err)
		return token
	}
	for name, end := range map[string]func(token string) error{
		"sign-out": func(token string) error {
			ctx, err := m.Load(context.Background(), token)
			must(err)
			return m.Destroy(ctx)
		},
		"a new password": func(string) error {
			return s.ChangePassword(context.Background(), joined.Identity, accounts.PasswordChange{Current: ada.Password, New: ada.Password}, "192.0.2.1")
		},
	} {
		token := session()
		slow, err := m.Load(context.Background(), token)
		must(err)
		must(end(token))
		m.Put(slow, "flash", "done")
		_, _, err = m.Commit(slow)
		must(err)
		after, err := m.Load(context.Background(), token)
		must(err)
		if m.GetString(after, accounts.SessionUser) != "" {
			t.Errorf("%s: the session is back", name)
		}
	}
	must(s.Forget(context.Background()))
}
