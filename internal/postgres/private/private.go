// Package private runs a PostgreSQL cluster of Tollgate's own, from the
// machine's binaries, for trying Tollgate on one machine and for tests.
package private

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says where the cluster lives.
type Config struct {
	Dir    string // data directory; its parent is made when missing
	Port   int    // on 127.0.0.1; 0 picks a free one
	Fast   bool   // tests only: no fsync, so a power cut may lose data
	Logger *slog.Logger
}

// Cluster is a running private PostgreSQL.
type Cluster struct {
	URL   string // as the owner, with its password; database "tollgate"
	Dir   string
	proc  *process
	admin string // URL of the database "postgres"
}

// User and Database name the cluster's owner and its one database.
const (
	User     = "tollgate"
	Database = "tollgate"
)

// Start makes the cluster when there is none and runs it until Stop, or until
// this process dies. Errors say what to do about them.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := usableDir(cfg.Dir, owner)
	if err != nil {
		return nil, err
	}
	if err := checkDir(dir, bin); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		cfg.Logger.Info("making a private PostgreSQL cluster", "dir", dir)
		if err := initialize(ctx, bin, dir, owner); err != nil {
			return nil, err
		}
	}
	password, err := readPassword(dir)
	if err != nil {
		return nil, err
	}
	return run(ctx, cfg, bin, dir, owner, password)
}

// passwordFile lies in the cluster's folder, so that a cluster that is moved
// away and back again can still be opened.
func passwordFile(dir string) string { return filepath.Join(dir, "tollgate.password") }

func readPassword(dir string) (string, error) {
	password, err := os.ReadFile(passwordFile(dir))
	if err != nil {
		return "", fmt.Errorf("the password of the private PostgreSQL is missing (%w): put the file back, or move %s away to start afresh, without the data in it", err, dir)
	}
	return strings.TrimSpace(string(password)), nil
}

// initialize makes the cluster in a sibling folder and renames it when it is
// whole, so that a half-made one is never mistaken for a cluster.
func initialize(ctx context.Context, bin binaries, dir string, owner *account) error {
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove the half-made cluster: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	secret := make([]byte, 24)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	password := hex.EncodeToString(secret)
	pwfile := fresh + ".pw"
	if err := os.WriteFile(pwfile, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the password file: %w", err)
	}
	defer func() { _ = os.Remove(pwfile) }()
	if err := owner.chown(fresh, pwfile); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, bin.initdb, "-D", fresh, "-U", User, "--pwfile", pwfile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner.credential(), Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb failed: %w\n%s", err, out)
	}
	if err := os.WriteFile(passwordFile(fresh), []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the password: %w", err)
	}
	return os.Rename(fresh, dir)
}

func run(ctx context.Context, cfg Config, bin binaries, dir string, owner *account, password string) (*Cluster, error) {
	port, err := choosePort(cfg.Port)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-D", dir, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "unix_socket_directories=", "-c", "max_connections=120", "-c", "timezone=UTC",
		"-c", "logging_collector=off", "-c", "log_min_messages=warning", "-c", "log_min_error_statement=panic",
	}
	if cfg.Fast {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	cmd := exec.Command(bin.postgres, args...) // not CommandContext: it is stopped last, and gently
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: owner.credential(),
		Setpgid:    true,           // Ctrl-C reaches us alone; we drain, then stop it
		Pdeathsig:  syscall.SIGINT, // fast shutdown when we are killed: no orphan
	}
	logs := &lastLines{logger: cfg.Logger}
	cmd.Stderr = logs
	proc, err := startProcess(cmd)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	url := func(db string) string {
		return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", User, password, port, db)
	}
	c := &Cluster{URL: url(Database), Dir: dir, proc: proc, admin: url("postgres")}
	err = c.awaitReady(ctx, logs)
	if err == nil {
		err = c.Explain(c.checkFiles(ctx))
	}
	if err != nil {
		_ = c.Stop()
		return nil, err
	}
	return c, nil
}

// awaitReady waits until the server answers, and makes the database.
func (c *Cluster) awaitReady(ctx context.Context, logs *lastLines) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		err := ensureDatabase(ctx, c.admin)
		if err == nil {
			return nil
		}
		if final := c.refused(err); final != nil {
			return final
		}
		select {
		case <-c.proc.done:
			return fmt.Errorf("PostgreSQL did not start from %s:\n%sIf its data is damaged: %s", c.Dir, logs, wayOut)
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not become ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ensureDatabase(ctx context.Context, adminURL string) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, Database).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+Database)
	return err
}

// checkFiles fails when a file of the database is gone, which PostgreSQL itself
// notices no sooner than when somebody asks for what was in it.
func (c *Cluster) checkFiles(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.URL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `SELECT pg_stat_file(pg_relation_filepath(oid)) FROM pg_class`)
	return err
}

// Empty makes the cluster's database anew, without anything in it. No program
// may be connected.
func (c *Cluster) Empty(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.admin)
	if err != nil {
		return fmt.Errorf("empty the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range []string{`DROP DATABASE IF EXISTS ` + Database + ` WITH (FORCE)`, `CREATE DATABASE ` + Database} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("empty the database: %w", err)
		}
	}
	return nil
}

// Stop shuts the cluster down in order: fast, then by force.
func (c *Cluster) Stop() error {
	_ = c.proc.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-c.proc.done:
		return nil
	case <-time.After(15 * time.Second):
		_ = c.proc.cmd.Process.Signal(syscall.SIGQUIT)
		<-c.proc.done
		return errors.New("PostgreSQL had to be stopped by force; it will recover at the next start")
	}
}

func choosePort(port int) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("port %d for PostgreSQL is in use: stop what uses it, or choose another port: %w", port, err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// lastLines keeps the end of the server's log for error messages and passes
// warnings on.
type lastLines struct {
	logger *slog.Logger
	lines  []string
}

func (l *lastLines) Write(p []byte) (int, error) {
	s := bufio.NewScanner(strings.NewReader(string(p)))
	for s.Scan() {
		l.lines = append(l.lines, s.Text())
		if len(l.lines) > 20 {
			l.lines = l.lines[1:]
		}
		l.logger.Debug("postgres", "line", s.Text())
	}
	return len(p), nil
}

func (l *lastLines) String() string { return strings.Join(append(l.lines, ""), "\n") }

var _ io.Writer = (*lastLines)(nil)
