package wire

import (
	"net"
	"net/netip"
	"time"
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
	err := x.conn.send(x.Out)
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
