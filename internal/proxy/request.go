package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tollgate/internal/wire"
)

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

// readStandard reads what net/http has parsed.
func (g *Gateway) readStandard(r *http.Request) request {
	out := request{method: r.Method, host: r.Host, path: r.URL.EscapedPath(), query: r.URL.RawQuery}
	if r.URL.Opaque != "" {
		out.path = r.URL.Opaque
	}
	for _, v := range r.Header["Authorization"] {
		out.keys.addBearer(v)
	}
	for _, v := range r.Header["X-Api-Key"] {
		out.keys.add(v)
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	out.client = g.client(peer.Addr().Unmap(), strings.Join(r.Header["X-Forwarded-For"], ","))
	return out
}

// readWire reads what wire has parsed, into c, which is kept by nobody.
func (g *Gateway) readWire(x *wire.Exchange) request {
	out := request{method: x.Request.Method, host: x.Request.Host, path: x.Request.Path, query: x.Request.Query, client: x.Client.Addr()}
	trust := len(g.cfg.TrustedProxies) > 0
	hops := ""
	for i := range x.Request.Headers {
		switch h := &x.Request.Headers[i]; len(h.Name) {
		case len("authorization"):
			if wire.Is(h.Name, "authorization") {
				out.keys.addBearer(h.Value)
			}
		case len("x-api-key"):
			if wire.Is(h.Name, "x-api-key") {
				out.keys.add(h.Value)
			}
		case len("x-forwarded-for"):
			if trust && wire.Is(h.Name, "x-forwarded-for") {
				hops += "," + h.Value
			}
		}
	}
	if trust {
		out.client = g.client(out.client, hops)
	}
	return out
}

// client is who called: the peer, or, as long as that is a trusted proxy, whom
// it forwarded for. Addresses left of the first untrusted one are hearsay.
func (g *Gateway) client(peer netip.Addr, forwardedFor string) netip.Addr {
	hops := strings.Split(forwardedFor, ",")
	for _, hop := range slices.Backward(hops) {
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
	return slices.ContainsFunc(g.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
