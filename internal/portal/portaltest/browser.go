package portaltest

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"tollgate/internal/accounts"
)

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

// Password is everybody's.
const Password = "correct horse battery"

// Customer signs somebody up.
func (p *Portal) Customer(t testing.TB, email string) *Browser {
	t.Helper()
	b := p.Stranger(t)
	if a := b.Post("/signup", url.Values{"email": {email}, "password": {Password}}); a.Status != http.StatusSeeOther {
		t.Fatalf("sign-up answered %d", a.Status)
	}
	return b
}

// Staff signs a member of the provider in, with a staff role.
func (p *Portal) Staff(t testing.TB, role string) *Browser {
	t.Helper()
	email := role + "@provider.example"
	_, err := p.Accounts.AddStaff(t.Context(), accounts.SignUp{Email: email, Password: Password}, "Provider", role)
	must(t, err)
	b := p.Stranger(t)
	if a := b.Post("/login", url.Values{"email": {email}, "password": {Password}}); a.Status != http.StatusSeeOther {
		t.Fatalf("sign-in answered %d", a.Status)
	}
	return b
}

// Get fetches a path.
func (b *Browser) Get(path string) Answer {
	b.t.Helper()
	return b.Send(http.MethodGet, path, nil, nil)
}

// Post sends a form.
func (b *Browser) Post(path string, form url.Values) Answer {
	b.t.Helper()
	return b.Send(http.MethodPost, path, typed("application/x-www-form-urlencoded"), strings.NewReader(form.Encode()))
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
	return b.Send(http.MethodPost, path, typed(w.FormDataContentType()), &body)
}

func typed(contentType string) http.Header { return http.Header{"Content-Type": {contentType}} }

// Send makes a request of any kind.
func (b *Browser) Send(method, path string, header http.Header, body io.Reader) Answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.portal.URL+path, body)
	must(b.t, err)
	if header != nil {
		req.Header = header
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
