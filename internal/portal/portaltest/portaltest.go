// Package portaltest runs the whole web app on a database of its own, for
// tests that speak HTTP to it.
package portaltest

import (
	"bytes"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/accounts"
	"tollgate/internal/catalog"
	"tollgate/internal/clock"
	"tollgate/internal/jobs"
	"tollgate/internal/outbound"
	"tollgate/internal/plans"
	"tollgate/internal/portal"
	"tollgate/internal/portal/site"
	"tollgate/internal/portal/studio"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/subscriptions"
)

// GatewayURL is what pages say that the gateway's address is.
const GatewayURL = "https://gw.example"

// Portal is a running web app with the services below it.
type Portal struct {
	URL      string
	Handler  http.Handler
	DB       *postgres.DB
	Clock    *clock.Clock
	Accounts *accounts.Service
	Catalog  *catalog.Service
	Plans    *plans.Service
}

func init() { gin.SetMode(gin.ReleaseMode) } // gin knows no other way to be quiet

// New starts the web app on a fresh database.
func New(t testing.TB) *Portal {
	t.Helper()
	db, c := pgtest.New(t), clock.Fixed(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	queue, err := jobs.NewQueue(db.StaffPool())
	must(t, err)
	people, err := accounts.New(db, c)
	must(t, err)
	loopback := outbound.Networks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	p := &Portal{DB: db, Clock: c, Accounts: people, Plans: plans.New(db, c),
		Catalog: catalog.New(db, c, queue, catalog.Guards{Documents: loopback, Upstreams: loopback})}
	screens := portal.Screens{
		Auth:   &site.Auth{Accounts: people, Home: portal.Home},
		Site:   &site.Pages{Catalog: p.Catalog, Plans: p.Plans, Subscriptions: subscriptions.New(db, c), Clock: c, GatewayURL: GatewayURL, PublicURL: "http://portal.example"},
		Studio: &studio.Pages{Catalog: p.Catalog, Plans: p.Plans, Accounts: people, Subscriptions: subscriptions.New(db, c), Clock: c},
	}
	server := portal.New(portal.Config{PublicURL: "http://portal.example", IdentitySecret: []byte("0123456789abcdef")},
		portal.Parts{DB: db, Clock: c, Accounts: people, Logger: slog.New(slog.NewTextHandler(logs{t}, &slog.HandlerOptions{Level: slog.LevelWarn})), Registry: prometheus.NewRegistry()}, screens.Routes())
	p.Handler = server.Handler()
	srv := httptest.NewServer(p.Handler)
	t.Cleanup(srv.Close)
	p.URL = srv.URL
	return p
}

type logs struct{ t testing.TB }

// Write implements io.Writer.
func (l logs) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Browser is one visitor with their cookies. Redirects are not followed.
type Browser struct {
	t      testing.TB
	portal *Portal
	client *http.Client
}

// Answer is what a browser was sent.
type Answer struct {
	Status   int
	Location string
	Header   http.Header
	Body     string
}

// Stranger is a visitor who is not signed in.
func (p *Portal) Stranger(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &Browser{t: t, portal: p, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

const password = "correct horse battery"

// Customer signs somebody up.
func (p *Portal) Customer(t testing.TB, email string) *Browser {
	t.Helper()
	b := p.Stranger(t)
	if a := b.Post("/signup", url.Values{"email": {email}, "password": {password}}); a.Status != http.StatusSeeOther {
		t.Fatalf("sign-up answered %d", a.Status)
	}
	return b
}

// Staff signs a member of the provider in, with a staff role.
func (p *Portal) Staff(t testing.TB, role string) *Browser {
	t.Helper()
	email := role + "@provider.example"
	_, err := p.Accounts.AddStaff(t.Context(), accounts.SignUp{Email: email, Password: password}, "Provider", role)
	must(t, err)
	b := p.Stranger(t)
	if a := b.Post("/login", url.Values{"email": {email}, "password": {password}}); a.Status != http.StatusSeeOther {
		t.Fatalf("sign-in answered %d", a.Status)
	}
	return b
}

// Get fetches a path.
func (b *Browser) Get(path string) Answer {
	b.t.Helper()
	return b.send(http.MethodGet, path, "", nil)
}

// Post sends a form.
func (b *Browser) Post(path string, form url.Values) Answer {
	b.t.Helper()
	return b.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// Upload sends a form with a file.
func (b *Browser) Upload(path, field, name string, content []byte, form url.Values) Answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for key, values := range form {
		for _, v := range values {
			must(b.t, w.WriteField(key, v))
		}
	}
	if name != "" {
		file, err := w.CreateFormFile(field, name)
		must(b.t, err)
		_, err = file.Write(content)
		must(b.t, err)
	}
	must(b.t, w.Close())
	return b.send(http.MethodPost, path, w.FormDataContentType(), &body)
}

func (b *Browser) send(method, path, contentType string, body io.Reader) Answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.portal.URL+path, body)
	must(b.t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.client.Do(req)
	must(b.t, err)
	defer func() { _ = resp.Body.Close() }() // read to its end below
	text, err := io.ReadAll(resp.Body)
	must(b.t, err)
	return Answer{Status: resp.StatusCode, Location: resp.Header.Get("Location"), Header: resp.Header, Body: string(text)}
}

// Has fails the test unless the answer has the status and holds each text.
func (a Answer) Has(t testing.TB, status int, texts ...string) Answer {
	t.Helper()
	if a.Status != status {
		t.Errorf("status %d, want %d: %.300s", a.Status, status, a.Body)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	return a
}

// Lacks fails the test when the answer holds one of the texts.
func (a Answer) Lacks(t testing.TB, texts ...string) Answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.Body, text) {
			t.Errorf("the page has %q", text)
		}
	}
	return a
}
