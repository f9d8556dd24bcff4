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

// serve forwards a call that every step let pass, and meters it once.
func (g *Gateway) serve(c *call) {
	ctx, cancel := context.WithTimeout(c.r.Context(), g.cfg.Timeout)
	defer cancel()
	c.out = &answer{}
	c.w.Header().Del("X-Request-Id")       // set with the answer: an early hint would clear it
	g.bound(c.w, g.cfg.Timeout+lastOfBody) // later than the timeout, which must not look like a client that left
	c.body = &countingBody{ReadCloser: c.r.Body}
	r := c.r.WithContext(context.WithValue(ctx, callKey{}, c))
	if c.r.Body != nil && c.r.Body != http.NoBody {
		r.Body = c.body
	}
	// An aborted answer panics with http.ErrAbortHandler: it was forwarded all the same.
	defer func() { _ = g.meter(c, !c.out.complete) }() // logged and counted there
	g.forward.ServeHTTP(c.w, r)
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
	target := c.route.Live
	if c.test() {
		target = c.route.Test // there is one: checkMode has looked
	}
	cleanHeaders(p.Out.Header)
	p.Out.URL = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: strings.TrimSuffix(target.Path, "/") + c.within, RawQuery: p.In.URL.RawQuery}
	p.Out.Host = target.Host
	p.SetXForwarded()
	p.Out.Header.Set("X-Request-Id", c.id.String())
	if c.route.SignIdentity {
		p.Out.Header.Set(identity.Header, identity.Sign(g.cfg.IdentitySecret, identity.Caller{
			Organization: c.key.Org, Application: c.key.Application, Subscription: c.hold.ID, Key: c.key.ID, Mode: string(c.key.Mode),
		}, c.started))
	}
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

// reserved are canonical forms: lower case, with every separator as a dash.
var reserved = map[string]bool{
	"authorization": true, "x-api-key": true, "upgrade": true, "connection": true, "http2-settings": true, "proxy-authorization": true,
	"forwarded": true, "x-real-ip": true, "x-client-ip": true, "true-client-ip": true, "cf-connecting-ip": true, "x-request-id": true,
	"x-http-method-override": true, "x-http-method": true, "x-method-override": true, "x-original-url": true, "x-rewrite-url": true,
}

func strip(name string) bool {
	canonical := strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(name))
	return reserved[canonical] || strings.HasPrefix(canonical, "tollgate-") || strings.HasPrefix(canonical, "x-tollgate-") ||
		strings.HasPrefix(canonical, "x-consumer-") || strings.HasPrefix(canonical, "x-credential-") || strings.HasPrefix(canonical, "x-forwarded-")
}

// onResponse runs when the upstream's headers are there.
func (g *Gateway) onResponse(resp *http.Response) error {
	c := resp.Request.Context().Value(callKey{}).(*call)
	c.out.status = resp.StatusCode
	c.out.firstByte = g.clock.Real().Sub(c.started)
	g.writeLimits(c, resp.Header)
	resp.Header.Set("X-Request-Id", c.id.String())
	if resp.Body == http.NoBody || resp.ContentLength == 0 || c.r.Method == http.MethodHead {
		c.out.complete = true
		return g.meter(c, false)
	}
	resp.Body = &meteredBody{body: resp.Body, left: resp.ContentLength, done: func() error {
		c.out.complete = true
		return g.meter(c, false)
	}, out: c.out, client: c.r.Context()}
	return nil
}

// onError answers when there is no answer to pass on. A client's own fault is
// not the upstream's.
func (g *Gateway) onError(w http.ResponseWriter, r *http.Request, err error) {
	c := r.Context().Value(callKey{}).(*call)
	e := problem.New("upstream-unreachable", "The API behind this gateway did not answer. The call is not billed; please try again.")
	var netErr net.Error
	switch {
	case c.body.failed.Load():
		e = problem.New("bad-request", "The request's body could not be read to its end: it does not match its declared length or encoding.")
	case c.r.Context().Err() != nil:
		c.out.status, c.out.ours = 499, true // nobody is there to read an answer
		return
	case errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout()):
		e = problem.New("upstream-timeout", "The API behind this gateway took too long to answer. The call is not billed.")
	}
	c.out.status = e.Status()
	c.out.ours = true
	c.out.complete = true
	g.bound(w, lastOfBody)
	w.Header().Set("X-Request-Id", c.id.String())
	g.writeLimits(c, w.Header())
	body := problem.CallBody{Body: e.Body(g.cfg.PortalURL, c.id.String())}
	body.Error = body.Title
	g.logger.Warn("call not answered by the upstream", "request_id", c.id, "api", c.route.API, "code", e.Code, "error", err)
	problem.Write(w, body.Status, body)
}
