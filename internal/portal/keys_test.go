package portal_test

import (
	"net/http"
	"testing"
)

func TestAKeyIsRestrictedWhenItIsMadeAndItsSuccessorAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/" + w.free.ID.String())
	const slug = "weather"
	b.post("/console/keys", "name", "ci", "mode", "live", "scopes", slug+"/nothing-like-it").expect(http.StatusUnprocessableEntity, "", "There is no "+slug+"/nothing-like-it")
	b.post("/console/keys", "name", "", "mode", "live", "scopes", "Shop!", "networks", "10.0.0.5/8", "expires", "soon").
		expect(http.StatusUnprocessableEntity, "", "Give the key a name", "names no operation", "Write 10.0.0.0/8 for the network", "Write the day as 2027-05-31")
	b.post("/console/keys", "name", "ci", "mode", "live", "expires", "2020-01-01").expect(http.StatusUnprocessableEntity, "", "Choose a day from today on")
	b.post("/console/keys", "name", "ci", "mode", "live", "scopes", slug, "networks", "192.0.2.7\n2001:db8::/32", "expires", "2026-12-24").expect(http.StatusSeeOther, "/console/keys/created")
	b.get("/console/keys").expect(http.StatusOK, "", "May call "+slug, "From 192.0.2.7, 2001:db8::/32", "Works until 25 Dec 2026, 00:00 UTC")
	id := w.id(`SELECT id FROM keys WHERE name = 'ci'`)
	b.post("/console/keys/"+id.String()+"/rotate", "overlap", "24h").expect(http.StatusSeeOther, "/console/keys/created")
	same := w.id(`SELECT n.id FROM keys n JOIN keys o ON o.id = $1 WHERE n.id <> o.id AND n.scopes = o.scopes AND n.networks = o.networks AND NOT n.replaced AND o.replaced`, id)
	if same == id {
		t.Error("the successor is another")
	}
}
