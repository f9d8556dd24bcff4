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

// unusedGrace is how long a connection that has sent nothing may hold up a
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
	fresh unused
}

func newStandard(h http.Handler) *standard {
	s := &standard{}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // with prior knowledge alone: no Upgrade
	s.Server = &http.Server{
		ConnState:         s.fresh.track,
		Handler:           h,
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
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *standard) drain(limit context.Context) error {
	defer time.AfterFunc(unusedGrace, s.fresh.close).Stop()
	return s.Shutdown(limit)
}

// unused keeps the connections on which nothing has arrived yet.
type unused struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func (u *unused) track(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.conns, c)
		return
	}
	if u.conns == nil {
		u.conns = map[net.Conn]struct{}{}
	}
	u.conns[c] = struct{}{}
}

func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close()
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
