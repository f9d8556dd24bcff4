package gateway_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tollgate/internal/app/gateway"
	"tollgate/internal/metering/spool"
)

// readOnly lays a view that cannot be written to over a folder until again:
// nothing in it can be made, renamed or removed. Files that are open stay so.
func readOnly(t *testing.T, dir string) (again func()) {
	t.Helper()
	err := syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("this user may not mount, so no disk can be made read-only")
	}
	if err != nil {
		t.Fatal(err)
	}
	again = sync.OnceFunc(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(again)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return again
}

func TestCallsWithoutARecordAreRefusedOrCountedWhileTheDiskIsReadOnly(t *testing.T) {
	t.Parallel()
	for _, policy := range []spool.Policy{spool.Refuse, spool.Serve} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			up, said := newCapture(t), &diary{}
			held, release := make(chan struct{}), make(chan struct{})
			up.on("/things/held", func(conn net.Conn, _ captured) bool {
				close(held)
				<-release
				_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				return err == nil
			})
			b := setupWith(t, 30*time.Second, behind(up), logging(said), func(b *bundle) { b.cfg.SpoolFull = policy })
			key := b.goodKey()
			promised := make(chan result, 1)
			go func() { promised <- b.call("GET", "/shop/things/held", key) }()
			<-held
			again := readOnly(t, b.cfg.DataDir)
			calls, end := b.load(key)
			unmetered := func() int { return b.metric("tollgate_metering_unmetered_calls_total") }
			switch policy {
			case spool.Refuse:
				b.answersMore(calls, 1, 503)
				if got := b.call("GET", "/shop/things", key); got.status != 503 || got.code != "metering-unavailable" {
					t.Errorf("%d %s, want 503 metering-unavailable", got.status, got.code)
				}
			case spool.Serve:
				b.eventually("calls go on and are counted", func() bool { return unmetered() > 0 })
			}
			close(release)
			early := <-promised
			if early.status != 200 {
				t.Errorf("a call with a place for its record: %d %s", early.status, early.code)
			}
			if policy == spool.Refuse { // else calls without a place may take those of others
				b.eventually("its record is shipped", func() bool { _, ok := b.events()[early.header.Get("X-Request-Id")]; return ok })
			}
			b.eventually("the alarm is raised", func() bool {
				return b.metric("tollgate_metering_spool_alarm") == 1 && said.says("cannot grow") && said.says("read-only file system")
			})
			b.eventually("the view is not kept", func() bool { return said.says("could not be kept on disk") })

			again()
			b.eventually("the alarm is over", func() bool { return b.metric("tollgate_metering_spool_alarm") == 0 })
			before := b.billable()
			b.eventually("calls are recorded again", func() bool { return b.billable() > before })
			end()
			b.eventually("no file is left but the present one", func() bool {
				files, err := filepath.Glob(filepath.Join(b.cfg.DataDir, "spool", "*.seg"))
				return err == nil && len(files) <= 2
			})
			calls.ids[200][early.header.Get("X-Request-Id")] = true
			if policy == spool.Refuse {
				b.settle(calls)
				return
			}
			missing := unmetered()
			b.stop()
			if stored := len(b.events()); stored+missing != calls.count(200) {
				t.Errorf("%d calls were answered, %d stored and %d counted as not recorded", calls.count(200), stored, missing)
			}
		})
	}
}

func TestAGatewayThatCannotWriteItsFolderSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, used := range map[string]bool{"new folder": false, "folder of an earlier run": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			if used {
				b.start(b.cfg)
				b.stop()
			}
			readOnly(t, b.cfg.DataDir)
			err := gateway.Run(context.Background(), b.cfg, slog.New(slog.DiscardHandler), func() { t.Error("it serves") })
			if err == nil {
				t.Fatal("it started and ended")
			}
			for _, want := range []string{b.cfg.DataDir, "GATEWAY_DATA_DIR", "read-only"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %s", err, want)
				}
			}
		})
	}
}
