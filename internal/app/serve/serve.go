// Package serve listens, serves HTTP with the limits that every listener needs,
// and drains.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tollgate/internal/wire"
)

// Listen opens addr, or says which setting to change.
func Listen(addr, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w. Stop what uses it, or choose another address with %s", addr, err, setting)
	}
	return l, nil
}

// Server is a handler on an open listener.
type Server struct {
	Listener net.Listener
	Handler  http.Handler

	// Plain, if there is one, is asked first: what it takes is served without
	// net/http. Watch bounds its connections.
	Plain wire.Handler
	Watch *wire.Watch

	// Drain, if there is one, is called when a drain begins. It ends what neither
	// server waits for: connections that handlers have taken over.
	Drain func()
}

// unusedGrace is how long a connection that rests or has sent nothing may hold up a
// drain. Browsers and HTTP clients open connections ahead of need, and
// [http.Server.Shutdown] alone waits five seconds for each.
const unusedGrace = time.Second

// slowest bounds how long a client may take to send a request or to take an
// answer; a handler may set other deadlines for its own.
const slowest = 3 * time.Minute

// handlersEnd is how long handlers may take to notice that their connections
// were closed by a drain.
const handlersEnd = 5 * time.Second

// headTime is how long a client may take to send a request's head.
const headTime = 5 * time.Second

// idleTime is how long a connection may rest between requests.
const idleTime = 2 * time.Minute

// Until serves until ctx ends, or one server fails, then lets requests that are
// under way finish for at most drain. No handler runs any more when it returns.
func Until(ctx context.Context, drain time.Duration, servers ...Server) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		var running handlers
		std := newStandard(running.count(s.Handler))
		front := frontOf(s, std)
		group.Go(front.serve)
		group.Go(func() error {
			<-ctx.Done()
			if s.Drain != nil {
				s.Drain()
			}
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
			defer cancel()
			err := front.shutdown(limit)
			if err != nil {
				err = errors.Join(fmt.Errorf("not all requests finished within %s", drain), std.Close())
			}
			running.wait(handlersEnd)
			return err
		})
	}
	return group.Wait()
}

// standard is net/http's server, with the limits that every listener needs.
type standard struct {
	*http.Server
	conns    connections
	draining atomic.Bool
	started  sync.Once        // draining
	over     <-chan time.Time // the grace
}

func newStandard(h http.Handler) *standard {
	s := &standard{}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // with prior knowledge alone: no Upgrade
	s.Server = &http.Server{
		ConnState:         s.conns.track,
		Handler:           s.closing(h),
		Protocols:         protocols,
		ReadHeaderTimeout: headTime,
		ReadTimeout:       slowest,
		WriteTimeout:      slowest,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients' TLS and framing faults
	}
	return s
}

func (s *standard) serveOn(l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) && !s.draining.Load() {
		return err
	}
	return nil
}

// closing lets each answer end its connection once a drain has begun.
func (s *standard) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// begin begins a drain.
func (s *standard) begin() {
	s.started.Do(func() {
		s.over = time.After(unusedGrace)
		s.draining.Store(true)
	})
}

// drain lets requests finish. For as long as the grace, clients may still send
// one on each connection that rests, and learn from its answer that it was the
// last: a request that crosses with the end of its connection is lost.
func (s *standard) drain(limit context.Context) error {
	s.begin()
	s.conns.gone(limit, s.over)
	s.conns.closeFresh()
	err := s.Shutdown(limit)
	s.conns.gone(limit, nil) // Shutdown does not know of one that was accepted a moment ago
	return err
}

// connections are those that are open, and whether nothing has arrived on them yet.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	switch state {
	case http.StateNew:
		if _, expected := c.open[conn]; !expected {
			c.open[conn] = true
		}
	case http.StateActive, http.StateIdle:
		c.open[conn] = false
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

// expect notes a connection that is about to be accepted with a request on it.
func (c *connections) expect(conn net.Conn) { c.track(conn, http.StateActive) }

// gone waits until no connection is open, or until limit ends or over comes.
func (c *connections) gone(limit context.Context, over <-chan time.Time) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.some() {
		select {
		case <-over:
			return
		case <-limit.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *connections) some() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open) > 0
}

// closeFresh closes connections on which nothing has arrived: net/http would
// wait for them for five seconds.
func (c *connections) closeFresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, fresh := range c.open {
		if fresh {
			_ = conn.Close()
		}
	}
}

// handlers counts the handlers that run.
type handlers struct{ n atomic.Int64 }

func (h *handlers) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.n.Add(1)
		defer h.n.Add(-1)
		next.ServeHTTP(w, r)
	})
}

// wait returns when no handler runs, or after limit.
func (h *handlers) wait(limit time.Duration) {
	over := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for h.n.Load() > 0 {
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}
