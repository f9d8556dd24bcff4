// Package accounts holds organizations, the people in them, and their sessions.
package accounts

import (
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/problem"
)

// Organization is who buys, or the provider itself.
type Organization struct {
	ID               uuid.UUID
	Name             string
	Provider         bool
	TimeZone         string // IANA name; billing periods follow it
	BillingEmail     string
	StripeCustomerID *string
	PaymentMethodID  string // empty: no card stored
	CardBrand        string
	CardLast4        string `gorm:"column:card_last4"`
	CardExpires      string // MM/YYYY
	CreatedAt        time.Time
}

// Location is the organization's time zone; an unknown one is UTC.
func (o Organization) Location() *time.Location { return clock.Zone(o.TimeZone) }

// User is a person.
type User struct {
	ID           uuid.UUID
	Email        string
	PasswordHash string
	CreatedAt    time.Time
}

// Member is a person's role in an organization.
type Member struct {
	OrgID     uuid.UUID
	UserID    uuid.UUID
	Role      string
	CreatedAt time.Time
}

// Identity is who is signed in, and for which organization.
type Identity struct {
	User         uuid.UUID
	Email        string
	Organization uuid.UUID
	OrgName      string
	Role         string
}

// SignUp is what a new person types.
type SignUp struct {
	Email    string
	Password string
}

const (
	minPassword = 12
	maxPassword = 200 // bounds the work of hashing
)

// Validate reports what is wrong with s, field by field.
func (s SignUp) Validate() error {
	v := problem.Invalid{}
	v.Check(isEmail(s.Email), "email", "This is not an e-mail address.")
	checkPassword(v, "password", s.Password)
	return v.Err()
}

func isEmail(s string) bool {
	addr, err := mail.ParseAddress(s)
	return err == nil && addr.Address == s && len(s) <= 254
}

func checkPassword(v problem.Invalid, field, password string) {
	v.Check(len(password) >= minPassword, field, "Use at least %d characters.", minPassword)
	v.Check(len(password) <= maxPassword, field, "Use at most %d characters.", maxPassword)
}

// organizationName guesses a name from a work address; it can be changed later.
func organizationName(email string) string {
	name, domain, _ := strings.Cut(email, "@")
	host, _, _ := strings.Cut(domain, ".")
	switch host {
	case "gmail", "googlemail", "outlook", "hotmail", "yahoo", "icloud", "proton", "gmx", "web":
		host = name
	}
	if host == "" {
		return "My organization"
	}
	return strings.ToUpper(host[:1]) + host[1:]
}

func normalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
