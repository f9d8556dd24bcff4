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

// Until serves until ctx ends, or one server fails, then lets requests that are
// under way finish for at most drain.
func Until(ctx context.Context, drain time.Duration, servers ...Server) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		srv := &http.Server{
			Handler:           s.Handler,
			ReadHeaderTimeout: 5 * time.Second,
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
			if err := srv.Shutdown(limit); err != nil {
				return errors.Join(fmt.Errorf("not all requests finished within %s", drain), srv.Close())
			}
			return nil
		})
	}
	return group.Wait()
}
