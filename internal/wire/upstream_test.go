package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// origin is an upstream whose connections a test holds in its hand.
type origin struct {
	*Upstream
	clock *clockwork
	conns chan net.Conn
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{clock: &clockwork{}, conns: make(chan net.Conn, 4)}
	w := NewWatch(o.clock.now)
	o.Upstream = &Upstream{Watch: w, Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.conns <- c
		}
	}()
	t.Cleanup(func() { _ = l.Close(); o.Close(); w.Close() })
	return o
}

const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// ask sends a request, lets the origin answer with text, and reads the head.
func (o *origin) ask(t *testing.T, l *Link, server net.Conn, text string) {
	t.Helper()
	served := make(chan error, 1)
	go func() {
		_, err := http.ReadRequest(bufio.NewReader(server))
		if err == nil {
			_, err = io.WriteString(server, text)
		}
		served <- err
	}()
	if err := errors.Join(l.Ask([]byte(request), nil, o.clock.now().Add(time.Minute)), <-served); err != nil {
		t.Fatal(err)
	}
}

// dead reports whether l is found to have ended before anything is sent on it.
func (o *origin) dead(l *Link) bool {
	return errors.Is(l.Ask([]byte(request), nil, o.clock.now().Add(time.Minute)), ErrDead)
}

func (o *origin) link(t *testing.T) *Link {
	t.Helper()
	l, err := o.Get(o.clock.now(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func TestAConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	server := <-o.conns
	o.ask(t, l, server, empty)
	l.Put(o.clock.now())
	if again := o.link(t); again != l {
		t.Error("a healthy connection was not used again")
	}
	o.ask(t, l, server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	l.Put(o.clock.now())
	if again := o.link(t); again == l {
		t.Error("a connection that the upstream ends was used again")
	}
}

func TestAnAnswerThatNobodyAskedForEndsAConnection(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	server := <-o.conns
	o.ask(t, l, server, empty+empty)
	l.Put(o.clock.now())
	if again := o.link(t); again == l {
		t.Error("a connection with bytes left over was used again")
	}
}

func TestAClosedConnectionIsNoticedBeforeUse(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]time.Duration{"at once": 0, "after a long rest": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			l := o.link(t)
			server := <-o.conns
			o.ask(t, l, server, empty)
			l.Put(o.clock.now())
			_ = server.Close()
			arrived(l)
			o.clock.add(rest)
			if again := o.link(t); again == l && !o.dead(l) {
				t.Error("a dead connection was used again")
			}
		})
	}
}

func TestBytesThatNobodyAskedForEndARestingConnection(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	server := <-o.conns
	o.ask(t, l, server, empty)
	l.Put(o.clock.now())
	send(t, server, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
	arrived(l)
	if again := o.link(t); again != l || !o.dead(l) {
		t.Error("a connection with a forged answer in it was used again")
	}
}

// arrived waits until what the other side did can be seen.
func arrived(l *Link) {
	for range 1000 {
		if l.left(true) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAConnectionThatDiedInBetweenIsStale(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	server := <-o.conns
	o.ask(t, l, server, empty)
	l.Put(o.clock.now())
	l = o.link(t)
	go func() { // it ends while the request is on its way
		_, _ = http.ReadRequest(bufio.NewReader(server))
		_ = server.Close()
	}()
	if err := l.Ask([]byte(request), nil, o.clock.now().Add(time.Minute)); !errors.Is(err, ErrStale) {
		t.Errorf("got %v", err)
	}
}

func TestWhatFailsOnAFreshConnectionIsNotStale(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	_ = (<-o.conns).Close()
	err := l.Ask([]byte(request), nil, o.clock.now().Add(time.Minute))
	if err == nil || errors.Is(err, ErrStale) {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatDoesNotComeIsLate(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	server := <-o.conns
	defer func() { _ = server.Close() }() // a connection that nobody holds would be reset
	go func() {
		_, _ = http.ReadRequest(bufio.NewReader(server))
		o.clock.add(2 * time.Second)
	}()
	if err := l.Ask([]byte(request), nil, o.clock.now().Add(time.Second)); !errors.Is(err, ErrLate) {
		t.Errorf("got %v", err)
	}
	l.Put(o.clock.now())
	if again := o.link(t); again == l {
		t.Error("a connection that was too late was used again")
	}
}

func TestABodyEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	l := o.link(t)
	server := <-o.conns
	o.ask(t, l, server, "HTTP/1.1 200 OK\r\n\r\nab")
	l.Take(len(l.Buffered()))
	_ = server.Close()
	if err := l.More(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
