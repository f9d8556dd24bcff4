package studio_test

import (
	"testing"

	"tollgate/internal/portal/portaltest"
)

func TestAPrivatePlansOrganizationIsFoundByItsNameHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	p := portaltest.New(t)
	b := p.Staff(t, "product")
	publish(t, p, b)
	u := product(t, p, b)
	if _, err := p.DB.StaffPool().Exec(t.Context(), `
		INSERT INTO organizations (id, name, provider, time_zone, billing_email, created_at) SELECT gen_random_uuid(), 'Acme ' || n, false, 'UTC', '', now() FROM generate_series(1, 1100) n
		UNION ALL SELECT gen_random_uuid(), name, false, 'UTC', '', now() FROM unnest('{Zürich GmbH,Twin,Twin,zzz ACME}'::text[]) name`); err != nil {
		t.Fatal(err)
	}
	b.Get(u+"/plans/new").Has(t, 200, `list="organizations"`, `<datalist id="organizations">`, `<option value="Acme 1">`)
	form := proForm()
	form.Set("visibility", "private")
	for name, says := range map[string]string{
		"": "Type the name of the organization", "Nobody": "No organization has this in its name", "acme": "1,101 organizations have this in their names", "Twin": "Choose the organization that is meant",
	} {
		form.Set("organization", name)
		b.Post(u+"/plans/new", form).Has(t, 422, says, `value="`+name+`"`)
	}
	owner := func(slug string) (name, id string) {
		if err := p.DB.StaffPool().QueryRow(t.Context(), `SELECT o.name, o.id FROM plans p JOIN organizations o ON o.id = p.private_to WHERE p.slug = $1`, slug).Scan(&name, &id); err != nil {
			t.Fatal(err)
		}
		return name, id
	}
	for slug, c := range map[string][2]string{"one": {"zürich gmbh", "Zürich GmbH"}, "two": {"Acme 1", "Acme 1"}} { // also parts of others' names
		form.Set("slug", slug)
		form.Set("organization", c[0])
		b.Post(u+"/plans/new", form).Has(t, 303)
		if name, _ := owner(slug); name != c[1] {
			t.Errorf("%q is taken for %s", c[0], name)
		}
	}
	form.Set("slug", "three")
	var chosen string
	if err := p.DB.StaffPool().QueryRow(t.Context(), `SELECT max(id::text) FROM organizations WHERE name = 'Twin'`).Scan(&chosen); err != nil {
		t.Fatal(err)
	}
	form.Set("organization", "Twin")
	b.Post(u+"/plans/new", form).Has(t, 422, `name="organization_id"`, `<option value="`+chosen+`">Twin, customer since`)
	form.Set("organization_id", chosen)
	form.Set("organization", "Zürich GmbH") // typed anew after one was chosen: the name counts
	b.Post(u+"/plans/new", form).Has(t, 303)
	if name, _ := owner("three"); name != "Zürich GmbH" {
		t.Errorf("what was chosen among others' names is taken: %s", name)
	}
	form.Set("slug", "four")
	form.Set("organization", "Twin")
	b.Post(u+"/plans/new", form).Has(t, 303)
	if _, id := owner("four"); id != chosen {
		t.Errorf("%s was chosen, and %s taken", chosen, id)
	}
}
