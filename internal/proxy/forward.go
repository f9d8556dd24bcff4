package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/identity"
	"tollgate/internal/problem"
	"tollgate/internal/upstream"
	"tollgate/internal/wire"
)

type callKey struct{}

func (g *Gateway) newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            g.cfg.Upstreams.Dialer().DialContext,
		Proxy:                  nil,
		DisableCompression:     true, // answers pass as they are
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxResponseHeaderBytes: wire.MaxAnswerHead,
		ForceAttemptHTTP2:      true,
	}
}

// newForwarder makes the proxy. Rewrite, not Director: with Director a client's
// Connection header could delete what we set.
func (g *Gateway) newForwarder() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:      repeating{g},
		Rewrite:        g.rewrite,
		ModifyResponse: g.onResponse,
		ErrorHandler:   g.onError,
		FlushInterval:  -1, // streams pass at once
		ErrorLog:       log.New(io.Discard, "", 0),
	}
}

// serveStandard forwards a call that every step let pass, and meters it once.
func (g *Gateway) serveStandard(c *call) {
	w, r := c.std.w, c.std.r
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	g.look(c)
	first := c.left(g.firstByte(c))
	late := time.AfterFunc(first, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	c.std.keep = func() { // each part of an answer begins the pause anew
		g.look(c)
		pause := c.left(g.cfg.Timeout)
		late.Reset(pause)
		g.bound(w, pause+lastOfBody)
	}
	w.Header().Del("X-Request-Id") // set with the answer: an early hint would clear it
	g.bound(w, first+lastOfBody)   // later than the timeout, which must not look like a client that left
	c.std.sent = &boundedBody{ReadCloser: r.Body, left: g.largestBody(c)}
	c.std.body = &countingBody{ReadCloser: c.std.sent}
	out := r.WithContext(context.WithValue(ctx, callKey{}, c))
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = c.std.body
	}
	c.std.late, c.std.cancel = late, func() { cancel(nil) }
	if c.r.upgrade != "" {
		defer g.sockets.remove(c)
	}
	defer func() {
		c.out.fault = c.out.fault || c.std.sent.over.Load() // also where an answer had begun
		g.end(c, g.look(c))
	}()
	// An aborted answer panics with http.ErrAbortHandler: it was forwarded all the same.
	defer func() { _ = g.meterStandard(c) }() // logged and counted there
	g.forward.ServeHTTP(w, out)
}

// firstByte is how long the upstream may take to begin its answer.
func (g *Gateway) firstByte(c *call) time.Duration {
	if t := c.route.How.Timeouts.FirstByte; t > 0 {
		return t
	}
	return g.cfg.Timeout
}

// left is wait, or what is left of the time for the whole call if that is less.
func (c *call) left(wait time.Duration) time.Duration {
	if whole := c.route.How.Timeouts.Call; whole > 0 {
		return max(min(wait, c.started.Add(whole).Sub(c.now)), 0)
	}
	return wait
}

func (g *Gateway) meterStandard(c *call) error {
	c.out.in = c.std.body.n.Load()
	if s := c.std.socket; s != nil {
		c.out.in, c.out.bytes = c.out.in+s.in.Load(), s.out.Load()
	}
	c.readUnits()
	return g.meter(c, g.Clock.Steady())
}

// slack is how much longer a client may take to read an answer than to send its body.
const slack = 5 * time.Second

// bound gives a client d from now to send its body, and a little longer to take
// the answer: the server reads what is left of a body before it answers.
func (g *Gateway) bound(w http.ResponseWriter, d time.Duration) {
	c, until := http.NewResponseController(w), g.Clock.Steady().Add(d)
	_ = errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until.Add(slack))) // a connection that is gone needs none
}

func (g *Gateway) rewrite(p *httputil.ProxyRequest) {
	c := p.In.Context().Value(callKey{}).(*call)
	cleanHeaders(p.Out.Header)
	c.aim(p.Out)
	h := p.Out.Header
	h.Set("X-Forwarded-For", c.r.client.String())
	h.Set("X-Forwarded-Host", p.In.Host)
	h.Set("X-Forwarded-Proto", "http")
	h.Set("X-Request-Id", c.id.String())
	if c.r.upgrade != "" { // checked: to WebSocket
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
	}
	if unitsPath(c.op) != "" {
		h.Set("Accept-Encoding", "identity")
	}
	if c.route.SignIdentity && c.key != nil {
		h.Set(identity.Header, g.identity(c))
	}
}

// aim sends r to the call's target.
func (c *call) aim(r *http.Request) {
	target := c.url()
	r.URL = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: strings.TrimSuffix(target.Path, "/") + c.within, RawQuery: c.r.query}
	r.Host = target.Host
}

// identity is the signed statement of who calls.
func (g *Gateway) identity(c *call) string {
	return identity.Sign(g.cfg.IdentitySecret, identity.Caller{
		Organization: c.key.Org, Application: c.key.Application, Subscription: c.hold.ID, Key: c.key.ID, Mode: string(c.key.Mode()),
	}, c.started)
}

// repeating sends a request again, perhaps to another target, where that is safe.
type repeating struct{ g *Gateway }

// RoundTrip implements http.RoundTripper.
func (r repeating) RoundTrip(req *http.Request) (*http.Response, error) {
	c := req.Context().Value(callKey{}).(*call)
	for n := 1; ; n++ {
		c.spans.attempt(req.URL.Host)
		if parent, state := c.spans.parent(); parent != "" {
			req.Header.Set("Traceparent", parent)
			req.Header.Set("Tracestate", state)
		}
		resp, err := r.g.transport.RoundTrip(req)
		if err == nil && !transient(resp.StatusCode) {
			return resp, nil
		}
		if c.ctx.Err() != nil || req.Context().Err() != nil || !r.g.again(c, req, resp, n) {
			return resp, err
		}
		c.aim(req)
	}
}

// again reports whether to repeat, after the wait that is due.
func (g *Gateway) again(c *call, req *http.Request, resp *http.Response, n int) bool {
	attempt := upstream.Attempt{Method: req.Method, Whole: req.Body == nil || req.Body == http.NoBody, Number: n, Trouble: upstream.NoAnswer}
	if resp != nil {
		attempt.Trouble = upstream.Answered
	}
	if !g.repeat(c, attempt) {
		return false
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
	return true
}

// transient are the statuses that another try may mend.
func transient(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// repeat reports whether a call that failed is sent again; it waits, and picks
// the next target.
func (g *Gateway) repeat(c *call, a upstream.Attempt) bool {
	wait, ok := c.group.Retry(a)
	if !ok {
		return false
	}
	failed, now := c.target.Member, g.Clock.Steady()
	next, ok := c.group.Pick(now, failed)
	if !ok {
		return false
	}
	g.report(c, upstream.Failure, now)
	c.target = next
	g.metrics.repeated.Inc()
	select {
	case <-time.After(wait):
		return true
	case <-c.ctx.Done():
		return false
	}
}

// onResponse runs when the upstream's headers are there.
func (g *Gateway) onResponse(resp *http.Response) error {
	c := resp.Request.Context().Value(callKey{}).(*call)
	c.std.keep()
	c.out.status = resp.StatusCode
	c.out.firstByte = g.Clock.Steady().Sub(c.started)
	if name := unitsHeader(c.op); name != "" {
		c.out.count(resp.Header.Get(name))
	}
	c.setLimits(resp.Header)
	resp.Header.Set("X-Request-Id", c.id.String())
	if len(c.route.CORS.Origins) > 0 {
		for name := range resp.Header {
			if c.isCORSHeader(name) {
				resp.Header.Del(name)
			}
		}
		c.eachCORSField(resp.Header.Add) // the upstream's Vary stays
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return g.openSocket(c, resp)
	}
	done := func() error {
		c.out.complete = true
		return g.meterStandard(c)
	}
	if resp.Body == http.NoBody || resp.ContentLength == 0 || c.r.method == http.MethodHead {
		return done()
	}
	resp.Body = &meteredBody{body: resp.Body, left: resp.ContentLength, done: done, out: &c.out, client: c.ctx, keep: func(part []byte) {
		c.std.keep()
		c.keepForUnits(part)
	}}
	return nil
}

// onError answers when there is no answer to pass on. A client's own fault is
// not the upstream's.
func (g *Gateway) onError(_ http.ResponseWriter, r *http.Request, err error) {
	c := r.Context().Value(callKey{}).(*call)
	var netErr net.Error
	switch {
	case c.std.sent.over.Load():
		c.out.fault = true
		g.answerError(c, bodyTooLarge(g.largestBody(c)), err)
	case c.std.body.failed.Load():
		c.out.fault = true
		g.answerError(c, problem.New("bad-request", "The request's body could not be read to its end: it does not match its declared length or encoding."), err)
	case c.ctx.Err() != nil:
		c.out.fault = true
		c.out.status, c.out.ours = statusGone, true // nobody is there to read an answer
	case errors.Is(context.Cause(r.Context()), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout()):
		g.answerError(c, errTimeout, err)
	default:
		g.answerError(c, errUnreachable, err)
	}
}

// statusGone is recorded where the client left before there was an answer.
const statusGone = 499

var (
	errTimeout     = problem.New("upstream-timeout", "The API behind this gateway took too long to answer. The call is not billed.")
	errUnreachable = problem.New("upstream-unreachable", "The API behind this gateway did not answer. The call is not billed; please try again.")
	errAtRest      = problem.New("upstream-unavailable", "The API behind this gateway has failed most calls lately and is given a rest. The call was not counted; try again shortly.")
)

// answerError answers a call that the upstream did not answer.
func (g *Gateway) answerError(c *call, e *problem.Error, cause error) {
	c.out.status, c.out.ours, c.out.complete = e.Status(), true, true
	if g.sampled.take(c.started) {
		g.Logger.Warn("call not answered by the upstream", "request_id", c.id, "api", c.route.API, "code", e.Code, "error", cause)
	}
	g.answerProblem(c, g.problemBody(c, e))
}
