// Package internal_test holds the rules of who may import whom. They are what
// keeps the gateway small, the arithmetic pure, and the domains apart.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "tollgate/"

// pkg is what go list says of a package of this module, without its tests.
type pkg struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // all, transitively
}

// list asks the go command about every package of the module.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = ".."
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		all[strings.TrimPrefix(p.ImportPath, module)] = p
	}
}

// under reports whether path is dir or inside of it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func underAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return under(path, dir) })
}

// own strips the module's name; ok is false for a package of somebody else.
func own(path string) (rel string, ok bool) { return strings.CutPrefix(path, module) }

func TestPurePackagesImportNothingInternal(t *testing.T) {
	t.Parallel()
	all := list(t)
	for _, rule := range []struct {
		dir string
		may []string // packages of this module that it may import all the same
	}{
		{"internal/problem", nil},
		{"internal/clock", nil},
		{"internal/openapi", nil},
		{"internal/pricing", nil},
		{"internal/quota", []string{"internal/quota"}},
		{"internal/metering/spool", nil},
		{"internal/keys/token", nil},
		{"internal/upstream", []string{"internal/upstream"}},
		{"internal/subscriptions/period", nil},
		{"migrations", nil},
		{"web", []string{"web"}},
	} {
		found := false
		for name, p := range all {
			if !under(name, rule.dir) {
				continue
			}
			found = true
			for _, imported := range p.Imports {
				if rel, ok := own(imported); ok && !underAny(rel, rule.may) {
					t.Errorf("%s imports %s: it must stay pure", name, rel)
				}
			}
		}
		if !found {
			t.Errorf("there is no package %s: change this rule with the map", rule.dir)
		}
	}
}

func TestProgramsReachOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	all := list(t)
	for _, rule := range []struct {
		program string
		never   []string
	}{
		{"cmd/gateway", []string{
			"tollgate/internal/portal", "tollgate/internal/billing", "tollgate/internal/accounts", "tollgate/internal/catalog", "tollgate/internal/openapi",
			"tollgate/internal/app/portal", "tollgate/internal/stripesim", "tollgate/internal/demo", "tollgate/web",
			"github.com/gin-gonic/gin", "gorm.io", "github.com/a-h/templ", "github.com/stripe/stripe-go",
		}},
		{"cmd/portal", []string{
			"tollgate/internal/proxy", "tollgate/internal/snapshot", "tollgate/internal/app/gateway", "tollgate/internal/stripesim", "tollgate/internal/demo",
		}},
	} {
		p, ok := all[rule.program]
		if !ok {
			t.Fatalf("there is no %s", rule.program)
		}
		for _, dep := range p.Deps {
			if underAny(dep, rule.never) {
				t.Errorf("%s reaches %s", rule.program, dep)
			}
		}
	}
}

func TestLibrariesStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	all := list(t)
	for _, rule := range []struct {
		library string
		only    []string // folders whose packages may import it
		why     string
	}{
		{"github.com/stripe/stripe-go", []string{"internal/billing/stripe"}, "one package speaks to Stripe"},
		{"github.com/gin-gonic/gin", []string{"internal/portal", "internal/app/portal"}, "handlers see request.Request, domains see neither"},
		{"gorm.io", []string{"internal/postgres"}, "domains get gorm through postgres.Tx"},
		{"github.com/a-h/templ", []string{"web", "internal/portal"}, "only pages are rendered"},
		{"github.com/redis/go-redis", []string{"internal/quota/shared"}, "limits are what Redis is for"},
		{"tollgate/web", []string{"web", "internal/portal", "internal/app/portal"}, "domains know no pages"},
		{"tollgate/internal/portal", []string{"internal/portal", "internal/app", "internal/demo"}, "domains know no screens; the demo publishes the portal's document"},
		{"tollgate/internal/stripesim", []string{"internal/stripesim", "internal/app/tollgate", "internal/portal/portaltest"}, "the product reaches simulated Stripe by its address alone"},
		{"tollgate/internal/demo", []string{"internal/demo", "internal/app/tollgate"}, "sample accounts exist in demo mode only"},
	} {
		used := false
		for name, p := range all {
			for _, imported := range p.Imports {
				if !under(imported, rule.library) {
					continue
				}
				used = true
				if !underAny(name, rule.only) {
					t.Errorf("%s imports %s: %s", name, imported, rule.why)
				}
			}
		}
		if !used {
			t.Errorf("nothing imports %s: this rule guards nothing", rule.library)
		}
	}
}

// TestDomainsImportDownstream holds the order of the two flows: what is sold,
// who holds it, what was counted, what it costs, what is collected.
func TestDomainsImportDownstream(t *testing.T) {
	t.Parallel()
	all := list(t)
	for domain, may := range map[string][]string{
		"accounts":      {},
		"applications":  {},
		"audit":         {},
		"jobs":          {},
		"keys":          {"audit", "keys/token"},
		"catalog":       {"audit", "jobs", "openapi", "outbound", "upstream"},
		"plans":         {"audit", "pricing", "quota"},
		"subscriptions": {"audit", "subscriptions/period"},
		"metering":      {"metering/spool"},
		"invoices":      {"audit", "metering", "pricing"},
		"billing":       {"accounts", "audit", "billing/stripe", "invoices", "jobs", "metering", "plans", "pricing", "subscriptions", "subscriptions/period"},
		"snapshot":      {"keys/token", "quota", "subscriptions/period", "upstream"},
	} {
		p, ok := all["internal/"+domain]
		if !ok {
			t.Errorf("there is no package internal/%s: change this rule with the map", domain)
		}
		for _, imported := range p.Imports {
			rel, ok := strings.CutPrefix(imported, module+"internal/")
			if ok && !slices.Contains([]string{"clock", "postgres", "problem"}, rel) && !slices.Contains(may, rel) {
				t.Errorf("%s imports %s: that is not downstream", domain, rel)
			}
		}
	}
}
