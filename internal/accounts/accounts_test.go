package accounts_test

import (
	"context"
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
