package wire

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	smallBuffer = 4 << 10
	keptBuffer  = 32 << 10 // larger ones are not kept between requests
)

// conn is a client's connection.
type conn struct {
	watched
	Exchange
	server *Server
	buf    []byte      // what was read and not yet served
	begun  bool        // a part of a request has arrived
	lags   bool        // its head has, and its body is late
	idle   atomic.Bool // between requests: may be closed
	next   next
	fd     int                   // of the socket while it may be used directly; otherwise -1
	step   func(fd uintptr) bool // ready, bound once
}

// next is what becomes of a connection.
type next int

const (
	wait     next = iota // for more to arrive
	end                  // it is closed
	standard             // it is net/http's
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, buf: make([]byte, 0, smallBuffer), fd: -1}
	s.Watch.watch(&c.watched, nc)
	c.conn, c.step, c.Out = c, c.ready, make([]byte, 0, smallBuffer)
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.Client = a.AddrPort()
		c.Client = netip.AddrPortFrom(c.Client.Addr().Unmap(), c.Client.Port())
	}
	c.until(s.Now().Add(s.Head)) // a connection that stays silent from the start gets no longer than a head
	return c
}

// serve answers requests until the connection ends or is net/http's.
func (c *conn) serve() {
	defer c.server.forget(c)
	if c.raw == nil { // no socket
		c.next = standard
	}
	c.idle.Store(true)
	for c.next == wait {
		if c.raw.Read(c.step) != nil {
			c.next = c.interrupted()
		}
	}
	if c.next == standard {
		c.handOver()
		return
	}
	_ = c.Close()
}

// ready reads what has arrived and answers what of it is whole. It reports false
// to wait: as long as it is called from one wait, arrivals that it has not seen
// call it again. So what fell short of filling the buffer was all there was,
// and no system call is needed to find that out. What can be missed is an end
// that came together with the last bytes: the watch looks for it.
func (c *conn) ready(fd uintptr) bool {
	c.fd = int(fd)
	defer func() { c.fd = -1 }()
	for {
		space := c.space()
		n, err := receive(c.fd, space)
		if errors.Is(err, errNothing) {
			return false
		}
		if c.next = end; err != nil {
			return true
		}
		if c.next = c.take(n); c.next != wait {
			return true
		}
		if n < len(space) {
			c.unlooked.Store(true)
			return false
		}
	}
}

// space is where more can be read to.
func (c *conn) space() []byte {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(make([]byte, 0, 2*cap(c.buf)), c.buf...)
	}
	return c.buf[len(c.buf):cap(c.buf)]
}

// take takes n bytes that were read and answers the requests that are whole.
func (c *conn) take(n int) next {
	if !c.idle.CompareAndSwap(true, false) && len(c.buf) == 0 { // crossed with the drain that ends idle connections
		_ = c.SetReadDeadline(time.Time{})
	}
	c.buf = c.buf[:len(c.buf)+n]
	for len(c.buf) > 0 {
		size, v := c.whole()
		switch {
		case v == Partial && !c.late():
			return wait
		case v == Partial:
			return end
		case v == Standard || !c.answer(size):
			return standard
		case !c.Keep || c.late():
			return end
		}
		c.until(c.Arrived.Add(c.server.Idle))
	}
	c.idle.Store(true)
	return wait
}

// interrupted says what follows when a wait ended and nothing had arrived.
func (c *conn) interrupted() next {
	switch {
	case c.late():
		return end
	case c.lags:
		return standard
	case c.idle.Load(): // its end was seen
		return end
	}
	return c.lastLook()
}

// lastLook lets a request through that crossed with the drain's closing of its
// idle connection.
func (c *conn) lastLook() next {
	if len(c.buf) > 0 || c.SetReadDeadline(c.server.Now().Add(2*time.Millisecond)) != nil {
		return end
	}
	n, _ := c.Read(c.space())
	if n == 0 || c.SetReadDeadline(time.Time{}) != nil {
		return end
	}
	return c.take(n)
}

// answer lets the handler answer the request that takes up the first size bytes;
// false leaves it to net/http.
func (c *conn) answer(size int) bool {
	c.begun = false
	c.Keep = !c.Request.Close && !c.server.draining.Load()
	c.Arrived = c.server.Now()
	if !c.server.Handler.ServeWire(&c.Exchange) {
		return false
	}
	rest := c.buf[size:]
	if cap(c.buf) > keptBuffer {
		c.buf = make([]byte, 0, max(smallBuffer, len(rest)))
	}
	c.buf = append(c.buf[:0], rest...)
	if cap(c.Out) > keptBuffer {
		c.Out = make([]byte, 0, smallBuffer)
	}
	return true
}

// whole reads the request at the start of the buffer, and says how long it is
// with its body. Partial means that some of it has yet to arrive.
func (c *conn) whole() (size int, v Verdict) {
	size, v = c.Request.Parse(c.buf)
	switch {
	case v == Partial && len(c.buf) > maxHead:
		return 0, Standard
	case v == Partial:
		c.begin()
		return 0, v
	case v == Standard:
		return 0, v
	}
	head := size
	size += int(c.Request.Length)
	if len(c.buf) < size {
		return 0, c.awaitBody(size)
	}
	c.Body = c.buf[head:size]
	if c.lags {
		c.lags = false
		if c.SetReadDeadline(time.Time{}) != nil {
			return 0, Standard
		}
	}
	return size, Plain
}

// begin bounds the time for the rest of a request.
func (c *conn) begin() {
	if !c.begun {
		c.begun = true
		c.until(c.server.Now().Add(c.server.Head))
	}
}

// promptly is how long a body may lag behind its head. A slower one is net/http's,
// which can refuse the request before its body is there.
const promptly = 100 * time.Millisecond

func (c *conn) awaitBody(size int) Verdict {
	if cap(c.buf) < size {
		c.buf = append(make([]byte, 0, size), c.buf...)
	}
	if !c.lags {
		c.lags = true
		_ = c.SetReadDeadline(c.server.Now().Add(promptly))
	}
	return Partial
}

// send writes p whole.
func (c *conn) send(p []byte) error {
	if c.fd < 0 {
		_, err := c.Write(p)
		return err
	}
	return transmit(c.fd, c.Conn, p)
}

// handOver gives the connection and what was read of it to net/http.
func (c *conn) handOver() {
	if !c.until(time.Time{}) {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	c.server.Standard(&replayed{Conn: c.Conn, head: c.buf})
}

// replayed is a connection whose first bytes have been read already.
type replayed struct {
	net.Conn
	head []byte
}

// Read implements net.Conn.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}
