// Package account is the page on which people change their password, and owners
// what invoices say of their organization.
package account

import (
	"tollgate/internal/accounts"
	"tollgate/internal/billing"
	"tollgate/internal/permissions"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/web/page"
)

// Pages are the account page and its two forms.
type Pages struct {
	Accounts *accounts.Service
	Billing  *billing.Service
}

const address = "/account"

// Show shows the page.
func (p *Pages) Show(r *request.Request) error {
	props, err := p.props(r)
	if err != nil {
		return err
	}
	return r.Page(page.Account(r.Layout("Account"), props))
}

func (p *Pages) props(r *request.Request) (page.AccountProps, error) {
	props := page.AccountProps{Email: r.Identity.Email}
	if !permissions.Allows(r.Identity.Role, permissions.ManageOrganization) {
		return props, nil
	}
	org, err := p.Accounts.Organization(r.Ctx(), r.Identity.Organization)
	props.Organization = &page.OrganizationForm{Name: org.Name, BillingEmail: org.BillingEmail}
	return props, err
}

// ChangeOrganization stores the organization's name and billing address.
func (p *Pages) ChangeOrganization(r *request.Request) error {
	in := accounts.OrganizationChange{Name: r.Form("name"), BillingEmail: r.Form("billing_email")}
	err := p.Billing.ChangeCustomer(r.Ctx(), r.Identity, in)
	if err == nil {
		return r.RedirectWith("The organization is saved.", address)
	}
	fields, ok := request.Fields(err)
	if !ok {
		return err
	}
	props := page.AccountProps{Email: r.Identity.Email, Organization: &page.OrganizationForm{
		Name: in.Name, NameError: fields["name"], BillingEmail: in.BillingEmail, BillingEmailError: fields["billing_email"],
	}}
	return r.Invalid(page.Account(r.Layout("Account"), props))
}

// ChangePassword sets a new password. It ends all sessions, and starts another
// one here.
func (p *Pages) ChangePassword(r *request.Request) error {
	in := accounts.PasswordChange{Current: r.Secret("current_password"), New: r.Secret("new_password")}
	err := p.Accounts.ChangePassword(r.Ctx(), r.Identity, in, r.Address())
	if err == nil {
		if err := r.SignIn(r.Identity); err != nil {
			return err
		}
		return r.RedirectWith("The password is changed. Every other browser is signed out.", address)
	}
	props, failed := p.props(r)
	if failed != nil {
		return failed
	}
	if problem.Is(err, "too-many-attempts") {
		props.Password.Error = problem.As(err).Message
		return r.PageStatus(problem.As(err).Status(), page.Account(r.Layout("Account"), props))
	}
	fields, ok := request.Fields(err)
	if !ok {
		return err
	}
	props.Password.CurrentError, props.Password.NewError = fields["current_password"], fields["new_password"]
	return r.Invalid(page.Account(r.Layout("Account"), props))
}
