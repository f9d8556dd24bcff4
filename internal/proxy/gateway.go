// Package proxy is the gateway's request path: it decides on a call from
// memory, forwards it, and meters it. Nothing here waits for a database, save a
// quota of which this gateway holds nothing yet.
package proxy

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/clock"
	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/outbound"
	"tollgate/internal/problem"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/quota/memory"
	"tollgate/internal/snapshot"
	"tollgate/internal/subscriptions/period"
)

// Config is what the request path needs to know beyond the view.
type Config struct {
	PortalURL      string // where problem types and plans have their pages
	Pepper         []byte // for key hashes
	IdentitySecret []byte // signs the caller for upstreams that ask for it
	Timeout        time.Duration
	Upstreams      *outbound.Guard
}

// Gateway serves calls.
type Gateway struct {
	cfg      Config
	clock    *clock.Clock
	views    *snapshot.Holder
	limiter  *memory.Limiter
	wallet   *lease.Wallet
	spool    *spool.Spool
	refusals *metering.Refusals
	logger   *slog.Logger
	forward  *httputil.ReverseProxy
	metrics  metrics
}

// Parts are what a Gateway is made of.
type Parts struct {
	Clock    *clock.Clock
	Views    *snapshot.Holder
	Limiter  *memory.Limiter
	Wallet   *lease.Wallet
	Spool    *spool.Spool
	Refusals *metering.Refusals
	Logger   *slog.Logger
	Registry prometheus.Registerer
}

// New assembles the request path.
func New(cfg Config, p Parts) *Gateway {
	g := &Gateway{
		cfg: cfg, clock: p.Clock, views: p.Views, limiter: p.Limiter, wallet: p.Wallet, spool: p.Spool,
		refusals: p.Refusals, logger: p.Logger, metrics: newMetrics(p.Registry),
	}
	g.forward = g.newForwarder()
	return g
}

// call is one request on its way.
type call struct {
	id       uuid.UUID
	w        http.ResponseWriter
	r        *http.Request
	view     *snapshot.View
	started  time.Time // real time, for durations
	arrived  time.Time // business time, for limits and usage
	path     string    // canonical
	route    *snapshot.Route
	within   string // path within the version
	key      *snapshot.Key
	hold     *snapshot.Hold
	period   period.Period // of the subscription
	op       *snapshot.Operation
	rate     quota.Status
	quota    quota.Status
	lease    int64
	reserved bool
	body     *countingBody
	out      *answer
}

func (c *call) test() bool { return c.key != nil && c.key.Mode == "test" }

// pipeline is what happens to a call, in order. Each step may refuse it; what
// later steps refuse has consumed nothing.
var pipeline = []func(*Gateway, *call) *refusal{
	(*Gateway).readView,         // one view decides the whole call
	(*Gateway).checkForm,        // one canonical path is decided on and forwarded
	(*Gateway).findRoute,        // which API version; before the key, so that a wrong address says so
	(*Gateway).authenticate,     // who calls; the checksum is looked at before any lookup
	(*Gateway).findSubscription, // may they call it
	(*Gateway).checkPayment,     // have they paid
	(*Gateway).checkMode,        // test calls only where there is something to try
	(*Gateway).findOperation,    // after the subscription: operations are not listed to strangers
	(*Gateway).reserveRecord,    // no call is forwarded that could not be metered
	(*Gateway).spendQuota,       // given back when the rate limit refuses
	(*Gateway).takeRate,         // last, because it cannot be given back
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: uuid.Must(uuid.NewV7()), w: w, r: r, started: g.clock.Real(), arrived: g.clock.Now()}
	w.Header().Set("X-Request-Id", c.id.String())
	for _, step := range pipeline {
		if refused := step(g, c); refused != nil {
			g.refuse(c, refused)
			return
		}
	}
	g.serve(c)
}

// refusal is why a call was not forwarded.
type refusal struct {
	*problem.Error
	status *quota.Status // the limit that refused, if one did
	policy string
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{Error: problem.New(code, format, args...)}
}
