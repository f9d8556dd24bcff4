package serve_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/app/serve"
)

// start serves handler. It returns the address, a stop that begins the drain, and Until's result.
func start(t *testing.T, drain time.Duration, handler http.Handler) (addr string, stop func(), done <-chan error) {
	t.Helper()
	return startServer(t, drain, serve.Server{Handler: handler})
}

func startServer(t *testing.T, drain time.Duration, s serve.Server) (addr string, stop func(), done <-chan error) {
	t.Helper()
	l, err := serve.Listen("127.0.0.1:0", "LISTEN")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	result := make(chan error, 1)
	s.Listener = l
	go func() { result <- serve.Until(ctx, drain, s) }()
	return l.Addr().String(), cancel, result
}

func TestAConnectionThatWasNeverUsedDoesNotHoldUpTheDrain(t *testing.T) {
	t.Parallel()
	const drain = 4 * time.Second // net/http alone waits five for such a connection
	addr, stop, done := start(t, drain, http.NotFoundHandler())
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// connections are accepted in order: once this is answered, conn is known
	resp, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	stop()
	if err := <-done; err != nil {
		t.Errorf("drained with %v", err)
	}
}

func TestARequestUnderWayIsAnsweredBeforeTheEnd(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	addr, stop, done := start(t, 30*time.Second, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "whole")
	}))
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + addr)
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answered <- string(body)
	}()
	<-entered
	stop()
	select {
	case err := <-done:
		t.Errorf("ended with a request under way: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	close(release)
	if got := <-answered; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestARequestThatOutlastsTheDrainIsNamed(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	var ended atomic.Bool
	addr, stop, done := start(t, time.Millisecond, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // its connection is closed
		ended.Store(true)
	}))
	go func() {
		if resp, err := http.Get("http://" + addr); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	stop()
	if err := <-done; err == nil {
		t.Error("a drain that cut a request off ended without an error")
	}
	if !ended.Load() {
		t.Error("a handler still runs after the end")
	}
}

func TestADrainBreaksNoRequestOfAClientThatKeepsConnectionsAlive(t *testing.T) {
	t.Parallel()
	addr, stop, done := start(t, 30*time.Second, http.NotFoundHandler())
	var ended, warm sync.WaitGroup
	for range 8 {
		warm.Add(1)
		begun := sync.OnceFunc(warm.Done)
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		ended.Go(func() {
			defer begun() // also after a failure
			defer func() { _ = conn.Close() }()
			for n, r := 1, bufio.NewReader(conn); ; n++ {
				_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				var resp *http.Response
				if err == nil {
					resp, err = http.ReadResponse(r, nil)
				}
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
				}
				if err != nil {
					t.Error(err)
				}
				if n == 10 {
					begun()
				}
				if err != nil || resp.Close {
					return
				}
			}
		})
	}
	warm.Wait()
	stop()
	ended.Wait()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// net/http forgets connections that handlers take over: a drain ends them by
// other means, and waits for their handlers.
func TestAConnectionThatAHandlerTookOverEndsWithTheDrain(t *testing.T) {
	t.Parallel()
	entered, over, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	addr, stop, done := startServer(t, 30*time.Second, serve.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			close(entered)
			<-over
			_ = conn.Close()
			<-finish // what it has to do at its end
		}),
		Drain: func() { close(over) },
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	stop()
	<-over
	select {
	case err := <-done:
		t.Errorf("a handler still runs after the end: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
