package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
	"tollgate/internal/snapshot"
)

// sockets are the calls that became WebSocket connections. They are closed when
// their key ends.
type sockets struct {
	mu   sync.Mutex
	open map[*call]socket
	shut bool // none stays open any more
}

type socket struct {
	hash   token.Hash
	app    uuid.UUID
	route  uuid.UUID
	cancel context.CancelFunc
}

// socketBody is the upstream's side of a connection. It counts what passes.
type socketBody struct {
	io.ReadWriteCloser
	in, out atomic.Uint64 // from the client, and to it
}

// Read implements io.Reader.
func (b *socketBody) Read(p []byte) (int, error) {
	n, err := b.ReadWriteCloser.Read(p)
	b.out.Add(uint64(n))
	return n, err
}

// Write implements io.Writer. It counts first: an answer to p may end the
// connection before the call returns.
func (b *socketBody) Write(p []byte) (int, error) {
	b.in.Add(uint64(len(p)))
	n, err := b.ReadWriteCloser.Write(p)
	b.in.Add(-uint64(len(p) - n))
	return n, err
}

// CloseWrite tells the upstream that the client has sent all.
func (b *socketBody) CloseWrite() error {
	if half, ok := b.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return http.ErrNotSupported
}

var errSwitch = errors.New("the upstream switched to a protocol that nobody asked for")

// openSocket lets a call become a connection. It is recorded when that ends, with
// the bytes that passed.
func (g *Gateway) openSocket(c *call, resp *http.Response) error {
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || c.r.upgrade == "" || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		return errSwitch
	}
	c.std.socket = &socketBody{ReadWriteCloser: conn}
	resp.Body = c.std.socket
	c.std.late.Stop() // a socket may be silent for as long as it likes
	c.out.complete = true
	g.addSocket(c)
	return nil
}

// addSocket closes the connection at once if its key has ended meanwhile.
func (g *Gateway) addSocket(c *call) {
	k := socket{route: c.route.ID, cancel: c.std.cancel}
	if c.key != nil {
		k.hash, k.app = c.key.Hash, c.key.Application
	}
	s := &g.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*call]socket{}
	}
	s.open[c] = k
	if s.shut || !k.lives(g.Views.View(), g.Clock.Now()) {
		k.cancel()
	}
}

func (s *sockets) remove(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// CloseEnded closes the connections of keys that were revoked or have expired,
// and of subscriptions that have ended. Call it with each new view, and now and
// then.
func (g *Gateway) CloseEnded(v *snapshot.View) {
	now := g.Clock.Now()
	g.sockets.mu.Lock()
	defer g.sockets.mu.Unlock()
	for _, s := range g.sockets.open {
		if !s.lives(v, now) {
			s.cancel()
		}
	}
}

// CloseSockets closes all of them, and those that open later: none would end
// by itself. Call it when a drain begins.
func (g *Gateway) CloseSockets() {
	g.sockets.mu.Lock()
	defer g.sockets.mu.Unlock()
	g.sockets.shut = true
	for _, s := range g.sockets.open {
		s.cancel()
	}
}

func (s socket) lives(v *snapshot.View, now time.Time) bool {
	if s.hash == (token.Hash{}) {
		return v.Anonymous(s.route) != nil
	}
	key := v.Lookup(s.hash)
	return key != nil && !key.Expired(now) && v.Hold(s.app, s.route) != nil
}
