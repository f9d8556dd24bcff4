package portal_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/permissions"
	"tollgate/internal/portal"
)

// parameter is a part of a route that stands for an id.
var parameter = regexp.MustCompile(`[:*]\w+`)

func TestEveryRouteHoldsToThePermissionTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	developer := w.customer("dev@acme.example")
	w.exec(`UPDATE members SET role = 'developer' FROM users u WHERE u.id = user_id AND u.email = $1`, developer.email)
	people := map[string]*browser{"": w.browser(), "owner": w.customer("ada@acme.example"), "developer": developer}
	for _, role := range []string{"product", "finance", "operator", "admin"} {
		people[role] = w.staff(role)
	}
	for _, rt := range w.Server.Routes() {
		if rt.Needs == "" {
			t.Errorf("%s %s names no permission", rt.Method, rt.Path)
		}
		for role, b := range people {
			if rt.Path == "/logout" && role != "" {
				continue // it would end the session that the rest needs
			}
			checkRoute(t, rt, role, b.do(rt.Method, parameter.ReplaceAllString(rt.Path, uuid.NewString()), nil))
		}
	}
}

func checkRoute(t *testing.T, rt portal.Route, role string, got answer) {
	t.Helper()
	toLogin := got.Status == http.StatusSeeOther && strings.HasPrefix(got.Location, "/login")
	refused := got.Status == http.StatusForbidden || got.Status == http.StatusUnauthorized || toLogin
	if want := permissions.Allows(role, rt.Needs); want == refused {
		t.Errorf("%s %s needs %s: %q got %d %s", rt.Method, rt.Path, rt.Needs, role, got.Status, got.Location)
	}
	if got.Status >= 500 {
		t.Errorf("%s %s as %q: %d", rt.Method, rt.Path, role, got.Status)
	}
	switch {
	case !refused || rt.Needs == permissions.Gateway: // no session opens those
	case role == "" && rt.Method == http.MethodGet && !toLogin:
		t.Errorf("%s %s: a stranger is not led to sign in", rt.Method, rt.Path)
	case role != "" && got.Status != http.StatusForbidden:
		t.Errorf("%s %s as %q: %d, want 403", rt.Method, rt.Path, role, got.Status)
	}
}

func TestAFormsAddressLeadsToThePageOfTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	customer, id := w.customer("ada@acme.example"), uuid.NewString()
	people := map[string]*browser{"/console": customer, "/account": customer, "/studio": w.staff("product"), "/finance": w.staff("finance"), "/ops": w.staff("operator")}
	pages := map[string]bool{}
	for _, rt := range w.Server.Routes() {
		pages[rt.Method+rt.Path] = true
	}
	for _, rt := range w.Server.Routes() {
		if rt.Method != http.MethodPost || pages[http.MethodGet+rt.Path] || rt.Needs == permissions.Public || rt.Path == "/logout" {
			continue
		}
		b := people["/"+strings.Split(rt.Path, "/")[1]]
		if b == nil {
			t.Fatalf("nobody to open %s", rt.Path)
		}
		got := b.get(parameter.ReplaceAllString(rt.Path, id))
		above := strings.TrimPrefix(got.Location, "/")
		if got.Status != http.StatusSeeOther || above == "" || !strings.HasPrefix(parameter.ReplaceAllString(rt.Path, id), "/"+above+"/") {
			t.Errorf("GET %s: %d to %q, want the page above", rt.Path, got.Status, got.Location)
		}
	}
	for address, page := range map[string]string{
		"/finance/lines/" + id + "/recompute": "/finance/lines/" + id, "/finance/invoices/" + id + "/hold": "/finance/invoices/" + id,
		"/studio/requests/" + id + "/decline": "/studio/requests/" + id, "/console/keys/" + id + "/rotate": "/console/keys",
	} {
		people["/"+strings.Split(address, "/")[1]].get(address).expect(http.StatusSeeOther, page)
	}
	customer.get("/finance/lines/"+id+"/recompute").expect(http.StatusForbidden, "")
	customer.get("/logout").expect(http.StatusSeeOther, "/")
	w.browser().get("/webhooks/stripe").expect(http.StatusNotFound, "")
}
