package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/keys/token"
)

// descriptors counts the open ones of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Not parallel: it counts what the whole process holds.
func TestCallsThatAreGivenUpLeaveNothingBehind(t *testing.T) {
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), called(once))
	key := b.goodKey()
	release := make(chan struct{})
	up.on("/things/slow", func(conn net.Conn, _ captured) bool {
		<-release
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return err == nil
	})
	giveUp := func(n int) {
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := range n / 4 {
					conn, err := net.Dial("tcp", b.cfg.Listen)
					if err != nil {
						t.Error(err)
						return
					}
					head := "Host: x\r\nX-API-Key: " + key + "\r\n"
					switch (i + worker) % 5 {
					case 0: // in the middle of the head
						_, _ = io.WriteString(conn, "GET /shop/things HTTP/1.1\r\nHo")
					case 1: // in the middle of the body
						_, _ = io.WriteString(conn, "POST /shop/things HTTP/1.1\r\n"+head+"Content-Length: 10\r\n\r\nabc")
					case 2: // in the middle of a chunk
						_, _ = io.WriteString(conn, "POST /shop/things HTTP/1.1\r\n"+head+"Transfer-Encoding: chunked\r\n\r\n5\r\nab")
					case 3: // before the answer
						_, _ = io.WriteString(conn, "GET /shop/things/slow HTTP/1.1\r\n"+head+"\r\n")
					case 4: // after the answer's first byte
						_, _ = io.WriteString(conn, "GET /shop/things HTTP/1.1\r\n"+head+"\r\n")
						_, _ = bufio.NewReaderSize(conn, 16).ReadByte()
					}
					_ = conn.Close()
				}
			})
		}
		wg.Wait()
	}
	giveUp(20)
	close(release)
	settled := func() (int, int) {
		for range 10 {
			b.call("GET", "/shop/things", key)
		}
		runtime.GC()
		return runtime.NumGoroutine(), descriptors(t)
	}
	goroutines, files := settled()
	giveUp(1000)
	// connections to the upstream rest for use again: some more than before may do so
	const more = 40
	b.eventually("all is given back", func() bool {
		g, f := settled()
		return g <= goroutines+2*more && f <= files+2*more
	})
}

// Not parallel: it measures what the whole process holds.
func TestAFloodOfRefusedCallsTakesBoundedMemory(t *testing.T) {
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	b.subscribe(b.app, "active", 1, 0)
	limited := b.key(b.app, token.Live)
	b.call("GET", "/shop/things", limited)
	flood := func(n int) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				conn, err := net.Dial("tcp", b.cfg.Listen)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				r := bufio.NewReader(conn)
				for i := range n / 4 {
					key, want := limited, 429
					if i%2 == 0 {
						key, want = token.Mint(token.Live), 401
					}
					_, _ = fmt.Fprintf(conn, "GET /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", key)
					if a, err := readAnswer(r, "GET"); err != nil || a.status != want {
						t.Errorf("%d, %v, want %d", a.status, err, want)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	flood(2000)
	before := held()
	flood(20_000)
	if after := held(); after > before+8<<20 {
		t.Errorf("20,000 refused calls left %d KB", (after-before)>>10)
	}
	if n := len(up.calls()); n != 1 {
		t.Errorf("%d calls reached the upstream", n)
	}
}

func TestSlowClientsDoNotSlowOthers(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	large := strings.Repeat("x", 8<<20)
	up.says("/things/large", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	var slow []net.Conn
	for i := range 300 {
		conn, err := net.Dial("tcp", b.cfg.Listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10) // little of an answer goes beyond the gateway
		slow = append(slow, conn)
		head := "Host: x\r\nX-API-Key: " + key + "\r\n"
		_, _ = io.WriteString(conn, []string{
			"GET /shop/things HTTP/1.1\r\nX-A: ", // a head that does not end
			"POST /shop/things HTTP/1.1\r\n" + head + "Content-Length: 1000\r\n\r\na",
			"GET /shop/things/large HTTP/1.1\r\n" + head + "\r\n", // an answer that is not read
			"",
		}[i%4])
	}
	for i := range 200 { // while they all wait
		if got := b.call("GET", "/shop/things", key); got.status != 200 {
			t.Fatalf("call %d: %d %s", i, got.status, got.code)
		}
	}
	// heads end in time: silent connections and halves of heads are closed
	for i, conn := range slow[:4] {
		if i == 1 || i == 2 {
			continue // bodies and answers have the upstream's time
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// However many calls one tenant makes, every call of another is served.
func TestAFloodOfOneTenantLeavesOthersServed(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	release, held := make(chan struct{}), make(chan struct{}, 4)
	up.on("/things/held", func(conn net.Conn, _ captured) bool {
		held <- struct{}{}
		<-release
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return err == nil
	})
	b := setupWith(t, 10*time.Minute, behind(up), func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 }) // held for as long as the test takes
	sub := b.subscribe(b.app, "active", 0, 0)
	b.limit(sub, 0, "kind, calls, window_seconds", "'concurrency', 4, 0")
	noisy, other := b.key(b.app, token.Live), b.application()
	b.subscribe(other, "active", 0, 0)
	quiet := b.key(other, token.Live)
	var floods sync.WaitGroup
	stop := make(chan struct{})
	var served, refused atomic.Int64
	for i := range 16 {
		more := []string{"TE: trailers"}[:i%2] // through either server
		floods.Go(func() {
			client := b.line()
			defer func() { _ = client.Close() }()
			for {
				switch got, err := client.get("/shop/things/held", noisy, more...); {
				case err == nil && got.status == 200:
					served.Add(1)
				case err == nil && got.status == 429:
					refused.Add(1)
				default:
					t.Errorf("the noisy one got %d, %v", got.status, err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range cap(held) { // all places of the noisy one are taken, and it goes on asking
		<-held
	}
	b.eventually("the flood is there", func() bool { return refused.Load() > 500 })
	for i := range 2 {
		client, more := b.line(), []string{"TE: trailers"}[:i]
		for n := range 100 {
			if got, err := client.get("/shop/things", quiet, more...); err != nil || got.status != 200 {
				t.Fatalf("call %d of the other: %d, %v", n, got.status, err)
			}
		}
		_ = client.Close()
	}
	close(stop)
	close(release)
	floods.Wait()
	if served.Load() < int64(cap(held)) {
		t.Errorf("%d calls of the noisy one were served", served.Load())
	}
	b.audit(up)
}

func TestABodyIsWhatItsLengthSays(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20} { // around what is read whole
		body := strings.Repeat("a", size)
		got := b.speaks(fmt.Sprintf("POST /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: %d\r\n\r\n%sGARBAGE BEHIND THE BODY\r\n\r\n", key, size, body)) // the next request begins with it
		calls := up.calls()
		if len(got) < 1 || got[0].status != 200 || len(calls) == 0 || calls[len(calls)-1].body != body {
			t.Errorf("%d bytes: %v", size, statuses(got))
		}
	}
	if n := len(up.calls()); n != 6 {
		t.Errorf("%d calls", n)
	}
	b.audit(up)
}
