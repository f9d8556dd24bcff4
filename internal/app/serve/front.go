package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"tollgate/internal/wire"
)

// front is what accepts a server's connections.
type front interface {
	serve() error
	shutdown(limit context.Context) error
}

func frontOf(s Server, std *standard) front {
	if s.Plain == nil {
		return &direct{std, &closer{Listener: s.Listener}}
	}
	h := &handover{conns: make(chan net.Conn), closed: make(chan struct{}), addr: s.Listener.Addr(), next: &std.conns}
	return &lean{std: std, listener: s.Listener, handover: h, wire: &wire.Server{
		Handler: s.Plain, Standard: h.give, Watch: s.Watch, Now: s.Watch.Now, Head: headTime, Idle: idleTime, Linger: unusedGrace,
	}}
}

// direct lets net/http accept.
type direct struct {
	std      *standard
	listener net.Listener
}

func (d *direct) serve() error { return d.std.serveOn(d.listener) }

func (d *direct) shutdown(limit context.Context) error {
	d.std.begin()
	_ = d.listener.Close()
	return d.std.drain(limit)
}

// closer is a listener that a drain and net/http may both close.
type closer struct {
	net.Listener
	once sync.Once
	err  error
}

// Close implements net.Listener.
func (c *closer) Close() error {
	c.once.Do(func() { c.err = c.Listener.Close() })
	return c.err
}

// lean lets wire accept; net/http gets the connections that are handed over.
type lean struct {
	wire     *wire.Server
	std      *standard
	listener net.Listener
	handover *handover
}

func (l *lean) serve() error {
	var both errgroup.Group
	both.Go(func() error { return l.wire.Serve(l.listener) })
	both.Go(func() error { return l.std.serveOn(l.handover) })
	return both.Wait()
}

// shutdown drains wire first, because it may still hand connections over.
func (l *lean) shutdown(limit context.Context) error {
	l.std.begin()
	_ = l.wire.Stop(l.listener)
	return errors.Join(l.wire.Shutdown(limit), l.std.drain(limit))
}

// handover is a listener whose connections come from wire.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
	next   *connections // of whom they are handed to
}

// give hands a connection over; when nobody takes it any more, it is closed.
func (h *handover) give(c net.Conn) {
	h.next.expect(c) // a drain must know of it from now on
	select {
	case h.conns <- c:
	case <-h.closed:
		h.next.track(c, http.StateClosed)
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, http.ErrServerClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.addr }
