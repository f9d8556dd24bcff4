package studio

import (
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// organizationsAtOnce is how many organizations a plan's form offers.
const organizationsAtOnce = 200

// organizations offers the first organizations while a name is typed; any other
// can be typed too.
func (p *Pages) organizations(r *request.Request, f *page.PlanFields) error {
	found, _, err := p.Accounts.FindCustomers(r.Ctx(), "", organizationsAtOnce)
	for _, org := range found {
		f.Organizations = append(f.Organizations, org.Name)
	}
	return err
}

// findOrganization finds whom a private plan is for: the one that was chosen
// from those found before, or the only one of the name that was typed.
func (p *Pages) findOrganization(r *request.Request, f *planForm) error {
	if f.plan.PrivateTo == nil {
		return nil
	}
	name := r.Form("organization")
	f.fields.Organization.Value = name
	if name == "" {
		f.invalid.Check(false, "organization", "Type the name of the organization.")
		return nil
	}
	found, total, err := p.Accounts.FindCustomers(r.Ctx(), name, organizationsAtOnce)
	if err != nil {
		return err
	}
	chosen, _ := r.FormID("organization_id")
	if id, ok := organizationOf(found, name, chosen); ok {
		f.plan.PrivateTo = &id
		return nil
	}
	if total == 0 {
		f.invalid.Check(false, "organization", "No organization has this in its name.")
		return nil
	}
	message := "Choose the organization that is meant below."
	if total > int64(len(found)) {
		message = format.Count(total) + " organizations have this in their names. Type more of it, or choose below."
	}
	f.invalid.Check(false, "organization", "%s", message)
	f.fields.Found = []component.Option{{Label: "Choose one"}}
	for _, org := range found {
		f.fields.Found = append(f.fields.Found, component.Option{Value: org.ID.String(), Label: org.Name + ", customer since " + format.Date(org.CreatedAt.In(org.Location()))})
	}
	return nil
}

// organizationOf is the chosen one if it is among those found, or else the only
// one of a name.
func organizationOf(found []accounts.Organization, name string, chosen uuid.UUID) (id uuid.UUID, ok bool) {
	named := 0
	for _, org := range found {
		if org.ID == chosen {
			return chosen, true
		}
		if strings.EqualFold(org.Name, name) {
			id = org.ID
			named++
		}
	}
	return id, named == 1
}
