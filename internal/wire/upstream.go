package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// ErrStale says that a connection that was used before turned out to be dead
// before a byte of the answer came: the upstream had closed it meanwhile, most
// likely without having read the request.
var ErrStale = errors.New("the upstream had closed the connection")

// ErrDead says that a connection had ended while it rested: nothing was sent on it.
var ErrDead = errors.New("the upstream had closed the connection before it was asked")

// ErrLate says that an upstream did not answer within its time.
var ErrLate = errors.New("the upstream took too long")

// Upstream keeps connections to one address.
type Upstream struct {
	Dial  func(context.Context) (net.Conn, error)
	Watch *Watch

	mu   sync.Mutex
	idle []*Link // the last one used is the last
}

// How many connections rest, and for how long.
const (
	maxIdle  = 256
	idleTime = 60 * time.Second
)

// Get takes a connection that rests at now, or makes one within connect. Whether
// one that rests is still good shows when it is asked.
func (u *Upstream) Get(now time.Time, connect time.Duration) (*Link, error) {
	for {
		l := u.pop()
		if l == nil {
			return u.Fresh(connect)
		}
		if now.Sub(l.since) < idleTime {
			l.reused = true
			return l, nil
		}
		l.Discard()
	}
}

func (u *Upstream) pop() *Link {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.idle)
	if n == 0 {
		return nil
	}
	l := u.idle[n-1]
	u.idle = u.idle[:n-1]
	return l
}

// Fresh makes a connection within connect, whatever rests.
func (u *Upstream) Fresh(connect time.Duration) (*Link, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connect)
	defer cancel()
	nc, err := u.Dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &Link{up: u, buf: make([]byte, smallBuffer), plain: true}
	u.Watch.watch(&l.watched, nc)
	if secure, ok := nc.(interface{ NetConn() net.Conn }); ok {
		l.raw, l.plain = rawOf(secure.NetConn()), false
	}
	if l.raw == nil {
		_ = nc.Close()
		return nil, errors.New("not a socket")
	}
	l.step = l.exchange
	return l, nil
}

// Close closes the connections that rest. Those under way close when they are put back.
func (u *Upstream) Close() {
	for l := u.pop(); l != nil; l = u.pop() {
		l.Discard()
	}
}

// Rest closes connections that have rested for too long.
func (u *Upstream) Rest(now time.Time) {
	u.mu.Lock()
	n := 0
	for n < len(u.idle) && now.Sub(u.idle[n].since) > idleTime {
		n++
	}
	old := append([]*Link{}, u.idle[:n]...)
	u.idle = append(u.idle[:0], u.idle[n:]...)
	u.mu.Unlock()
	for _, l := range old {
		l.Discard()
	}
}
