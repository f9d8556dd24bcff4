package private

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain doubles as the program that owns a cluster and gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PRIVATE_CHILD"); dir != "" {
		c, err := Start(context.Background(), config(dir))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("ready", c.proc.cmd.Process.Pid)
		select {}
	}
	os.Exit(m.Run())
}

func config(dir string) Config {
	return Config{Dir: dir, Fast: true, Logger: slog.New(slog.DiscardHandler)}
}

// folder is one that the postgres user can walk to, unlike t.TempDir.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tollgate-private-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "pg")
}

func start(t *testing.T, dir string) *Cluster {
	t.Helper()
	c, err := Start(context.Background(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}

func exec1(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), c.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestDataOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	c := start(t, dir)
	exec1(t, c, `CREATE TABLE kept (n int)`)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	exec1(t, start(t, dir), `INSERT INTO kept VALUES (1)`)
}

func TestNobodyGetsInWithoutThePassword(t *testing.T) {
	t.Parallel()
	c := start(t, folder(t))
	at, host, _ := strings.Cut(c.URL, "@")
	user, _, _ := strings.Cut(strings.TrimPrefix(at, "postgres://"), ":")
	for _, url := range []string{"postgres://" + user + "@" + host, "postgres://" + user + ":wrong@" + host} {
		if conn, err := pgx.Connect(context.Background(), url); err == nil {
			_ = conn.Close(context.Background())
			t.Errorf("connected as %s", url)
		}
	}
}

func TestWhatIsWrongIsSaidWithTheWayOut(t *testing.T) {
	t.Parallel()
	running := folder(t)
	start(t, running)
	foreign, old, lost := folder(t), folder(t), folder(t)
	write := func(dir, name, text string) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(foreign, "holiday.jpg", "")
	write(old, "PG_VERSION", "9\n")
	c := start(t, lost)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(passwordFile(lost)); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		running: "another Tollgate is using", foreign: "is not a PostgreSQL cluster", old: "was made by PostgreSQL 9", lost: "password",
	} {
		c, err := Start(context.Background(), config(dir))
		if err == nil {
			_ = c.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want “%s” and the folder", err, want)
		}
	}
}

func TestAHalfMadeClusterIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := os.MkdirAll(dir+".new/base", 0o700); err != nil { // killed during initdb
		t.Fatal(err)
	}
	start(t, dir)
}

func TestAPortInUseIsNamed(t *testing.T) {
	t.Parallel()
	c := start(t, folder(t))
	_, rest, _ := strings.Cut(c.URL, "127.0.0.1:")
	port, err := strconv.Atoi(rest[:strings.IndexByte(rest, '/')])
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(folder(t))
	cfg.Port = port
	if _, err := Start(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d", port)) {
		t.Errorf("got %v", err)
	}
}

func TestKillingTheOwnerLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PRIVATE_CHILD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("%q, %v", line, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "ready ")))
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL still runs as process %d", pid)
		}
		<-time.After(20 * time.Millisecond)
	}
	start(t, dir) // and its data is whole
}
