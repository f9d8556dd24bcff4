// Package request is one exchange with a browser or an API client: who is
// asking, what they sent, and the ways to answer. Handlers return errors; the
// portal renders them once, at its edge.
package request

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/identity"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/layout"
)

// Handler answers one route.
type Handler func(*Request) error

// Request is one exchange. Identity is the zero value for strangers.
type Request struct {
	gin      *gin.Context
	ctx      context.Context
	session  *scs.SessionManager
	Identity accounts.Identity
	Caller   identity.Caller // of API routes, verified
	ID       string          // request id, also on the answer
	Nonce    string          // of this answer's content security policy
	Frame    func(*Request) layout.Props
}

// New wraps c. The context runs in the tenancy that the route needs.
func New(c *gin.Context, ctx context.Context, session *scs.SessionManager) *Request {
	return &Request{gin: c, ctx: ctx, session: session}
}

// Bind puts the request into a tenancy: what its handler sees of the database.
func (r *Request) Bind(ctx context.Context) {
	r.ctx = ctx
	r.gin.Request = r.gin.Request.WithContext(ctx)
}

// Ctx is the request's context: cancelled when the client leaves, and bound to
// the tenant that the route's permission gives.
func (r *Request) Ctx() context.Context { return r.ctx }

// AsStaff is the context across organizations, for the few steps of a
// customer's request that need it, such as moving money.
func (r *Request) AsStaff() context.Context { return postgres.AsStaff(r.ctx) }

// HTTP is the plain request.
func (r *Request) HTTP() *http.Request { return r.gin.Request }

// Header is the answer's header.
func (r *Request) Header() http.Header { return r.gin.Writer.Header() }

// Writer is for answers that are not pages: files and streams.
func (r *Request) Writer() http.ResponseWriter { return r.gin.Writer }

// Address is the network address that the request comes from. No forwarding
// header is believed.
func (r *Request) Address() string {
	host, _, err := net.SplitHostPort(r.HTTP().RemoteAddr)
	if err != nil {
		return r.HTTP().RemoteAddr
	}
	return host
}

// SignedIn reports whether somebody is signed in.
func (r *Request) SignedIn() bool { return r.Identity.User != uuid.Nil }

// readable leaves out what no text field of ours takes: NUL and what is not
// UTF-8. Browsers send neither.
func readable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// Param is a part of the path.
func (r *Request) Param(name string) string { return readable(r.gin.Param(name)) }

// ParamID is a part of the path that must be an id; anything else is not found.
func (r *Request) ParamID(name string) (uuid.UUID, error) {
	id, err := uuid.Parse(r.gin.Param(name))
	if err != nil {
		return uuid.Nil, problem.NotFound("page")
	}
	return id, nil
}

// Query is a value of the URL's query.
func (r *Request) Query(name string) string { return strings.TrimSpace(readable(r.gin.Query(name))) }

// QueryInt is a whole number of the URL's query, or fallback.
func (r *Request) QueryInt(name string, fallback int) int {
	if n, err := strconv.Atoi(r.gin.Query(name)); err == nil && n >= 0 {
		return n
	}
	return fallback
}

// Form is a field of the posted form, never of the URL.
func (r *Request) Form(name string) string {
	return strings.TrimSpace(readable(r.gin.Request.PostFormValue(name)))
}

// Secret is a posted field as it was typed: blanks count.
func (r *Request) Secret(name string) string { return r.gin.Request.PostFormValue(name) }

// FormAll is all values of a posted field.
func (r *Request) FormAll(name string) []string {
	_ = r.gin.Request.PostFormValue(name) // parses the form
	values := slices.Clone(r.gin.Request.PostForm[name])
	for i, v := range values {
		values[i] = readable(v)
	}
	return values
}

// FormID is a posted field that must be an id.
func (r *Request) FormID(name string) (uuid.UUID, bool) {
	id, err := uuid.Parse(r.Form(name))
	return id, err == nil
}

// Page answers 200 with a page.
func (r *Request) Page(page templ.Component) error { return r.PageStatus(http.StatusOK, page) }

// Invalid answers 422 with the form again: values kept, messages beside the fields.
func (r *Request) Invalid(page templ.Component) error {
	return r.PageStatus(http.StatusUnprocessableEntity, page)
}

// PageStatus renders a whole page before the first byte is sent, so that a
// failing template cannot send half of one.
func (r *Request) PageStatus(status int, page templ.Component) error {
	var buf bytes.Buffer
	if err := page.Render(r.ctx, &buf); err != nil {
		return err
	}
	r.gin.Data(status, "text/html; charset=utf-8", buf.Bytes())
	return nil
}

// HTML renders a fragment to a string, for scripts that replace a part of a page.
func (r *Request) HTML(fragment templ.Component) (string, error) {
	var buf bytes.Buffer
	err := fragment.Render(r.ctx, &buf)
	return buf.String(), err
}

// JSON answers with a value.
func (r *Request) JSON(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.gin.Data(status, "application/json", append(body, '\n'))
	return nil
}

// Download answers with a file to save.
func (r *Request) Download(name, contentType string, body []byte) error {
	r.attach(name)
	r.gin.Data(http.StatusOK, contentType, body)
	return nil
}

func (r *Request) attach(name string) {
	r.Header().Set("Content-Disposition", `attachment; filename="`+strings.Map(plainName, name)+`"`)
}

// Stream answers with a file that is sent while it is written. If writing fails
// before anything was sent, the error is answered; after that the connection is
// cut, so that nobody takes half a file for the whole.
func (r *Request) Stream(name, contentType string, write func(io.Writer) error) error {
	out := &stream{start: func() io.Writer {
		r.attach(name)
		r.Header().Set("Content-Type", contentType)
		r.gin.Status(http.StatusOK)
		return r.gin.Writer
	}}
	buffered := bufio.NewWriterSize(out, 32<<10)
	err := write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil && out.to != nil {
		panic(fmt.Errorf("%w: %w", http.ErrAbortHandler, err))
	}
	return err
}

// stream starts the answer with its first byte.
type stream struct {
	start func() io.Writer
	to    io.Writer
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	if s.to == nil {
		s.to = s.start()
	}
	return s.to.Write(p)
}

func plainName(c rune) rune {
	if c == '-' || c == '.' || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') {
		return c
	}
	return '-'
}

// Redirect answers 303: the browser goes on with GET.
func (r *Request) Redirect(to string) error {
	r.gin.Redirect(http.StatusSeeOther, to)
	return nil
}

// RedirectWith goes on to a page that then shows a message, once.
func (r *Request) RedirectWith(message, to string) error {
	r.session.Put(r.ctx, "flash", message)
	return r.Redirect(to)
}

// Layout is the frame of a page: navigation, who is signed in, a waiting message.
func (r *Request) Layout(title string) layout.Props {
	p := r.Frame(r)
	p.Title, p.Nonce, p.Path = title, r.Nonce, r.gin.Request.URL.Path
	if message := r.session.PopString(r.ctx, "flash"); message != "" {
		p.Flash = &component.FlashProps{Message: message, Tone: component.OK}
	}
	return p
}

// SignIn starts a fresh session for somebody: the old id is worthless from now on.
func (r *Request) SignIn(id accounts.Identity) error {
	if err := r.session.RenewToken(r.ctx); err != nil {
		return err
	}
	r.session.Put(r.ctx, accounts.SessionUser, id.User.String())
	return nil
}

// SignOut ends the session.
func (r *Request) SignOut() error { return r.session.Destroy(r.ctx) }

// Next is where a form leads afterwards: a path of this site, or fallback.
func Next(raw, fallback string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(raw, "//") || strings.ContainsAny(raw, "\\\r\n\t") {
		return fallback
	}
	return raw
}

// Fields are the messages of a validation error; ok is false for any other error.
func Fields(err error) (fields map[string]string, ok bool) {
	if e := problem.As(err); e.Code == "invalid" {
		if e.Fields == nil {
			return map[string]string{"": e.Message}, true
		}
		return e.Fields, true
	}
	return nil, false
}
