// Package site is what anybody may read: the landing page, the catalog, the
// reference, prices, problems, and the way in.
package site

import (
	"net/url"

	"tollgate/internal/accounts"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/web/page"
)

// Auth is signing up, in and out.
type Auth struct {
	Accounts *accounts.Service
	Samples  []page.SamplePerson // in demo mode only
	Home     func(string) string // a role's first page
}

func (a *Auth) form(r *request.Request, other string) page.AuthProps {
	next := r.Query("next")
	if next == "" {
		next = r.Form("next")
	}
	p := page.AuthProps{Email: r.Form("email"), Next: request.Next(next, ""), OtherURL: other, People: a.Samples}
	if p.Next != "" {
		p.OtherURL += "?next=" + url.QueryEscape(p.Next)
	}
	return p
}

// LoginForm shows the sign-in form.
func (a *Auth) LoginForm(r *request.Request) error {
	return r.Page(page.Login(r.Layout("Sign in"), a.form(r, "/signup")))
}

// Login signs somebody in and leads back to where they came from.
func (a *Auth) Login(r *request.Request) error {
	id, err := a.Accounts.SignIn(r.Ctx(), r.Form("email"), r.Secret("password"), r.Address())
	if err != nil {
		form := a.form(r, "/signup")
		if problem.Is(err, "too-many-attempts") {
			form.Error = problem.As(err).Message
			return r.PageStatus(429, page.Login(r.Layout("Sign in"), form))
		}
		fields, ok := request.Fields(err)
		if !ok {
			return err
		}
		form.EmailError, form.PasswordError = fields["email"], fields["password"]
		return r.Invalid(page.Login(r.Layout("Sign in"), form))
	}
	return a.enter(r, id)
}

// SignUpForm shows the form of a new account.
func (a *Auth) SignUpForm(r *request.Request) error {
	return r.Page(page.SignUp(r.Layout("Create an account"), a.form(r, "/login")))
}

// SignUp makes an account and signs its owner in.
func (a *Auth) SignUp(r *request.Request) error {
	joined, err := a.Accounts.SignUp(r.Ctx(), accounts.SignUp{Email: r.Form("email"), Password: r.Secret("password")})
	if err != nil {
		fields, ok := request.Fields(err)
		if !ok {
			return err
		}
		form := a.form(r, "/login")
		form.EmailError, form.PasswordError = fields["email"], fields["password"]
		return r.Invalid(page.SignUp(r.Layout("Create an account"), form))
	}
	return a.enter(r, joined.Identity)
}

func (a *Auth) enter(r *request.Request, id accounts.Identity) error {
	if err := r.SignIn(id); err != nil {
		return err
	}
	return r.Redirect(request.Next(r.Form("next"), a.Home(id.Role)))
}

// Logout ends the session.
func (a *Auth) Logout(r *request.Request) error {
	if err := r.SignOut(); err != nil {
		return err
	}
	return r.Redirect("/")
}
