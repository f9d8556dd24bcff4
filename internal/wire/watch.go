package wire

import (
	"net"
	"sync"
	"sync/atomic"
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
	watch    *Watch
	deadline atomic.Int64 // 0: none, broken: passed
}

const broken = -1

// NewWatch starts a watch that goes by now, which is real time. Close ends it.
func NewWatch(now func() time.Time) *Watch {
	w := &Watch{conns: map[*watched]struct{}{}, Now: now, base: now(), stop: make(chan struct{})}
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
	for {
		select {
		case <-w.stop:
			return
		case <-t.C:
			w.sweep(w.since(w.Now()))
		}
	}
}

// since is a moment as nanoseconds since the base, never 0.
func (w *Watch) since(at time.Time) int64 { return max(int64(at.Sub(w.base)), 1) }

func (w *Watch) sweep(now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if d := c.deadline.Load(); d > 0 && d < now && c.deadline.CompareAndSwap(d, broken) {
			_ = c.SetDeadline(time.Unix(1, 0)) // wakes who reads or writes
		}
	}
}

// watch begins to watch nc. Its deadline may be set from then on.
func (w *Watch) watch(c *watched, nc net.Conn) {
	c.Conn, c.watch = nc, w
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
