package accounts

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Service runs the use cases of accounts.
type Service struct {
	db    *postgres.DB
	clock *clock.Clock
	hash  chan struct{} // bounds how many passwords are hashed at once
	decoy string        // compared when there is no such account, to take as long
}

// New makes the service.
func New(db *postgres.DB, c *clock.Clock) (*Service, error) {
	decoy, err := argon2id.CreateHash(uuid.NewString(), passwordCost)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return &Service{db: db, clock: c, hash: make(chan struct{}, 2), decoy: decoy}, nil
}

// Joined says what sign-up made.
type Joined struct {
	Identity
	Application uuid.UUID // the default one
}

// SignUp makes a person, their organization, and its default application. An
// address that is taken is an error of the field email.
func (s *Service) SignUp(ctx context.Context, in SignUp) (Joined, error) {
	in.Email = normalEmail(in.Email)
	if err := in.Validate(); err != nil {
		return Joined{}, err
	}
	org := Organization{ID: postgres.NewID(), Name: organizationName(in.Email), TimeZone: "UTC", BillingEmail: in.Email}
	return s.create(ctx, org, in, "owner")
}

// AddStaff makes a person with a staff role in the provider's organization,
// which is made with the first of them.
func (s *Service) AddStaff(ctx context.Context, in SignUp, provider, role string) (Joined, error) {
	in.Email = normalEmail(in.Email)
	if err := in.Validate(); err != nil {
		return Joined{}, err
	}
	var org Organization
	err := s.db.InTx(postgres.AsStaff(ctx), func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("provider").Limit(1).Find(&org).Error
	})
	if err != nil {
		return Joined{}, fmt.Errorf("find the provider: %w", err)
	}
	if org.ID == uuid.Nil {
		org = Organization{ID: postgres.NewID(), Name: provider, Provider: true, TimeZone: "UTC", BillingEmail: in.Email}
	}
	return s.create(ctx, org, in, role)
}

func (s *Service) create(ctx context.Context, org Organization, in SignUp, role string) (Joined, error) {
	hash, err := s.hashPassword(ctx, in.Password)
	if err != nil {
		return Joined{}, err
	}
	now := s.clock.Now()
	user := User{ID: postgres.NewID(), Email: in.Email, PasswordHash: hash, CreatedAt: now}
	out := Joined{Identity: Identity{User: user.ID, Email: user.Email, Organization: org.ID, OrgName: org.Name, Role: role}, Application: postgres.NewID()}
	err = s.db.InTx(postgres.AsMember(ctx, org.ID, user.ID), func(_ context.Context, tx *postgres.Tx) error {
		if org.CreatedAt.IsZero() {
			org.CreatedAt = now
			if err := tx.Create(&org).Error; err != nil {
				return err
			}
		}
		if err := tx.Create(&user).Error; err != nil {
			return err
		}
		if err := tx.Create(&Member{OrgID: org.ID, UserID: user.ID, Role: role, CreatedAt: now}).Error; err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES (?, ?, 'Default', ?)`, out.Application, org.ID, now).Error
	})
	if postgres.IsDuplicate(err) {
		return Joined{}, &problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{"email": "There is an account with this address. Sign in instead."}}
	}
	if err != nil {
		return Joined{}, fmt.Errorf("create account: %w", err)
	}
	return out, nil
}

var errWrongLogin = &problem.Error{Code: "invalid", Message: "E-mail address or password is wrong.", Fields: map[string]string{"password": "E-mail address or password is wrong."}}

// SignIn checks a password. It answers alike, and as slowly, whether or not the
// account exists; repeated failures slow down.
func (s *Service) SignIn(ctx context.Context, email, password, address string) (Identity, error) {
	email = normalEmail(email)
	user, err := s.findUser(ctx, email)
	if err != nil {
		return Identity{}, err
	}
	ok, err := s.checkedPassword(ctx, email, user, password, address)
	if err != nil {
		return Identity{}, err
	}
	if !ok {
		return Identity{}, errWrongLogin
	}
	return s.Identify(ctx, user.ID)
}

func (s *Service) findUser(ctx context.Context, email string) (*User, error) {
	if email == "" {
		return nil, nil
	}
	var users []User
	err := s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("email = ?", email).Limit(1).Find(&users).Error
	})
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return &users[0], nil
}

// Identify finds a person's organization and role. Somebody in several
// organizations acts for the first that they joined.
func (s *Service) Identify(ctx context.Context, user uuid.UUID) (id Identity, err error) {
	err = s.db.InTx(postgres.AsStaff(ctx), func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`
			SELECT u.id AS "user", u.email, o.id AS organization, o.name AS org_name, m.role
			FROM users u JOIN members m ON m.user_id = u.id JOIN organizations o ON o.id = m.org_id
			WHERE u.id = ? ORDER BY m.created_at, o.id LIMIT 1`, user).Scan(&id).Error
	})
	if err == nil && id.User == uuid.Nil {
		err = problem.New("unauthenticated", "This account belongs to no organization.")
	}
	return id, err
}

// Organization reads one organization.
func (s *Service) Organization(ctx context.Context, id uuid.UUID) (org Organization, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("id = ?", id).First(&org).Error
	})
	if postgres.IsNotFound(err) {
		err = problem.NotFound("organization")
	}
	return org, err
}

// Customers lists the organizations that buy, by name, for staff.
func (s *Service) Customers(ctx context.Context) (out []Organization, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("NOT provider").Order("lower(name), id").Limit(1000).Find(&out).Error
	})
	return out, err
}

// FindCustomers lists organizations whose name holds text, in either case, by
// name but one of that very name first, at most limit of them, and counts all.
func (s *Service) FindCustomers(ctx context.Context, text string, limit int) (out []Organization, total int64, err error) {
	const named = `NOT provider AND position(lower(?) IN lower(name)) > 0`
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		if err := tx.Raw(`SELECT count(*) FROM organizations WHERE `+named, text).Scan(&total).Error; err != nil {
			return err
		}
		return tx.Raw(`SELECT * FROM organizations WHERE `+named+` ORDER BY lower(name) <> lower(?), lower(name), id LIMIT ?`, text, text, limit).Scan(&out).Error
	})
	return out, total, err
}

// Provider is the organization that publishes and sells, as its invoices name
// it. Before it has any member it is nameless.
func (s *Service) Provider(ctx context.Context) (org Organization, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Where("provider").Order("created_at, id").Limit(1).Find(&org).Error
	})
	return org, err
}

// OrganizationChange is what an owner may change about their organization.
type OrganizationChange struct {
	Name         string // as invoices say it
	BillingEmail string
}

// Validate reports what is wrong with c, field by field.
func (c OrganizationChange) Validate() error {
	v := problem.Invalid{}
	v.Check(c.Name != "" && utf8.RuneCountInString(c.Name) <= 100, "name", "Type a name of at most 100 characters.")
	v.Check(isEmail(c.BillingEmail), "billing_email", "This is not an e-mail address.")
	return v.Err()
}

// ChangeOrganization changes an organization's name and billing address.
func (s *Service) ChangeOrganization(ctx context.Context, org uuid.UUID, in OrganizationChange) error {
	if err := in.Validate(); err != nil {
		return err
	}
	return s.update(ctx, org, map[string]any{"name": in.Name, "billing_email": in.BillingEmail})
}

// Card is a stored payment method, as far as it is shown.
type Card struct{ PaymentMethodID, Brand, Last4, Expires string }

// StoreCard notes the organization's payment method.
func (s *Service) StoreCard(ctx context.Context, org uuid.UUID, card Card) error {
	return s.update(ctx, org, map[string]any{"payment_method_id": card.PaymentMethodID, "card_brand": card.Brand, "card_last4": card.Last4, "card_expires": card.Expires})
}

// StoreCustomer notes the organization's customer id at Stripe.
func (s *Service) StoreCustomer(ctx context.Context, org uuid.UUID, customer string) error {
	return s.update(ctx, org, map[string]any{"stripe_customer_id": customer})
}

func (s *Service) update(ctx context.Context, org uuid.UUID, values map[string]any) error {
	return s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		res := tx.Model(&Organization{}).Where("id = ?", org).Updates(values)
		if res.Error == nil && res.RowsAffected != 1 {
			return problem.NotFound("organization")
		}
		return res.Error
	})
}
