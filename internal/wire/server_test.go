package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clockwork is a clock that tests move ahead of real time.
type clockwork struct{ ahead atomic.Int64 }

func (c *clockwork) now() time.Time      { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clockwork) add(d time.Duration) { c.ahead.Add(int64(d)) }

// echo answers with the method, target and body of a request.
type echo struct{ entered, leave chan struct{} }

func (e *echo) ServeWire(x *Exchange) bool {
	if x.Request.Path == "/declined" {
		return false
	}
	if e.entered != nil {
		e.entered <- struct{}{}
		<-e.leave
	}
	body := fmt.Sprintf("%s %s %s", x.Request.Method, x.Request.Path, x.Body)
	x.Out = fmt.Appendf(x.Out[:0], "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", len(body))
	if !x.Keep {
		x.Out = append(x.Out, "Connection: close\r\n"...)
	}
	x.Out = append(append(x.Out, "\r\n"...), body...)
	return x.Flush() == nil
}

type running struct {
	*Server
	clock *clockwork
	addr  string
	std   chan net.Conn // handed over
	stop  func()        // accepting
}

func serving(t *testing.T, h Handler) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{clock: &clockwork{}, addr: l.Addr().String(), std: make(chan net.Conn, 1)}
	w := NewWatch(r.clock.now)
	r.Server = &Server{Handler: h, Standard: func(c net.Conn) { r.std <- c }, Watch: w, Now: r.clock.now, Head: 5 * time.Second, Idle: time.Minute}
	done := make(chan error, 1)
	r.stop = func() { _ = r.Stop(l) }
	go func() { done <- r.Serve(l) }()
	t.Cleanup(func() {
		r.stop()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.Shutdown(ctx)
		w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *running) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func answerOf(t *testing.T, r *bufio.Reader) (body string, closes bool) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.Close
}

func TestRequestsOnOneConnectionAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	c, r := serving(t, &echo{}).dial(t)
	send(t, c, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []string{"GET /1 ", "POST /2 hello", "GET /3 "} {
		if got, _ := answerOf(t, r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	send(t, c, "POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", 20000))
	if got, _ := answerOf(t, r); len(got) != len("POST /4 ")+20000 {
		t.Errorf("a body larger than the buffer came back with %d bytes", len(got))
	}
}

func TestARequestThatArrivesByteByByteIsRead(t *testing.T) {
	t.Parallel()
	c, r := serving(t, &echo{}).dial(t)
	for _, b := range []byte("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") {
		send(t, c, string(b))
	}
	if got, _ := answerOf(t, r); got != "GET /slow " {
		t.Errorf("got %q", got)
	}
}

func TestAConnectionIsHandedOverWithWhatWasRead(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]string{
		"what is not plain":   "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"what is declined":    "GET /declined HTTP/1.1\r\nHost: a\r\n\r\n",
		"a body that is late": "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, &echo{})
			c, r := s.dial(t)
			send(t, c, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"+second)
			if got, _ := answerOf(t, r); got != "GET /1 " {
				t.Fatalf("got %q", got)
			}
			std := <-s.std
			defer func() { _ = std.Close() }()
			send(t, c, "|")
			got, err := bufio.NewReader(std).ReadString('|')
			if err != nil || got != second+"|" {
				t.Errorf("handed over with %q, %v", got, err)
			}
		})
	}
}

func TestSilenceIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first string
		after time.Duration
	}{
		"from the start":   {"", 6 * time.Second},
		"within a head":    {"GET / HT", 6 * time.Second},
		"between requests": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, &echo{})
			conn, r := s.dial(t)
			send(t, conn, c.first)
			if strings.HasSuffix(c.first, "\r\n\r\n") {
				answerOf(t, r)
			}
			ended := make(chan error, 1)
			go func() { _, err := r.ReadByte(); ended <- err }()
			for { // what was sent may not have been read yet when the clock moves
				s.clock.add(c.after)
				select {
				case err := <-ended:
					if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
						t.Error(err)
					}
					return
				case <-time.After(2 * tick):
				}
			}
		})
	}
}

func TestAnEndThatComesWithTheLastRequestIsNoticed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"one": "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", "and a part of the next": "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := serving(t, &echo{}).dial(t)
			send(t, c, text)
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got, _ := answerOf(t, r); got != "GET /1 " {
				t.Errorf("got %q", got)
			}
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection ends with %v", err)
			}
		})
	}
}

func TestNoConnectionIsResetWhileAListenerCloses(t *testing.T) {
	t.Parallel()
	s := serving(t, &echo{})
	var clients, warm sync.WaitGroup
	for range 4 {
		warm.Add(1)
		begun := sync.OnceFunc(warm.Done)
		clients.Go(func() {
			defer begun() // also after a failure
			for n := 1; ; n++ {
				c, err := net.DialTimeout("tcp", s.addr, 200*time.Millisecond)
				if err != nil {
					return // refused, or not even that
				}
				_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if err == nil {
					_, err = http.ReadResponse(bufio.NewReader(c), nil)
				}
				if err != nil {
					t.Error(err)
				}
				_ = c.Close()
				if n == 10 {
					begun()
				}
			}
		})
	}
	warm.Wait()
	s.stop()
	clients.Wait()
}

func TestADrainLetsCallsUnderWayFinish(t *testing.T) {
	t.Parallel()
	e := &echo{entered: make(chan struct{}), leave: make(chan struct{})}
	s := serving(t, e)
	idle, idleReader := s.dial(t)
	send(t, idle, "GET /idle HTTP/1.1\r\nHost: a\r\n\r\n")
	<-e.entered
	e.leave <- struct{}{}
	answerOf(t, idleReader)
	busy, busyReader := s.dial(t)
	send(t, busy, "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
	<-e.entered
	done := make(chan error, 1)
	s.stop()
	go func() { done <- s.Shutdown(context.Background()) }()
	if _, err := idleReader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection ends with %v", err)
	}
	e.leave <- struct{}{}
	if got, _ := answerOf(t, busyReader); got != "GET /busy " {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
