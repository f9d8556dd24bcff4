package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
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

// Serve accepts from l until Stop, which is no error, and closes l.
func (s *Server) Serve(l net.Listener) error {
	s.running.Add(1) // so that a drain knows of the last connection
	defer s.running.Done()
	for pause := time.Duration(0); ; {
		nc, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil && s.draining.Load():
			return s.closeEmpty(l)
		case err != nil: // such as too many open files: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		s.take(nc)
	}
}

func (s *Server) take(nc net.Conn) {
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

// handshake is how long connections that have begun may take to come about
// before a listener closes.
const handshake = 200 * time.Millisecond

// Stop ends Serve, at the beginning of a drain: l takes no new connection from
// now on, and closes once those that have begun are accepted.
func (s *Server) Stop(l net.Listener) error {
	s.draining.Store(true)
	d, ok := l.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return l.Close()
	}
	end := func() error { return d.SetDeadline(time.Unix(1, 0)) } // wakes it: while it waits, l does not close at once
	if quiet(l) {
		time.AfterFunc(handshake, func() { _ = end() }) // fails only once l is closed
		return nil
	}
	return end()
}

// closeEmpty closes l once what the kernel has connected is accepted. Closing
// would reset it, and its client could not tell whether its request was read.
func (s *Server) closeEmpty(l net.Listener) error {
	var waiting []int
	if raw := rawOf(l); raw != nil {
		_ = raw.Control(func(fd uintptr) { waiting = acceptAll(int(fd)) })
	}
	err := l.Close()
	for _, fd := range waiting {
		f := os.NewFile(uintptr(fd), "connection")
		if nc, err := net.FileConn(f); err == nil {
			s.take(nc)
		}
		_ = f.Close()
	}
	return err
}

func acceptAll(listener int) (fds []int) {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
		switch {
		case err == nil:
			fds = append(fds, fd)
		case !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.ECONNABORTED):
			return fds // none is left
		}
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
// ends; then it closes what is left. Stop comes first.
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
