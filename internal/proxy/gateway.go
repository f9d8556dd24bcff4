// Package proxy is the gateway's request path: it decides on a call from
// memory, forwards it, and meters it. Nothing here waits for a database, save a
// quota of which this gateway holds nothing yet.
//
// Plain HTTP/1.1 requests are served by [Gateway.ServeWire], all others by
// [Gateway.ServeHTTP]. Both run the same pipeline.
package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"tollgate/internal/clock"
	"tollgate/internal/keys/token"
	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/outbound"
	"tollgate/internal/problem"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/quota/memory"
	"tollgate/internal/snapshot"
	"tollgate/internal/subscriptions/period"
	"tollgate/internal/wire"
)

// Config is what the request path needs to know beyond the view.
type Config struct {
	PortalURL      string // where problem types and plans have their pages
	Pepper         []byte // for key hashes
	IdentitySecret []byte // signs the caller for upstreams that ask for it
	Timeout        time.Duration
	Upstreams      *outbound.Guard
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
}

// Gateway serves calls.
type Gateway struct {
	cfg      Config
	clock    *clock.Clock
	views    *snapshot.Holder
	hasher   *token.Hasher
	limiter  *memory.Limiter
	wallet   *lease.Wallet
	spool    *spool.Spool
	refusals *metering.Refusals
	logger   *slog.Logger
	sampled  sampler // of refusals, for the log
	forward  *httputil.ReverseProxy
	links    *links
	calls    sync.Pool // of *call, for ServeWire
	metrics  metrics
	dates    dates
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
	Watch    *wire.Watch
}

// New assembles the request path.
func New(cfg Config, p Parts) *Gateway {
	g := &Gateway{
		cfg: cfg, clock: p.Clock, views: p.Views, hasher: token.NewHasher(cfg.Pepper), limiter: p.Limiter, wallet: p.Wallet, spool: p.Spool,
		refusals: p.Refusals, logger: p.Logger, metrics: newMetrics(p.Registry),
		calls: sync.Pool{New: func() any { return &call{} }},
	}
	g.forward = g.newForwarder()
	g.links = newLinks(cfg.Upstreams, p.Watch, p.Clock.Real)
	return g
}

// call is one request on its way.
type call struct {
	id       uuid.UUID
	ctx      context.Context
	r        request
	view     *snapshot.View
	started  time.Time // real time, for durations
	arrived  time.Time // business time, for limits and usage
	path     string    // canonical, decoded
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
	out      answer
	scratch  [96]byte // for header values

	std  *exchange      // where net/http serves the call
	fast *wire.Exchange // where wire does
}

// request is what the pipeline reads of a request, whichever server read it.
type request struct {
	method string
	host   string
	path   string // as sent, escaped
	query  string // as sent
	keys   presented
	client netip.Addr
}

func (c *call) test() bool { return c.key != nil && c.key.Mode == "test" }

// pipeline is what happens to a call, in order. Each step may refuse it; what
// later steps refuse has consumed nothing.
var pipeline = [...]func(*Gateway, *call) *refusal{
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

// decide runs the pipeline; nil lets the call pass.
func (g *Gateway) decide(c *call) *refusal {
	for _, step := range pipeline {
		if refused := step(g, c); refused != nil {
			return refused
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := g.clock.Real()
	c := &call{id: newID(started), ctx: r.Context(), started: started, arrived: started.Add(g.clock.Offset()), std: &exchange{w: w, r: r}}
	c.r = g.readStandard(r)
	w.Header().Set("X-Request-Id", c.id.String())
	if refused := g.decide(c); refused != nil {
		g.refuse(c, refused)
		return
	}
	g.serveStandard(c)
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
