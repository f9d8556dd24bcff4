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

func TestASocketIsForWhomMayCallAndEndsWithTheKey(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.on("/things/socket", func(conn net.Conn, r captured) bool {
		if len(r.values("upgrade")) == 0 {
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
			return err == nil
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		_, _ = io.Copy(conn, conn) // an echo
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(`{"websocket": true}`))
	key := b.goodKey()
	revoked, _ := b.addKey(b.app, token.Live, "revoked_at", "now()")
	open := func(key, protocol string) (net.Conn, *bufio.Reader, int) {
		conn, err := net.Dial("tcp", b.cfg.Listen)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = fmt.Fprintf(conn, "GET /shop/things/socket HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n", key, protocol)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, r, resp.StatusCode
	}
	for name, k := range map[string]string{"no key": "", "an unknown key": token.Mint(token.Live), "a revoked key": revoked} {
		if _, _, status := open(k, "websocket"); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if n := len(up.calls()); n != 0 {
		t.Errorf("%d calls reached the upstream", n)
	}
	if _, _, status := open(key, "h2c"); status != 200 {
		t.Errorf("another protocol: %d", status)
	}
	conn, r, status := open(key, "websocket")
	if status != 101 {
		t.Fatalf("status %d", status)
	}
	for _, text := range []string{"hello", "again"} {
		_, _ = io.WriteString(conn, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	b.exec(`UPDATE keys SET revoked_at = now()`)
	if _, err := r.ReadByte(); err == nil {
		t.Error("bytes that nobody sent")
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the socket outlives its key")
	}
	b.audit(up)
	sockets := 0
	for _, e := range b.events() {
		if e.status == 101 {
			sockets++
		}
	}
	if sockets != 1 {
		t.Errorf("%d sockets are metered", sockets)
	}
}
