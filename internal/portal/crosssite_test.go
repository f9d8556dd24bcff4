package portal_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tollgate/internal/permissions"
	"tollgate/internal/portal"
)

func TestNoOtherSiteCanActForSomebody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := []*browser{w.customer("ada@acme.example"), w.staff("admin")}
	for _, rt := range w.Server.Routes() {
		if rt.Method == http.MethodGet || rt.Path == "/webhooks/stripe" { // that one asks for Stripe's signature
			continue
		}
		path := parameter.ReplaceAllString(rt.Path, uuid.NewString())
		for name, header := range map[string]http.Header{
			"foreign origin":   {"Origin": {"https://evil.example"}},
			"null origin":      {"Origin": {"null"}},
			"cross-site fetch": {"Sec-Fetch-Site": {"cross-site"}},
			"sibling site":     {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://sub.portal.example"}},
		} {
			for _, b := range people {
				if status := b.Send(rt.Method, path, header, nil).Status; status != http.StatusForbidden {
					t.Errorf("%s %s, %s: %d, want 403", rt.Method, rt.Path, name, status)
				}
			}
		}
	}
	for _, b := range people { // and nobody was signed out
		b.get(portal.Home(map[bool]string{true: "admin", false: "owner"}[strings.HasPrefix(b.email, "admin")])).expect(http.StatusOK, "")
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for _, path := range []string{"/", "/login", "/nowhere", "/api/v1/usage", "/problems", "/console"} {
		a, again := b.get(path), b.get(path)
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "object-src 'none'", "frame-ancestors 'none'", "'nonce-"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s: %s", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe-inline") || policy == again.Header.Get("Content-Security-Policy") {
			t.Errorf("%s: the policy is loose, or its nonce is not fresh: %s", path, policy)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: headers %v", path, a.Header)
		}
	}
}

func TestPublicRoutesAreTheOnesMeantToBe(t *testing.T) {
	t.Parallel()
	open := map[string]bool{}
	for _, prefix := range []string{"/", "/apis", "/pricing", "/products", "/problems", "/search", "/login", "/signup", "/webhooks"} {
		open[prefix] = true
	}
	for _, rt := range newWorld(t).Server.Routes() {
		first := "/" + strings.SplitN(strings.TrimPrefix(rt.Path, "/"), "/", 2)[0]
		if rt.Needs == permissions.Public && !open[first] {
			t.Errorf("%s %s is open to everybody", rt.Method, rt.Path)
		}
	}
}
