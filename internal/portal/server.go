// Package portal is the web app: its routes with their permissions, its
// middleware, and how errors become pages or problem JSON.
package portal

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/accounts"
	"tollgate/internal/clock"
	"tollgate/internal/permissions"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/static"
)

// Config is what the web app needs to know.
type Config struct {
	PublicURL      string   // as browsers reach it, without a slash at the end
	FormTargets    []string // origins that forms may lead to: Stripe's Checkout
	IdentitySecret []byte   // the gateways': callers of the management API are signed with it
	Demo           bool
}

// Route is one address, the permission that it needs, and what answers it.
type Route struct {
	Method, Path string
	Needs        permissions.Permission
	Handle       request.Handler
}

// Server is the web app.
type Server struct {
	cfg      Config
	clock    *clock.Clock
	accounts *accounts.Service
	session  *scs.SessionManager
	logger   *slog.Logger
	routes   []Route
	requests *prometheus.HistogramVec
	apology  http.Handler
}

// Parts are what the web app is made of.
type Parts struct {
	DB       *postgres.DB
	Clock    *clock.Clock
	Accounts *accounts.Service
	Logger   *slog.Logger
	Registry prometheus.Registerer
}

// New assembles the web app from its screens' routes.
func New(cfg Config, p Parts, routes []Route) *Server {
	session := scs.New()
	session.Store = accounts.SessionStore{DB: p.DB, Clock: p.Clock}
	session.Lifetime, session.IdleTimeout = 30*24*time.Hour, 7*24*time.Hour
	session.Cookie.Name, session.Cookie.HttpOnly, session.Cookie.SameSite = "tollgate_session", true, http.SameSiteLaxMode
	if strings.HasPrefix(cfg.PublicURL, "https://") {
		session.Cookie.Name, session.Cookie.Secure = "__Host-tollgate_session", true
	}
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "tollgate_portal_request_seconds", Help: "Time to answer, by route.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 13),
	}, []string{"route", "status"})
	p.Registry.MustRegister(requests)
	s := &Server{cfg: cfg, clock: p.Clock, accounts: p.Accounts, session: session, logger: p.Logger, routes: routes, requests: requests}
	s.apology, session.ErrorFunc = s.apologies(), s.sessionFailed
	return s
}

// Routes lists every route; tests hold the permission table against it.
func (s *Server) Routes() []Route { return s.routes }

// Handler is the whole web app. The middleware stands outermost first.
func (s *Server) Handler() http.Handler {
	engine := gin.New()
	_ = engine.SetTrustedProxies(nil) // nil cannot fail: no forwarding header is believed
	engine.RedirectTrailingSlash = false
	engine.HandleMethodNotAllowed = true
	engine.GET(static.Prefix+"*file", gin.WrapH(static.Handler()))
	for _, rt := range append(waysBack(s.routes), s.routes...) {
		engine.Handle(rt.Method, rt.Path, s.serve(rt))
		if rt.Method == http.MethodGet {
			engine.HEAD(rt.Path, s.serve(rt)) // net/http leaves the body out
		}
	}
	engine.NoRoute(s.serve(Route{Path: "none", Needs: permissions.Public, Handle: notFound}))
	engine.NoMethod(s.serve(Route{Path: "none", Needs: permissions.Public, Handle: notFound}))

	var h http.Handler = engine
	h = s.sessions(h)   // a session for pages; API routes never touch theirs
	h = s.sameOrigin(h) // before anything acts: no foreign page may post here
	h = limitBody(h)    // before anything reads the body
	h = s.secure(h)     // headers that every answer needs, also refusals
	h = s.observe(h)    // request id, log, metrics, panics: outermost
	return h
}

// maxBody bounds what is read of a request: an OpenAPI document and a little form.
const maxBody = 21 << 20

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}
