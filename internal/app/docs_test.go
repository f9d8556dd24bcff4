// Package app_test holds the documentation against the programs.
package app_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tollgate/internal/app/gateway"
	"tollgate/internal/app/portal"
	"tollgate/internal/app/tollgate"
)

const root = "../../"

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func matches(pattern, text string) (found []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// setting is one environment variable of a program.
type setting struct{ name, fallback string }

func settings(config any) (out []setting) {
	typ := reflect.TypeOf(config)
	for i := range typ.NumField() {
		if name, ok := typ.Field(i).Tag.Lookup("env"); ok {
			out = append(out, setting{name, typ.Field(i).Tag.Get("envDefault")})
		}
	}
	return out
}

// section is the part of a page under a heading, up to the next of its level.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/configuration.md has no section %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

func TestEverySettingIsDocumentedWithItsDefault(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/configuration.md")
	for heading, config := range map[string]any{"Portal": portal.Config{}, "Gateway": gateway.Config{}, "Everything on one machine": tollgate.Config{}} {
		text := section(t, page, heading)
		for _, s := range settings(config) {
			row := regexp.MustCompile("(?m)^\\| `" + s.name + "` \\|([^|]*)\\|").FindStringSubmatch(text)
			if row == nil {
				t.Errorf("%s: %s has no row in docs/configuration.md", heading, s.name)
				continue
			}
			want := "none"
			if s.fallback != "" {
				want = "`" + s.fallback + "`"
			}
			if got := strings.TrimSpace(row[1]); got != want && got != "required" {
				t.Errorf("%s: the default of %s is given as %s, not %s", heading, s.name, got, want)
			}
		}
	}
}

func TestWhatTheDemoReadsIsDocumented(t *testing.T) {
	t.Parallel()
	text := section(t, read(t, "docs/configuration.md"), "Everything on one machine")
	_, text, _ = strings.Cut(text, "The listeners of portal and gateway are set as above.")
	text, _, _ = strings.Cut(text, "All other settings")
	for _, s := range append(settings(portal.Config{}), settings(gateway.Config{})...) {
		isRead := !slices.Contains(tollgate.Decided, s.name)
		if isRead != (strings.HasSuffix(s.name, "_LISTEN") || strings.Contains(text, "`"+s.name+"`")) {
			t.Errorf("the demo reads %s: %v; docs/configuration.md says otherwise", s.name, isRead)
		}
	}
}

func TestNoSettingIsDocumentedThatDoesNotExist(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob(root + "internal/app/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	known := matches(`\$\{([A-Z][A-Z0-9_]+)`, read(t, "docker-compose.yml"))
	for _, path := range sources {
		known = append(known, matches(`env:"([A-Z0-9_]+)"`, read(t, strings.TrimPrefix(path, root)))...)
	}
	for _, doc := range []string{"README.md", "docs/configuration.md", "docs/security.md", "docs/metering.md", "docs/billing.md", "deploy/example.env"} {
		pattern := "`([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`=]"
		if strings.HasSuffix(doc, ".env") {
			pattern = `(?m)^([A-Z][A-Z0-9_]+)=`
		}
		for _, name := range matches(pattern, read(t, doc)) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which no program reads", doc, name)
			}
		}
	}
}

func TestMakeTargetsInDocumentationExist(t *testing.T) {
	t.Parallel()
	targets := matches(`(?m)^([a-z-]+):`, read(t, "Makefile"))
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/configuration.md", "docs/dependencies.md"} {
		for _, command := range matches("(?m)(?:`|^)make ([a-z][a-z -]*)", read(t, doc)) {
			for _, target := range strings.Fields(command) {
				if !slices.Contains(targets, target) {
					t.Errorf("%s tells to run “make %s”, which the Makefile does not know", doc, target)
				}
			}
		}
	}
}

func TestLinksInDocumentationLeadSomewhere(t *testing.T) {
	t.Parallel()
	docs, err := filepath.Glob(root + "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(docs, root+"README.md", root+"CONTRIBUTING.md", root+"CHANGELOG.md") {
		for _, link := range matches(`\]\(([^)#]+)[^)]*\)`, read(t, strings.TrimPrefix(path, root))) {
			if strings.Contains(link, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link)); err != nil {
				t.Errorf("%s links to %s, which is not there", strings.TrimPrefix(path, root), link)
			}
		}
	}
}
