package proxy

import (
	"context"
	"sync"
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
}

type socket struct {
	hash   token.Hash
	app    uuid.UUID
	route  uuid.UUID
	cancel context.CancelFunc
}

func (s *sockets) add(c *call, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*call]socket{}
	}
	k := socket{route: c.route.ID, cancel: cancel}
	if c.key != nil {
		k.hash, k.app = c.key.Hash, c.key.Application
	}
	s.open[c] = k
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

func (s socket) lives(v *snapshot.View, now time.Time) bool {
	if s.hash == (token.Hash{}) {
		return v.Anonymous(s.route) != nil
	}
	key := v.Lookup(s.hash)
	return key != nil && !key.Expired(now) && v.Hold(s.app, s.route) != nil
}
