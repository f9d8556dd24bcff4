package gateway_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestAnAnswerMayTakeLongerThanTheTimeoutAsLongAsPartsCome(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	const parts = 12
	up.on("/things", func(conn net.Conn, _ captured) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range parts {
			time.Sleep(150 * time.Millisecond)
			if _, err := io.WriteString(conn, "8\r\ndata: 1\n\r\n"); err != nil {
				return false
			}
		}
		_, err := io.WriteString(conn, "0\r\n\r\n")
		return err == nil
	})
	b := setupWith(t, 1500*time.Millisecond, behind(up), called(once)) // less than all parts take
	silent := make(chan struct{})
	t.Cleanup(func() { close(silent) })
	up.on("/things/silent", func(net.Conn, captured) bool { <-silent; return false })
	key := b.goodKey()
	for _, te := range []string{"", "TE: trailers\r\n"} {
		t.Run("events "+te, func(t *testing.T) {
			t.Parallel()
			got := b.speaks("GET /shop/things HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
			if len(got) != 1 || got[0].status != 200 || !got[0].whole || strings.Count(got[0].body, "data") != parts {
				t.Errorf("%+v", got)
			}
		})
		t.Run("silence "+te, func(t *testing.T) {
			t.Parallel()
			got := b.speaks("GET /shop/things/silent HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
			if len(got) != 1 || got[0].status != 504 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestACallEndsWithTheTimeThatItsAPIGivesIt(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	up.on("/things", func(conn net.Conn, _ captured) bool {
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for err == nil { // for as long as somebody reads
			time.Sleep(20 * time.Millisecond)
			_, err = io.WriteString(conn, "8\r\ndata: 1\n\r\n")
		}
		return false
	})
	b := setupWith(t, 30*time.Second, behind(up), called(`{"timeouts": {"call": 700000000}}`))
	key := b.goodKey()
	for _, te := range []string{"", "TE: trailers\r\n"} {
		got := b.speaks("GET /shop/things HTTP/1.1\r\nHost: x\r\n" + te + "X-API-Key: " + key + "\r\nConnection: close\r\n\r\n")
		if len(got) != 1 || got[0].status != 200 || got[0].whole {
			t.Errorf("%q: %+v", te, got)
		}
	}
}
