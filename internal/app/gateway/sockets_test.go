package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"tollgate/internal/keys/token"
)

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"

// echo greets a socket with seven bytes and then says what it hears.
func echo(conn net.Conn, r captured) bool {
	if len(r.values("upgrade")) == 0 {
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
		return err == nil
	}
	_, _ = io.WriteString(conn, switched+"welcome")
	_, _ = io.Copy(conn, conn)
	return false
}

// socket is a client's end of a connection that may have switched.
type socket struct {
	net.Conn
	r      *bufio.Reader
	status int
}

func (b *bundle) socket(path, key, protocol string) socket {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.cfg.Listen)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n", path, key, protocol)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return socket{conn, r, resp.StatusCode}
}

// talks opens a socket to an echo, hears the greeting and says ten bytes.
func (b *bundle) talks(path, key string) socket {
	b.t.Helper()
	s := b.socket(path, key, "websocket")
	if s.status != 101 {
		b.t.Fatalf("status %d", s.status)
	}
	for _, text := range []string{"welcome", "hello", "again"} {
		if text != "welcome" {
			_, _ = io.WriteString(s, text)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(s.r, got); err != nil || string(got) != text {
			b.t.Fatalf("%q, %v", got, err)
		}
	}
	return s
}

// ended waits for the gateway to close s.
func (b *bundle) ended(s socket) {
	b.t.Helper()
	if _, err := s.r.ReadByte(); err == nil {
		b.t.Error("bytes that nobody sent")
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		b.t.Error("the socket stays open")
	}
}

// sockets are the stored ones; each has heard and said what talks does.
func (b *bundle) sockets() (n int) {
	b.t.Helper()
	for id, e := range b.events() {
		if e.status != 101 {
			continue
		}
		n++
		if e.in != 10 || e.out != 17 {
			b.t.Errorf("%s: %+v, want 10 bytes in and 17 out", id, e)
		}
	}
	return n
}

func TestASocketIsForWhomMayCallAndEndsWithTheKey(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.on("/things/socket", echo)
	b := setupWith(t, 30*time.Second, behind(up), called(`{"websocket": true}`))
	key := b.goodKey()
	revoked, _ := b.addKey(b.app, token.Live, "revoked_at", "now()")
	for name, k := range map[string]string{"no key": "", "an unknown key": token.Mint(token.Live), "a revoked key": revoked} {
		if s := b.socket("/shop/things/socket", k, "websocket"); s.status != 401 {
			t.Errorf("%s: %d", name, s.status)
		}
	}
	if n := len(up.calls()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
	if s := b.socket("/shop/things/socket", key, "h2c"); s.status != 200 {
		t.Errorf("another protocol: %d", s.status)
	}
	s := b.talks("/shop/things/socket", key)
	b.exec(`UPDATE keys SET revoked_at = now()`)
	b.ended(s)
	b.audit(up)
	if n := b.sockets(); n != 1 {
		t.Errorf("%d sockets are metered", n)
	}
}

func TestASocketIsMeteredWithWhatPassedWhoeverEndsIt(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.on("/things/socket", echo)
	up.on("/things/brief", func(conn net.Conn, _ captured) bool {
		_, _ = io.WriteString(conn, switched+"welcome")
		_, _ = io.CopyN(conn, conn, 10)
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(`{"websocket": true}`))
	key := b.goodKey()
	b.ended(b.talks("/shop/things/brief", key)) // by the upstream
	_ = b.talks("/shop/things/socket", key).Close()
	half := b.talks("/shop/things/socket", key)
	_ = half.Conn.(*net.TCPConn).CloseWrite() // the echo ends with what it hears
	b.ended(half)
	b.metered(3)
	open := b.talks("/shop/things/socket", key)
	if n := b.metered(3); n != 3 {
		t.Errorf("%d are metered: a socket is when it ends", n)
	}
	b.audit(up) // the drain ends it
	b.ended(open)
	if n := b.sockets(); n != 4 {
		t.Errorf("%d sockets are metered", n)
	}
}

func TestASwitchToWhatNobodyAskedForIsNone(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	closed := make(chan struct{})
	up.on("/things/socket", func(conn net.Conn, _ captured) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nforged")
		_, _ = io.Copy(io.Discard, conn) // until the gateway closes it
		close(closed)
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(`{"websocket": true, "retry": {"attempts": -1}}`))
	if s := b.socket("/shop/things/socket", b.goodKey(), "websocket"); s.status != 502 {
		t.Errorf("status %d", s.status)
	}
	<-closed
	b.audit(up)
	for id, e := range b.events() {
		if e.status != 502 || e.billable {
			t.Errorf("%s: %+v", id, e)
		}
	}
}
