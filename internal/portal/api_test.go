package portal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tollgate/internal/permissions"
	"tollgate/internal/portal/api"
	"tollgate/internal/portal/portaltest"
)

func TestTheManagementAPIAndItsDocumentAgree(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(api.Document, &doc); err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for path, methods := range doc.Paths {
		for method := range methods {
			documented[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, route := range portaltest.New(t).Server.Routes() {
		if !strings.HasPrefix(route.Path, "/api/") {
			continue
		}
		name := route.Method + " " + route.Path
		if !documented[name] {
			t.Errorf("%s is not in the document", name)
		}
		if route.Needs != permissions.Gateway {
			t.Errorf("%s does not ask for the gateway's word", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is documented and does not exist", name)
	}
}
