// Package redistest runs a redis-server of a test's own.
package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server on loopback that keeps nothing on disk.
type Server struct {
	URL string

	dir  string
	port string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "redis://127.0.0.1:" + port, dir: t.TempDir(), port: port}
	t.Cleanup(s.Kill)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Restart starts the server again after Kill, empty, on the same port.
func (s *Server) Restart(ctx context.Context) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("these tests need redis-server (Debian: apt-get install redis-server): %w", err)
	}
	s.out.Reset()
	s.cmd = exec.Command(path, "--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir, "--save", "", "--appendonly", "no")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	o, err := redis.ParseURL(s.URL)
	if err != nil {
		return err
	}
	o.MaxRetries = 100
	o.MinRetryBackoff, o.MaxRetryBackoff = 20*time.Millisecond, 100*time.Millisecond
	c := redis.NewClient(o)
	defer c.Close() //nolint:errcheck // nothing was written
	if err := c.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis-server does not answer: %w\n%s", err, s.out.String())
	}
	return nil
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
