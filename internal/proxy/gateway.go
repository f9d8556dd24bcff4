// Package proxy is the gateway's request path: it decides on a call from
// memory, forwards it, and meters it. Nothing here waits for a database, save a
// quota of which this gateway holds nothing yet.
//
// Plain HTTP/1.1 requests are served by [Gateway.ServeWire], all others by
// [Gateway.ServeHTTP]. Both run the same pipeline.
package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"tollgate/internal/clock"
	"tollgate/internal/keys/token"
	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/outbound"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/quota/memory"
	"tollgate/internal/snapshot"
	"tollgate/internal/wire"
)

// Config is what the request path needs to know beyond the view.
type Config struct {
	PortalURL      string        // where problem types and plans have their pages
	Pepper         []byte        // for key hashes
	IdentitySecret []byte        // signs the caller for upstreams that ask for it
	Timeout        time.Duration // for an answer to begin, and for each pause in it
	Upstreams      *outbound.Guard
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	MaxBody        int64          // bytes of a request's, where the upstream sets none; 0: any
}

// Limiter decides on rates and on calls under way: [memory.Counters] for this
// gateway alone, [shared.Limiter] for several together.
type Limiter interface {
	Decide(ctx context.Context, set *quota.Set, who *quota.Subject, cost int64, now time.Time) quota.Decision
	Peek(into []quota.Status, set *quota.Set, who *quota.Subject, now time.Time) []quota.Status
}

// Parts are what a Gateway is made of.
type Parts struct {
	Clock    *clock.Clock
	Views    *snapshot.Holder
	Limiter  Limiter
	Failures *memory.Failures // of keys, by address
	Wallet   *lease.Wallet
	Spool    *spool.Spool
	Refusals *metering.Refusals
	Logger   *slog.Logger
	Registry prometheus.Registerer
	Watch    *wire.Watch
	Tracer   trace.Tracer // nil: calls are not traced
}

// Gateway serves calls.
type Gateway struct {
	Parts
	cfg       Config
	hasher    *token.Hasher
	sampled   sampler // of refusals, for the log
	transport *http.Transport
	forward   *httputil.ReverseProxy
	links     *links
	sockets   sockets
	calls     sync.Pool // of *call, for ServeWire
	metrics   metrics
	dates     dates
	first     atomic.Pointer[call] // see pass
}

// New assembles the request path.
func New(cfg Config, p Parts) *Gateway {
	g := &Gateway{
		Parts: p, cfg: cfg, hasher: token.NewHasher(cfg.Pepper), metrics: newMetrics(p.Registry),
		calls: sync.Pool{New: func() any { return &call{} }},
	}
	g.transport = g.newTransport()
	g.forward = g.newForwarder()
	g.links = newLinks(cfg.Upstreams, p.Watch, p.Clock.Steady)
	return g
}

// Transport reaches upstreams under the gateway's guard, for health checks.
func (g *Gateway) Transport() http.RoundTripper { return g.transport }

// Rest closes connections to upstreams that nobody has used for long. Call it
// now and then.
func (g *Gateway) Rest() { g.links.rest() }

// step is one line of the pipeline.
type step struct {
	do   func(*Gateway, *call) *refusal
	span string // that it is traced under
}

// pipeline is what happens to a call, in order. Each step may refuse it; what
// later steps refuse has consumed nothing. A new policy is a new line.
var pipeline = [...]step{
	{(*Gateway).readView, ""},            // one view decides the whole call
	{(*Gateway).checkForm, ""},           // one canonical path is decided on and forwarded
	{(*Gateway).findRoute, ""},           // which API version; before the key, so that a wrong address says so
	{(*Gateway).checkOrigin, ""},         // a browser's preflight carries no key
	{(*Gateway).authenticate, "key"},     // who calls; the checksum is looked at before any lookup
	{(*Gateway).checkAddress, "key"},     // from where the key may be used
	{(*Gateway).findSubscription, "key"}, // may they call it
	{(*Gateway).checkPayment, "key"},     // have they paid
	{(*Gateway).checkMode, "key"},        // test calls only where there is something to try
	{(*Gateway).findOperation, "key"},    // after the subscription: operations are not listed to strangers
	{(*Gateway).checkScope, "key"},       // what the key may call
	{(*Gateway).checkUpgrade, ""},        // to WebSocket alone, where the API says so
	{(*Gateway).checkBody, ""},           // before anything is spent, and before the client is told to send it
	{(*Gateway).reserveRecord, ""},       // no call is forwarded that could not be metered
	{(*Gateway).pickTarget, ""},          // before anything is spent: an upstream at rest is not called
	{(*Gateway).spendQuota, "limit"},     // given back when the rate limit refuses
	{(*Gateway).takeRate, "limit"},       // last, because it cannot be given back
}

// decide lets a call pass, with nil, or says why not.
func (g *Gateway) decide(c *call) *refusal {
	if constant {
		return g.pass(c)
	}
	return g.run(c)
}

func (g *Gateway) run(c *call) *refusal {
	for i := range pipeline {
		c.spans.begin(pipeline[i].span)
		if refused := pipeline[i].do(g, c); refused != nil {
			return refused
		}
	}
	c.spans.finish()
	return nil
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := g.Clock.Steady()
	c := &call{id: newID(started), ctx: r.Context(), started: started, arrived: started.Add(g.Clock.Offset()).UTC(), std: &exchange{w: w, r: r}}
	g.readStandard(c, r)
	g.trace(c)
	w.Header().Set("X-Request-Id", c.id.String())
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// RFC 9112, section 6.1: whoever stands before us may have gone by a
		// Content-Length, of which net/http does not tell. Nothing is read behind it.
		w.Header().Set("Connection", "close")
	}
	if refused := g.decide(c); refused != nil {
		g.refuse(c, refused)
		return
	}
	g.serveStandard(c)
}

// ServeWire implements [wire.Handler].
func (g *Gateway) ServeWire(x *wire.Exchange) bool {
	if Own(x.Request.Path) {
		return false
	}
	c := g.calls.Get().(*call)
	*c = call{id: newID(x.Arrived), ctx: context.Background(), started: x.Arrived, arrived: x.Arrived.Add(g.Clock.Offset()).UTC(), fast: x}
	g.readWire(c, x)
	g.trace(c)
	g.serveWire(c)
	*c = call{} // its strings point into the connection's buffer
	g.calls.Put(c)
	return true
}

func (g *Gateway) serveWire(c *call) {
	defer g.survive(c)
	if refused := g.decide(c); refused != nil {
		g.refuse(c, refused)
	} else {
		g.serveFast(c)
	}
}

// survive ends the call, and not the gateway, when a fault of ours shows; what
// was forwarded is metered all the same.
func (g *Gateway) survive(c *call) {
	fault := recover()
	if fault == nil {
		return
	}
	c.fast.Keep = false
	g.metrics.faults.Inc()
	g.Logger.Error("a call ended in a panic", "request_id", c.id, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
	if c.reserved && c.out.status > 0 {
		_ = g.meter(c, g.Clock.Steady()) // logged and counted there
	}
}
