package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Handler answers plain requests.
type Handler interface {
	// ServeWire answers x. It may return false instead, before it has written or
	// kept anything: then net/http serves the request.
	ServeWire(x *Exchange) bool
}

// Server accepts connections and serves what is plain on them.
type Server struct {
	Handler  Handler
	Standard func(net.Conn) // takes connections over, with what was read of them
	Watch    *Watch
	Now      func() time.Time // real time
	Head     time.Duration    // for a request's head and body to arrive, once begun
	Idle     time.Duration    // for the next request to begin
	Linger   time.Duration    // when draining: for requests that are on their way

	draining atomic.Bool
	mu       sync.Mutex
	conns    map[*conn]struct{}
	running  sync.WaitGroup
}

// Serve accepts from l until it is closed, which is no error.
func (s *Server) Serve(l net.Listener) error {
	for pause := time.Duration(0); ; {
		nc, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // such as too many open files: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		c := newConn(s, nc)
		s.mu.Lock()
		if s.conns == nil {
			s.conns = map[*conn]struct{}{}
		}
		s.conns[c] = struct{}{}
		s.running.Add(1)
		s.mu.Unlock()
		go c.serve()
	}
}

// forget ends the server's interest in c.
func (s *Server) forget(c *conn) {
	s.Watch.remove(&c.watched)
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.running.Done()
}

// Shutdown lets requests that are under way, or on their way, finish until ctx
// ends; then it closes what is left. The listener is the caller's to close first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	linger := time.NewTimer(s.Linger)
	defer linger.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-linger.C:
			s.closeIdle()
			linger.Reset(tick)
		case <-ctx.Done():
			s.closeAll()
			<-done
			return ctx.Err()
		}
	}
}

func (s *Server) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.idle.CompareAndSwap(true, false) {
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}
	}
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}
