package catalog

import (
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
)

const translated = `openapi: 3.1.0
info: {title: Translate, version: "1.0"}
servers: [{url: /}]
paths:
  /translate:
    post: {operationId: translate, summary: Translate, x-tollgate-weight: 20, x-tollgate-units: "json:usage.characters", responses: {"200": {description: ok}}}
  /detect:
    post: {operationId: detect, summary: Detect, x-tollgate-weight: 3, responses: {"200": {description: ok}}}
  /languages:
    get: {operationId: languages, summary: List, x-tollgate-weight: many, responses: {"200": {description: ok}}}
`

func TestPublishingStoresWhatCallsCountAs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.submit(t, Source{Name: "api.yaml", Document: []byte(translated)})
	if len(p.Findings) != 1 || p.Findings[0].Code != "invalid-weight" || p.Findings[0].Line != 10 {
		t.Errorf("findings %+v", p.Findings)
	}
	if _, err := b.Publish(b.staff, b.actor, p.ID, api("translate")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		weight int
		from   string
	}{"/translate": {20, "json:usage.characters"}, "/detect": {3, ""}, "/languages": {1, ""}} {
		var weight int
		var from, slug string
		if err := b.db.StaffPool().QueryRow(b.staff, `SELECT weight, units_from, slug FROM operations WHERE path = $1`, path).Scan(&weight, &from, &slug); err != nil {
			t.Fatal(err)
		}
		ref, err := b.Operation(postgres.AsMember(t.Context(), uuid.Nil, uuid.Nil), "translate", slug)
		if err != nil || weight != want.weight || from != want.from || ref.Weight != want.weight || ref.Operation.UnitsFrom != want.from {
			t.Errorf("%s: weight %d, units from %q, page %+v, %v", path, weight, from, ref.Operation, err)
		}
	}
}
