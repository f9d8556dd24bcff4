package wire

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	smallBuffer = 4 << 10
	keptBuffer  = 32 << 10 // larger ones are not kept between requests
)

// Exchange is one plain request and its answer. It is good until ServeWire returns.
type Exchange struct {
	Request Request
	Body    []byte         // all of it
	Client  netip.AddrPort // who connected
	Arrived time.Time      // real time at which the request had arrived whole
	Out     []byte         // bytes of the answer that Flush sends
	Keep    bool           // whether the connection goes on afterwards; the answer's head says so

	conn *conn
}

// Until bounds the rest of the exchange: once at has passed, the client's
// connection breaks.
func (x *Exchange) Until(at time.Time) { x.conn.until(at) }

// Await says that the client waits for l's answer from now on. If it leaves
// meanwhile, l breaks.
func (x *Exchange) Await(l *Link) { x.conn.behind.Store(&l.watched) }

// Got ends Await. It reports false if the client has left: then the link is, or
// is about to be, broken.
func (x *Exchange) Got() bool { return x.conn.behind.Swap(nil) != nil }

// Gone reports whether the client left while it waited.
func (x *Exchange) Gone() bool { return x.conn.gone.Load() }

// Flush sends Out and empties it.
func (x *Exchange) Flush() error {
	_, err := x.conn.Write(x.Out)
	x.Out = x.Out[:0]
	return err
}

// FlushWith sends Out and then p, and empties Out.
func (x *Exchange) FlushWith(p []byte) error {
	buffers := net.Buffers{x.Out, p}
	_, err := buffers.WriteTo(x.conn.Conn)
	x.Out = x.Out[:0]
	return err
}

// conn is a client's connection.
type conn struct {
	watched
	Exchange
	server *Server
	idle   atomic.Bool // between requests: may be closed
	buf    []byte      // what was read and not yet served
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, buf: make([]byte, 0, smallBuffer)}
	s.Watch.watch(&c.watched, nc)
	c.conn, c.Out = c, make([]byte, 0, smallBuffer)
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.Client = a.AddrPort()
		c.Client = netip.AddrPortFrom(c.Client.Addr().Unmap(), c.Client.Port())
	}
	c.until(s.Now().Add(s.Head)) // a connection that stays silent from the start gets no longer than a head
	return c
}

func (c *conn) serve() {
	defer c.server.forget(c)
	for {
		size, v := c.readHead()
		if v == Plain {
			size, v = c.readBody(size)
		}
		if v == Partial { // gone, late, or drained
			_ = c.Close()
			return
		}
		if v == Standard || !c.answer(size) {
			c.handOver()
			return
		}
		if !c.Keep || c.late() {
			_ = c.Close()
			return
		}
		c.until(c.Arrived.Add(c.server.Idle))
	}
}

// answer lets the handler answer the request that takes up the first size bytes;
// false leaves it to net/http.
func (c *conn) answer(size int) bool {
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

// readHead reads until there is a whole head. Partial means that there will be none.
func (c *conn) readHead() (size int, v Verdict) {
	begun := false
	for {
		if len(c.buf) > 0 {
			if size, v = c.Request.Parse(c.buf); v != Partial {
				return size, v
			}
			if len(c.buf) > maxHead {
				return 0, Standard
			}
			if !begun {
				begun = true
				c.until(c.server.Now().Add(c.server.Head))
			}
		}
		if !c.fill() {
			return 0, Partial
		}
	}
}

// readBody reads the body behind a head of size bytes. It returns the size of both.
func (c *conn) readBody(size int) (int, Verdict) {
	whole := size + int(c.Request.Length)
	if cap(c.buf) < whole { // the head's strings must move along
		c.buf = append(make([]byte, 0, whole), c.buf...)
		if _, v := c.Request.Parse(c.buf); v != Plain {
			return 0, v
		}
	}
	if len(c.buf) < whole {
		if v := c.awaitBody(whole); v != Plain {
			return 0, v
		}
	}
	c.Body = c.buf[size:whole]
	return whole, Plain
}

// promptly is how long a body may lag behind its head. A slower one is net/http's,
// which can refuse the request before its body is there.
const promptly = 100 * time.Millisecond

func (c *conn) awaitBody(whole int) Verdict {
	_ = c.SetReadDeadline(c.server.Now().Add(promptly))
	for len(c.buf) < whole {
		n, err := c.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if err != nil {
			return Standard
		}
	}
	if c.SetReadDeadline(time.Time{}) != nil {
		return Partial
	}
	return Plain
}

// fill reads more; false once nothing will come.
func (c *conn) fill() bool {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(make([]byte, 0, 2*cap(c.buf)), c.buf...)
	}
	waiting := len(c.buf) == 0
	if waiting {
		c.idle.Store(true)
	}
	n, err := c.Read(c.buf[len(c.buf):cap(c.buf)])
	if waiting && !c.idle.CompareAndSwap(true, false) {
		n, err = c.lastLook(n)
	}
	c.buf = c.buf[:len(c.buf)+n]
	return n > 0 && err == nil
}

// lastLook lets a request through that crossed with the drain's closing of its
// idle connection.
func (c *conn) lastLook(n int) (int, error) {
	if n == 0 {
		_ = c.SetReadDeadline(c.server.Now().Add(2 * time.Millisecond))
		n, _ = c.Read(c.buf[len(c.buf):cap(c.buf)])
	}
	if n == 0 {
		return 0, net.ErrClosed
	}
	return n, c.SetReadDeadline(time.Time{})
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
