package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/private"
)

// ownDatabase starts a PostgreSQL that the test may stop. Again starts it anew,
// on its port.
func ownDatabase(t *testing.T) (url string, stop func(), again func()) {
	t.Helper()
	cfg := private.Config{Dir: filepath.Join(t.TempDir(), "pg"), Fast: true, Logger: slog.New(slog.DiscardHandler)}
	cluster, err := private.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	if _, err := postgres.Migrate(context.Background(), cluster.URL); err != nil {
		t.Fatal(err)
	}
	url = cluster.URL
	host := strings.SplitN(strings.SplitN(url, "@", 2)[1], "/", 2)[0]
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Sscan(port, &cfg.Port)
	stop = func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	}
	again = func() {
		if cluster, err = private.Start(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	return url, stop, again
}

func TestCallsGoOnWithoutTheDatabaseAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	url, stopDatabase, startDatabase := ownDatabase(t)
	up := newCapture(t)
	b := assemble(t, url, 30*time.Second, behind(up), func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
	b.start(b.cfg)
	b.subscribe(b.app, "active", 1_000_000, 0)
	key := b.key(b.app, token.Live)
	var calls atomic.Int64
	load := func(during func()) {
		var wg sync.WaitGroup
		end := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for after := 0; after < 125; { // calls when that is over
					select {
					case <-end:
						after++
					default:
					}
					if got := b.call("GET", "/shop/things", key); got.status != 200 {
						t.Errorf("%d %s", got.status, got.code)
						return
					}
					calls.Add(1)
				}
			})
		}
		during()
		close(end)
		wg.Wait()
	}
	load(stopDatabase)
	b.stop()
	b.start(b.cfg)
	load(func() {})
	if got := b.call("GET", "/shop/things", token.Mint(token.Live)); got.status != 401 {
		t.Errorf("an unknown key while the database is away: %d %s", got.status, got.code)
	}
	startDatabase()
	b.eventually("all usage has arrived", func() bool {
		var n int64
		err := b.db.QueryRow(context.Background(), `SELECT count(*) FROM usage_events WHERE billable`).Scan(&n)
		return err == nil && n == calls.Load()
	})
	b.audit(up)
}
