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
}

// unusedGrace is how long a connection that has sent nothing may hold up a
// drain. Browsers and HTTP clients open connections ahead of need, and
// [http.Server.Shutdown] alone waits five seconds for each.
const unusedGrace = time.Second

// slowest bounds how long a client may take to send a request or to take an
// answer; a handler may set other deadlines for its own.
const slowest = 3 * time.Minute

// handlersEnd is how long handlers may take to notice that their connections
// were closed at the end of a drain.
const handlersEnd = 5 * time.Second

// Until serves until ctx ends, or one server fails, then lets requests that are
// under way finish for at most drain. No handler runs any more when it returns.
func Until(ctx context.Context, drain time.Duration, servers ...Server) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		var fresh unused
		var running handlers
		srv := &http.Server{
			ConnState:         fresh.track,
			Handler:           running.count(s.Handler),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       slowest,
			WriteTimeout:      slowest,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    32 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // clients' TLS and framing faults
		}
		group.Go(func() error {
			if err := srv.Serve(s.Listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
			defer cancel()
			defer time.AfterFunc(unusedGrace, fresh.close).Stop()
			if err := srv.Shutdown(limit); err != nil {
				err = errors.Join(fmt.Errorf("not all requests finished within %s", drain), srv.Close())
				running.wait(handlersEnd)
				return err
			}
			return nil
		})
	}
	return group.Wait()
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
