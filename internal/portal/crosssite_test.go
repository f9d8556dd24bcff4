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
	for _, rt := range w.server.Routes() {
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
				if status := b.send(t, rt.Method, path, header); status != http.StatusForbidden {
					t.Errorf("%s %s, %s: %d, want 403", rt.Method, rt.Path, name, status)
				}
			}
		}
	}
	for _, b := range people { // and nobody was signed out
		b.get(portal.Home(map[bool]string{true: "admin", false: "owner"}[strings.HasPrefix(b.email, "admin")])).expect(http.StatusOK, "")
	}
}

func (b *browser) send(t *testing.T, method, path string, header http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.w.url+path, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	for _, path := range []string{"/", "/login", "/nowhere", "/api/v1/usage", "/problems", "/console"} {
		a, again := b.get(path), b.get(path)
		policy := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "object-src 'none'", "frame-ancestors 'none'", "'nonce-"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s: %s", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe-inline") || policy == again.header.Get("Content-Security-Policy") {
			t.Errorf("%s: the policy is loose, or its nonce is not fresh: %s", path, policy)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: headers %v", path, a.header)
		}
	}
}

func TestPublicRoutesAreTheOnesMeantToBe(t *testing.T) {
	t.Parallel()
	open := map[string]bool{}
	for _, prefix := range []string{"/", "/apis", "/pricing", "/products", "/problems", "/search", "/login", "/signup", "/webhooks"} {
		open[prefix] = true
	}
	for _, rt := range newWorld(t).server.Routes() {
		first := "/" + strings.SplitN(strings.TrimPrefix(rt.Path, "/"), "/", 2)[0]
		if rt.Needs == permissions.Public && !open[first] {
			t.Errorf("%s %s is open to everybody", rt.Method, rt.Path)
		}
	}
}
