package gateway_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"tollgate/internal/app/gateway"
)

// TestMain doubles as a gateway of its own process.
func TestMain(m *testing.M) {
	if os.Getenv("GATEWAY_CHILD") != "" {
		os.Exit(gateway.Main())
	}
	os.Exit(m.Run())
}

// process starts the gateway that b's configuration describes as a process.
func (b *bundle) process() *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "GATEWAY_CHILD=1", "GATEWAY_LISTEN="+b.cfg.Listen, "GATEWAY_PRIVATE_LISTEN="+b.cfg.PrivateListen, "GATEWAY_ID="+b.cfg.ID, "DATABASE_URL="+b.cfg.DatabaseURL,
		"GATEWAY_DATA_DIR="+b.cfg.DataDir, "PORTAL_URL="+b.cfg.PortalURL, "KEY_PEPPER="+pepper, "IDENTITY_SECRET="+secret, "UPSTREAM_NETWORKS=127.0.0.0/8", "DRAIN_TIMEOUT=10m", "UPSTREAM_TIMEOUT=10m")
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill() })
	b.eventually("the gateway listens", func() bool { return b.listens() })
	return cmd
}

func (b *bundle) listens() bool {
	conn, err := net.Dial("tcp", b.cfg.Listen)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func TestASecondSignalEndsADrainAtOnce(t *testing.T) {
	t.Parallel()
	for _, signals := range [][2]syscall.Signal{{syscall.SIGTERM, syscall.SIGTERM}, {syscall.SIGINT, syscall.SIGINT}} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			t.Parallel()
			up := newCapture(t)
			entered, release := make(chan struct{}), make(chan struct{})
			t.Cleanup(func() { close(release) })
			up.on("/things/held", func(net.Conn, captured) bool { close(entered); <-release; return false })
			b := newBundle(t, behind(up))
			cmd := b.process()
			key := b.goodKey()
			full := b.call("GET", "/shop/things", key)
			if full.status != 200 {
				t.Fatalf("%+v", full)
			}
			conn, err := net.Dial("tcp", b.cfg.Listen)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, asked("GET /shop/things/held HTTP/1.1", "Host: x", "X-API-Key: "+key))
			<-entered
			done := make(chan struct{})
			go func() { _ = cmd.Wait(); close(done) }()
			_ = cmd.Process.Signal(signals[0])
			b.eventually("the drain begins", func() bool { return !b.listens() })
			select {
			case <-done:
				t.Fatalf("it ended with a call under way: %v", cmd.ProcessState)
			case <-time.After(100 * time.Millisecond):
			}
			_ = cmd.Process.Signal(signals[1])
			select { // the drain alone would take ten minutes
			case err := <-done:
				t.Log(err) // how it ended is looked at below
			case <-time.After(time.Minute):
				t.Fatal("the second signal did not end it")
			}
			if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != signals[1] {
				t.Errorf("it ended with %v", cmd.ProcessState)
			}
			b.start(b.cfg) // what had been answered is in the spool
			b.metered(1)
			b.stop()
			if events := b.events(); len(events) != 1 || !events[full.header.Get("X-Request-Id")].billable {
				t.Errorf("events %v", events)
			}
		})
	}
}
