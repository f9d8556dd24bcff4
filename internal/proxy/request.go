package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tollgate/internal/wire"
)

// Own reports whether a path is the gateway's own page and no API's.
func Own(path string) bool {
	return path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/-/")
}

// presented are the keys that a request carries: one, or that they differ.
type presented struct {
	key     string
	differs bool
}

func (p *presented) add(key string) {
	switch {
	case key == "":
	case p.key == "":
		p.key = key
	case p.key != key:
		p.differs = true
	}
}

// addBearer adds the key of an Authorization header, if it holds one.
func (p *presented) addBearer(value string) {
	scheme, key, _ := strings.Cut(value, " ")
	if strings.EqualFold(scheme, "Bearer") {
		p.add(strings.TrimSpace(key))
	}
}

// take reads a header that the pipeline goes by.
func (r *request) take(name, value string) {
	switch len(name) {
	case len("origin"):
		if wire.Is(name, "origin") {
			r.origin = value
		}
	case len("x-api-key"):
		if wire.Is(name, "x-api-key") {
			r.keys.add(value)
		}
	case len("tracestate"):
		if wire.Is(name, "tracestate") {
			r.state = value
		}
	case len("traceparent"):
		if wire.Is(name, "traceparent") {
			r.parent = value
		}
	case len("authorization"):
		if wire.Is(name, "authorization") {
			r.keys.addBearer(value)
		}
	case len("access-control-request-method"):
		if wire.Is(name, "access-control-request-method") {
			r.wants = value
		}
	}
}

// readStandard reads what net/http has parsed.
func (g *Gateway) readStandard(c *call, r *http.Request) {
	c.r = request{method: r.Method, host: r.Host, path: r.URL.EscapedPath(), query: r.URL.RawQuery, length: r.ContentLength}
	if r.URL.Opaque != "" {
		c.r.path = r.URL.Opaque
	}
	for _, name := range [...]string{"Origin", "X-Api-Key", "Authorization", "Access-Control-Request-Method", "Traceparent", "Tracestate"} {
		for _, v := range r.Header[name] {
			c.r.take(name, v)
		}
	}
	c.r.upgrade = strings.Join(r.Header["Upgrade"], ", ")
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	c.r.client = peer.Addr().Unmap()
	if g.trusts(c.r.client) {
		c.r.client = g.client(c.r.client, strings.Join(r.Header["X-Forwarded-For"], ","))
	}
}

// readWire reads what wire has parsed. Its strings are good until the call ends.
func (g *Gateway) readWire(c *call, x *wire.Exchange) {
	c.r = request{method: x.Request.Method, host: x.Request.Host, path: x.Request.Path, query: x.Request.Query, length: x.Request.Length, client: x.Client.Addr()}
	for i := range x.Request.Headers {
		c.r.take(x.Request.Headers[i].Name, x.Request.Headers[i].Value)
	}
	if g.trusts(c.r.client) {
		var hops []string
		for _, h := range x.Request.Headers {
			if wire.Is(h.Name, "x-forwarded-for") {
				hops = append(hops, h.Value)
			}
		}
		c.r.client = g.client(c.r.client, strings.Join(hops, ","))
	}
}

// client is who called: the peer, or, as long as that is a trusted proxy, whom
// it forwarded for. Addresses left of the first untrusted one are hearsay.
func (g *Gateway) client(peer netip.Addr, forwardedFor string) netip.Addr {
	for _, hop := range slices.Backward(strings.Split(forwardedFor, ",")) {
		if !g.trusts(peer) {
			return peer
		}
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return peer
		}
		peer = addr.Unmap()
	}
	return peer
}

func (g *Gateway) trusts(a netip.Addr) bool {
	for _, p := range g.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
