package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"tollgate/internal/app/gateway"
)

// rolling is a client of two gateways. It keeps connections alive, or opens one
// for each call, and takes the other gateway only where it cannot connect.
type rolling struct {
	addrs [2]string
	keep  bool
	key   string
	conns [2]net.Conn
	turn  int
}

func (c *rolling) call() (id string, err error) {
	c.turn++
	for try := range 2 {
		i := (c.turn + try) % 2
		if c.conns[i] == nil {
			conn, err := net.Dial("tcp", c.addrs[i])
			if err != nil {
				continue
			}
			c.conns[i] = conn
		}
		return c.on(i)
	}
	return "", fmt.Errorf("nobody listens")
}

func (c *rolling) on(i int) (id string, err error) {
	conn := c.conns[i]
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(conn, "GET /shop/things HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", c.key); err != nil {
		return "", fmt.Errorf("send to %s: %w", c.addrs[i], err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", fmt.Errorf("read from %s: %w", c.addrs[i], err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		return "", fmt.Errorf("%s from %s: %w", resp.Status, c.addrs[i], err)
	}
	if resp.Close || !c.keep {
		_ = conn.Close()
		c.conns[i] = nil
	}
	return resp.Header.Get("X-Request-Id"), nil
}

func TestRollingRestartsFailNoCallAndLoseNoUsage(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up), func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
	other := b.cfg
	other.Listen, other.PrivateListen, other.ID, other.DataDir = freePort(t), freePort(t), "other", t.TempDir()
	key := b.goodKey()
	sites := [2]gateway.Config{b.cfg, other}
	stops := [2]func(){b.stop}
	start := func(i int) {
		b.url = "http://" + sites[i].Listen
		b.start(sites[i])
		stops[i] = b.stop
	}
	start(1)
	b.eventually("the other one knows the key", func() bool { return b.call("GET", "/shop/things", key).status == 200 })
	end := make(chan struct{})
	var mu sync.Mutex
	answered := map[string]bool{}
	var failures []error
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			c := &rolling{addrs: [2]string{sites[0].Listen, sites[1].Listen}, keep: n%2 == 0, key: key}
			for {
				select {
				case <-end:
					return
				default:
				}
				id, err := c.call()
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
					c.conns = [2]net.Conn{}
				} else {
					answered[id] = true
				}
				mu.Unlock()
			}
		})
	}
	for i := range 20 {
		stops[i%2]()
		start(i % 2)
	}
	close(end)
	wg.Wait()
	stops[0]()
	stops[1]()
	if len(failures) > 0 {
		t.Errorf("%d of %d calls failed, such as: %v", len(failures), len(answered)+len(failures), failures[0])
	}
	metered := b.events()
	for id := range answered {
		if _, ok := metered[id]; !ok {
			t.Errorf("%s was answered and not metered", id)
		}
	}
	t.Logf("%d calls", len(answered))
}
