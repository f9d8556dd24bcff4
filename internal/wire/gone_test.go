package wire

import (
	"errors"
	"testing"
	"time"
)

// waits answers once its upstream has, and tells how that went.
type waits struct {
	origin *origin
	ended  chan error
}

func (w *waits) ServeWire(x *Exchange) bool {
	l, err := w.origin.Get(w.origin.clock.now(), time.Minute)
	if err == nil {
		x.Await(l)
		err = l.Ask([]byte(request), nil, w.origin.clock.now().Add(time.Hour))
		if !x.Got() && err == nil {
			err = errors.New("the client was not missed")
		}
	}
	x.Keep = false
	w.ended <- err
	return true
}

func TestNobodyWaitsForAnAnswerWhoseClientHasLeft(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	h := &waits{origin: o, ended: make(chan error, 1)}
	s := serving(t, h)
	o.Watch = s.Watch // one watch for both sides
	c, _ := s.dial(t)
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	server := <-o.conns
	defer func() { _ = server.Close() }()
	_ = c.Close()
	if err := <-h.ended; !errors.Is(err, ErrLate) {
		t.Errorf("the wait ended with %v", err)
	}
}
