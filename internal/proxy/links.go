package proxy

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"tollgate/internal/outbound"
	"tollgate/internal/wire"
)

// links keeps the connections to upstreams' addresses.
type links struct {
	dialer *net.Dialer
	watch  *wire.Watch
	now    func() time.Time

	mu    sync.Mutex
	known atomic.Pointer[map[linkKey]*wire.Upstream]
}

func newLinks(guard *outbound.Guard, watch *wire.Watch, now func() time.Time) *links {
	l := &links{dialer: guard.Dialer(), watch: watch, now: now}
	l.known.Store(&map[linkKey]*wire.Upstream{})
	return l
}

// to is the connections to target's host.
func (l *links) to(target *url.URL) *wire.Upstream {
	if u := (*l.known.Load())[linkKey{target.Scheme, target.Host}]; u != nil {
		return u
	}
	return l.add(target)
}

type linkKey struct{ scheme, host string }

func (l *links) add(target *url.URL) *wire.Upstream {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := linkKey{target.Scheme, target.Host}
	next := maps.Clone(*l.known.Load())
	if next[name] == nil {
		next[name] = &wire.Upstream{Dial: l.dial(target), Watch: l.watch}
	}
	l.known.Store(&next)
	return next[name]
}

func (l *links) dial(target *url.URL) func(context.Context) (net.Conn, error) {
	secure := target.Scheme == "https"
	port := target.Port()
	if port == "" {
		if port = "80"; secure {
			port = "443"
		}
	}
	addr := net.JoinHostPort(target.Hostname(), port)
	config := &tls.Config{ServerName: target.Hostname(), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	return func(ctx context.Context) (net.Conn, error) {
		nc, err := l.dialer.DialContext(ctx, "tcp", addr)
		if err != nil || !secure {
			return nc, err
		}
		c := tls.Client(nc, config)
		if err := c.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return nil, err
		}
		return c, nil
	}
}

// rest closes connections that have not been used for long.
func (l *links) rest() {
	for _, u := range *l.known.Load() {
		u.Rest(l.now())
	}
}
