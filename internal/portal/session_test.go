package portal_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/accounts"
	"tollgate/internal/clock"
	"tollgate/internal/permissions"
	"tollgate/internal/portal"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres/pgtest"
	"tollgate/web/static"
)

// lines is a log that a test looks into.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// fragile is a web app whose database a handler or a test may take away.
type fragile struct {
	handler http.Handler
	log     *lines
	down    func()
	cookie  *http.Cookie
}

func newFragile(t *testing.T) *fragile {
	t.Helper()
	db, c := pgtest.New(t), clock.New()
	people, err := accounts.New(db, c)
	if err != nil {
		t.Fatal(err)
	}
	f := &fragile{log: &lines{}, down: db.Close}
	who, err := people.SignUp(t.Context(), accounts.SignUp{Email: "ada@acme.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	route := func(path string, h request.Handler) portal.Route {
		return portal.Route{Method: http.MethodGet, Path: path, Needs: permissions.Public, Handle: h}
	}
	server := portal.New(portal.Config{PublicURL: "http://portal.example"},
		portal.Parts{DB: db, Clock: c, Accounts: people, Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelError})), Registry: prometheus.NewRegistry()},
		[]portal.Route{
			route("/enter", func(r *request.Request) error {
				if err := r.SignIn(who.Identity); err != nil {
					return err
				}
				return r.JSON(http.StatusOK, "in")
			}),
			route("/ok", func(r *request.Request) error { return r.JSON(http.StatusOK, "fine") }),
			route("/lost", func(r *request.Request) error { f.down(); return r.RedirectWith("Done.", "/elsewhere") }),
			route("/broken", func(r *request.Request) error { f.down(); return errors.New("out of reach") }),
			route("/api/v1/ok", func(r *request.Request) error { return r.JSON(http.StatusOK, "fine") }),
		})
	f.handler = server.Handler()
	f.cookie = f.get(t.Context(), "/enter").Result().Cookies()[0]
	return f
}

func (f *fragile) get(ctx context.Context, path string) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if f.cookie != nil {
		req.AddCookie(f.cookie)
	}
	rec := httptest.NewRecorder()
	f.handler.ServeHTTP(rec, req)
	return rec
}

// apologizes checks that rec is one whole apology page, with the id of the one
// line in the log.
func (f *fragile) apologizes(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	id, body := rec.Header().Get("X-Request-Id"), rec.Body.String()
	if rec.Code != http.StatusInternalServerError || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") || rec.Header().Get("Location") != "" {
		t.Errorf("got %d with %v", rec.Code, rec.Header())
	}
	if !strings.Contains(body, "Something went wrong on our side") || !strings.Contains(body, id) || strings.Count(body, "</html>") != 1 || !strings.HasSuffix(strings.TrimSpace(body), "</html>") {
		t.Errorf("this is no apology with the id %s:\n%s", id, body)
	}
	if text := f.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "request_id="+id) {
		t.Errorf("the failure was not logged once with its id:\n%s", text)
	}
}

func TestASessionThatCannotBeReadIsApologizedFor(t *testing.T) {
	t.Parallel()
	f := newFragile(t)
	f.down()
	f.apologizes(t, f.get(t.Context(), "/ok"))
	if rec := f.get(t.Context(), "/api/v1/ok"); rec.Code != http.StatusInternalServerError || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API answered %d, %v", rec.Code, rec.Header())
	}
	sheet := regexp.MustCompile(static.Prefix + `[^"]+\.css`).FindString(f.get(t.Context(), "/ok").Body.String())
	if rec := f.get(t.Context(), sheet); rec.Code != http.StatusOK {
		t.Errorf("the apology's style %q answered %d", sheet, rec.Code)
	}
}

func TestASessionThatCannotBeWrittenIsApologizedForInsteadOfTheAnswer(t *testing.T) {
	t.Parallel()
	f := newFragile(t)
	f.apologizes(t, f.get(t.Context(), "/lost"))
}

func TestAFailureIsLoggedOnceThoughItsSessionFailsToo(t *testing.T) {
	t.Parallel()
	f := newFragile(t)
	f.apologizes(t, f.get(t.Context(), "/broken"))
}

// It is not parallel: it looks at the standard logger, which nobody may use.
func TestAnAbandonedRequestLogsNothing(t *testing.T) {
	f := newFragile(t)
	stray := &lines{}
	defer log.SetOutput(log.Writer())
	log.SetOutput(stray)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/ok", "/" + uuid.NewString(), "/api/v1/ok"} {
		f.get(gone, path)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	f.get(late, "/ok")
	f.down()
	f.get(t.Context(), "/ok")
	if text := stray.String(); text != "" {
		t.Errorf("outside of the structured log: %s", text)
	}
	if text := f.log.String(); strings.Contains(text, "context") {
		t.Errorf("logged: %s", text)
	}
}
