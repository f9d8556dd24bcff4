package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/private"
)

// pair is a migrated PostgreSQL and a standby that confirms each of its commits.
type pair struct {
	t       *testing.T
	first   *pgx.ConnConfig // of the primary
	second  *pgx.ConnConfig // of the standby
	program string          // the folder of PostgreSQL's programs
	pid     int             // of the primary
	owner   syscall.Credential
}

func newPair(t *testing.T) *pair {
	t.Helper()
	dir := t.TempDir()
	cluster, err := private.Start(context.Background(), private.Config{Dir: filepath.Join(dir, "primary"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	p := &pair{t: t}
	p.first, err = pgx.ParseConfig(cluster.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.second = p.first.Copy()
	p.find(cluster.Dir)
	p.on(p.first, `ALTER SYSTEM SET fsync = off`) // programs are killed here, not machines
	if _, err := postgres.Migrate(context.Background(), cluster.URL); err != nil {
		t.Fatal(err)
	}
	p.startStandby(filepath.Join(filepath.Dir(cluster.Dir), "standby"))
	p.await(p.first, `SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'`)
	p.on(p.first, `ALTER SYSTEM SET synchronous_standby_names = '*'`)
	p.on(p.first, `SELECT pg_reload_conf()`)
	p.await(p.first, `SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'`)
	return p
}

// find learns the primary's process, its programs, and whom they run as.
func (p *pair) find(dir string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	if p.pid, err = strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0]); err != nil {
		p.t.Fatal(err)
	}
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	p.program = filepath.Dir(program)
	info, err := os.Stat(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	who := info.Sys().(*syscall.Stat_t)
	p.owner = syscall.Credential{Uid: who.Uid, Gid: who.Gid}
	if os.Geteuid() == 0 { // the backup is read by the server, and this file lies in its folder
		if err := os.Chown(filepath.Join(dir, "tollgate.password"), int(who.Uid), int(who.Gid)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// command prepares one of PostgreSQL's programs, which ends with this process.
func (p *pair) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.program, name), args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.first.Password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &p.owner
	}
	return cmd
}

func (p *pair) startStandby(dir string) {
	p.t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chown(dir, int(p.owner.Uid), int(p.owner.Gid)); err != nil {
		p.t.Fatal(err)
	}
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s sslmode=disable", p.first.Port, p.first.User, p.first.Database)
	if out, err := p.command("pg_basebackup", "-D", dir, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync").CombinedOutput(); err != nil {
		p.t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	_, port, err := net.SplitHostPort(freePort(p.t))
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = fmt.Sscan(port, &p.second.Port)
	cmd := p.command("postgres", "-D", dir, "-h", "127.0.0.1", "-p", port, "-c", "unix_socket_directories=", "-c", "max_connections=120")
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the kernel ties the child to the thread that starts it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if started <- err; err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGQUIT); <-ended })
}

// on runs a statement on one server.
func (p *pair) on(server *pgx.ConnConfig, sql string) {
	p.t.Helper()
	conn, err := pgx.ConnectConfig(context.Background(), server)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// await waits until a question is answered with true.
func (p *pair) await(server *pgx.ConnConfig, question string) {
	p.t.Helper()
	(&bundle{t: p.t}).eventually(question, func() (yes bool) {
		conn, err := pgx.ConnectConfig(context.Background(), server)
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close(context.Background()) }()
		return conn.QueryRow(context.Background(), question).Scan(&yes) == nil && yes
	})
}

// kill ends the primary at once: its sessions find out and end by themselves.
func (p *pair) kill() {
	p.t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
}

// promote makes the standby the primary.
func (p *pair) promote() {
	p.t.Helper()
	p.await(p.second, `SELECT pg_promote()`)
}

func TestUsageViewAndLeasesFollowTheDatabaseToItsStandby(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"URL":      "postgres://%[3]s:%[4]s@127.0.0.1:%[1]d,127.0.0.1:%[2]d/%[5]s?sslmode=disable&target_session_attrs=read-write",
		"keywords": "host=127.0.0.1,127.0.0.1 port=%[2]d,%[1]d user=%[3]s password=%[4]s dbname=%[5]s sslmode=disable", // the standby first
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			db := fmt.Sprintf(address, p.first.Port, p.second.Port, p.first.User, p.first.Password, p.first.Database)
			b := assemble(t, db, 30*time.Second, func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
			b.start(b.cfg)
			b.subscribe(b.app, "active", 0, 1_000_000)
			key, doomed := b.key(b.app, token.Live), b.key(b.app, token.Live)
			calls, end := b.load(key)
			b.answersMore(calls, 100, 200)
			p.kill()
			b.answersMore(calls, 100, 200)
			p.promote()
			b.db.Reset() // the test's own connections are dead
			b.answersMore(calls, 100, 200)

			// what is changed at the new primary arrives, and so does usage
			hash := token.Sum([]byte(pepper), doomed)
			b.exec(`UPDATE keys SET revoked_at = now() WHERE hash = $1`, hash[:])
			b.eventually("the revoked key is refused", func() bool { return b.call("GET", "/shop/no-such-operation", doomed).code == "invalid-key" })
			other := b.application()
			b.subscribe(other, "active", 0, 40)
			leased := b.call("GET", "/shop/things", b.key(other, token.Live))
			if leased.status != 200 || leased.header.Get("X-Quota-Remaining") != "39" {
				t.Errorf("a lease from the new primary: %d %s, %s left", leased.status, leased.code, leased.header.Get("X-Quota-Remaining"))
			}
			b.metered(calls.count(200))
			end()
			calls.noneBut(t, 200)
			calls.ids[200][leased.header.Get("X-Request-Id")] = true
			b.settle(calls)
			var spent, billable int
			if err := b.db.QueryRow(context.Background(), `SELECT (SELECT sum(granted) FROM quota_grants), (SELECT count(*) FROM usage_events WHERE billable)`).Scan(&spent, &billable); err != nil || spent != billable {
				t.Errorf("%d of the quotas are spent by %d calls, %v", spent, billable, err)
			}
		})
	}
}
