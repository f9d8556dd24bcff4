package wire

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tick is how finely deadlines are kept. Setting one is a store in memory: a
// timer per read would cost more than reading.
const tick = 100 * time.Millisecond

// Watch breaks connections whose deadline has passed.
type Watch struct {
	Now func() time.Time // real time with a monotonic reading: a clock that is set breaks nothing

	base  time.Time // deadlines are kept as nanoseconds since
	mu    sync.Mutex
	conns map[*watched]struct{}
	stop  chan struct{}
	ended sync.WaitGroup
}

// watched is a connection with a deadline.
type watched struct {
	net.Conn
	raw      syscall.RawConn // nil: not a socket
	watch    *Watch
	deadline atomic.Int64            // 0: none, broken: passed
	behind   atomic.Pointer[watched] // of a client's: the upstream's that it waits for
	gone     atomic.Bool             // of a client's: it left while it waited
	unlooked atomic.Bool             // of a client's: whether it has ended is not known since it began to wait
}

const broken = -1

// looks is how many ticks lie between two looks for clients that have left.
const looks = 5

// NewWatch starts a watch that goes by clock, which is real time. Close ends it.
func NewWatch(clock func() time.Time) *Watch {
	w := &Watch{conns: map[*watched]struct{}{}, Now: clock, base: clock(), stop: make(chan struct{})}
	w.ended.Go(w.run)
	return w
}

// Close ends the watch: nothing is broken any more.
func (w *Watch) Close() {
	close(w.stop)
	w.ended.Wait()
}

func (w *Watch) run() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-w.stop:
			return
		case <-t.C:
			w.sweep(w.since(w.Now()), n%looks == 0)
		}
	}
}

// since is a moment as nanoseconds since the base, never 0.
func (w *Watch) since(at time.Time) int64 { return max(int64(at.Sub(w.base)), 1) }

// sweep breaks what is late. Now and then it also looks for clients that have
// left: nobody needs the answers that they waited for.
func (w *Watch) sweep(now int64, look bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if d := c.deadline.Load(); d > 0 && d < now && c.deadline.CompareAndSwap(d, broken) {
			_ = c.SetDeadline(time.Unix(1, 0)) // wakes who reads or writes
		}
		if up := c.behind.Load(); look && up != nil && c.left(false) && c.behind.CompareAndSwap(up, nil) {
			c.gone.Store(true)
			up.deadline.Store(broken)
			_ = up.SetDeadline(time.Unix(1, 0))
		}
		if c.unlooked.Load() && c.unlooked.CompareAndSwap(true, false) && c.left(false) {
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}
	}
}

// watch begins to watch nc. Its deadline may be set from then on.
func (w *Watch) watch(c *watched, nc net.Conn) {
	c.Conn, c.watch, c.raw = nc, w, rawOf(nc)
	w.mu.Lock()
	w.conns[c] = struct{}{}
	w.mu.Unlock()
}

func (w *Watch) remove(c *watched) {
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
}

// until sets the deadline; the zero time is none. It reports false once the
// connection was broken.
func (c *watched) until(at time.Time) bool {
	d := int64(0)
	if !at.IsZero() {
		d = c.watch.since(at)
	}
	for {
		old := c.deadline.Load()
		if old == broken {
			return false
		}
		if c.deadline.CompareAndSwap(old, d) {
			return true
		}
	}
}

// late reports whether the deadline passed.
func (c *watched) late() bool { return c.deadline.Load() == broken }

// left reports whether the other side has ended the connection, or, if silence
// is due, has sent anything.
func (c *watched) left(silent bool) bool {
	if c.raw == nil {
		return false
	}
	gone := false
	err := c.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = (n <= 0 || silent) && !errors.Is(err, syscall.EAGAIN)
	})
	return gone || err != nil
}
