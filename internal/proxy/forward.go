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
)

type callKey struct{}

// exchange is a call as net/http serves it.
type exchange struct {
	w    http.ResponseWriter
	r    *http.Request
	body *countingBody
}

// newForwarder makes the proxy. Rewrite, not Director: with Director a client's
// Connection header could delete what we set.
func (g *Gateway) newForwarder() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:           g.cfg.Upstreams.Dialer().DialContext,
			Proxy:                 nil,
			DisableCompression:    true, // answers pass as they are
			MaxIdleConns:          1024,
			MaxIdleConnsPerHost:   256,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: g.cfg.Timeout,
			ForceAttemptHTTP2:     true,
		},
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
	ctx, cancel := context.WithTimeout(c.ctx, g.cfg.Timeout)
	defer cancel()
	w.Header().Del("X-Request-Id")       // set with the answer: an early hint would clear it
	g.bound(w, g.cfg.Timeout+lastOfBody) // later than the timeout, which must not look like a client that left
	c.std.body = &countingBody{ReadCloser: r.Body}
	out := r.WithContext(context.WithValue(ctx, callKey{}, c))
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = c.std.body
	}
	// An aborted answer panics with http.ErrAbortHandler: it was forwarded all the same.
	defer func() { _ = g.meterStandard(c) }() // logged and counted there
	g.forward.ServeHTTP(w, out)
}

func (g *Gateway) meterStandard(c *call) error {
	c.out.in = c.std.body.n.Load()
	return g.meter(c, g.clock.Real())
}

// slack is how much longer a client may take to read an answer than to send its body.
const slack = 5 * time.Second

// bound gives a client d from now to send its body, and a little longer to take
// the answer: the server reads what is left of a body before it answers.
func (g *Gateway) bound(w http.ResponseWriter, d time.Duration) {
	c, until := http.NewResponseController(w), g.clock.Real().Add(d)
	_ = errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until.Add(slack))) // a connection that is gone needs none
}

func (g *Gateway) rewrite(p *httputil.ProxyRequest) {
	c := p.In.Context().Value(callKey{}).(*call)
	target := c.target()
	cleanHeaders(p.Out.Header)
	p.Out.URL = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: strings.TrimSuffix(target.Path, "/") + c.within, RawQuery: p.In.URL.RawQuery}
	p.Out.Host = target.Host
	p.Out.Header.Set("X-Forwarded-For", c.r.client.String())
	p.Out.Header.Set("X-Forwarded-Host", p.In.Host)
	p.Out.Header.Set("X-Forwarded-Proto", "http")
	p.Out.Header.Set("X-Request-Id", c.id.String())
	if c.route.SignIdentity {
		p.Out.Header.Set(identity.Header, g.identity(c))
	}
}

// target is where a call goes.
func (c *call) target() *url.URL {
	if c.test() {
		return c.route.Test // there is one: checkMode has looked
	}
	return c.route.Live
}

// identity is the signed statement of who calls.
func (g *Gateway) identity(c *call) string {
	return identity.Sign(g.cfg.IdentitySecret, identity.Caller{
		Organization: c.key.Org, Application: c.key.Application, Subscription: c.hold.ID, Key: c.key.ID, Mode: string(c.key.Mode),
	}, c.started)
}

// cleanHeaders removes what a client may not tell an upstream: keys, protocol
// switches, and every spelling of identity and forwarding headers.
func cleanHeaders(h http.Header) {
	for name := range h {
		if strip(name) {
			delete(h, name)
		}
	}
}

// strip reports whether a client's header stays here. Names are compared in
// canonical form: lower case, with every separator as a dash.
func strip(name string) bool {
	var buf [32]byte // longer than every reserved name
	n := min(len(name), len(buf))
	for i := range n {
		switch b := name[i]; {
		case b == '_' || b == '.':
			buf[i] = '-'
		case b >= 'A' && b <= 'Z':
			buf[i] = b + 'a' - 'A'
		default:
			buf[i] = b
		}
	}
	return reserved(buf[:n]) || reservedPrefix(buf[:n])
}

func reserved(canonical []byte) bool {
	switch string(canonical) {
	case "authorization", "x-api-key", "upgrade", "connection", "http2-settings", "proxy-authorization",
		"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-request-id",
		"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url":
		return true
	}
	return false
}

func reservedPrefix(canonical []byte) bool {
	for _, prefix := range [...]string{"tollgate-", "x-tollgate-", "x-consumer-", "x-credential-", "x-forwarded-"} {
		if len(canonical) >= len(prefix) && string(canonical[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// onResponse runs when the upstream's headers are there.
func (g *Gateway) onResponse(resp *http.Response) error {
	c := resp.Request.Context().Value(callKey{}).(*call)
	c.out.status = resp.StatusCode
	c.out.firstByte = g.clock.Real().Sub(c.started)
	g.setLimits(c, resp.Header)
	resp.Header.Set("X-Request-Id", c.id.String())
	done := func() error {
		c.out.complete = true
		return g.meterStandard(c)
	}
	if resp.Body == http.NoBody || resp.ContentLength == 0 || c.r.method == http.MethodHead {
		return done()
	}
	resp.Body = &meteredBody{body: resp.Body, left: resp.ContentLength, done: done, out: &c.out, client: c.ctx}
	return nil
}

// onError answers when there is no answer to pass on. A client's own fault is
// not the upstream's.
func (g *Gateway) onError(_ http.ResponseWriter, r *http.Request, err error) {
	c := r.Context().Value(callKey{}).(*call)
	var netErr net.Error
	switch {
	case c.std.body.failed.Load():
		g.answerError(c, problem.New("bad-request", "The request's body could not be read to its end: it does not match its declared length or encoding."), err)
	case c.ctx.Err() != nil:
		c.out.status, c.out.ours = statusGone, true // nobody is there to read an answer
	case errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout()):
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
)

// answerError answers a call that the upstream did not answer.
func (g *Gateway) answerError(c *call, e *problem.Error, cause error) {
	c.out.status, c.out.ours, c.out.complete = e.Status(), true, true
	if g.sampled.take(c.started) {
		g.logger.Warn("call not answered by the upstream", "request_id", c.id, "api", c.route.API, "code", e.Code, "error", cause)
	}
	g.answerProblem(c, g.problemBody(c, e))
}
