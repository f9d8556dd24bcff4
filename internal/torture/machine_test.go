package torture

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/private"
)

const pepper = "a pepper for the torture"

// machine is everything but the gateways: a database, an upstream, one key.
type machine struct {
	t        *testing.T
	dir      string
	program  string // the gateway's binary
	cluster  *private.Cluster
	port     int
	upstream *httptest.Server
	key      string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	m.program = filepath.Join(m.dir, "gateway")
	build := exec.Command("go", "build", "-o", m.program, "tollgate/cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the gateway: %v\n%s", err, out)
	}
	m.startDatabase()
	t.Cleanup(func() { _ = m.cluster.Stop() })
	if _, err := postgres.Migrate(context.Background(), m.cluster.URL); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 1000)
	m.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Upstream", "answered")
		if r.URL.Path == "/chunked" {
			_, _ = io.WriteString(w, body[:500])
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, body[500:])
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(m.upstream.Close)
	m.fixtures()
	return m
}

// startDatabase starts the cluster, again on its port. What is left of a killed
// one may take a moment to go.
func (m *machine) startDatabase() {
	m.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		m.cluster, err = private.Start(context.Background(), private.Config{Dir: filepath.Join(m.dir, "pg"), Port: m.port, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			m.port = int(m.connConfig().Port)
			return
		}
	}
	m.t.Fatal(err)
}

// killDatabase ends the postmaster without warning; its children follow.
func (m *machine) killDatabase() {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.cluster.Dir, "postmaster.pid"))
	if err != nil {
		m.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(data), "\n", 2)[0])
	if err != nil {
		m.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		m.t.Fatal(err)
	}
	_ = m.cluster.Stop() // waits until it is gone
}

func (m *machine) connConfig() *pgx.ConnConfig {
	cfg, err := pgx.ParseConfig(m.cluster.URL)
	if err != nil {
		m.t.Fatal(err)
	}
	return cfg
}

// with runs something on a connection of its own, as the owner.
func (m *machine) with(do func(*pgx.Conn) error) {
	m.t.Helper()
	conn, err := pgx.ConnectConfig(context.Background(), m.connConfig())
	if err == nil {
		err = do(conn)
		_ = conn.Close(context.Background())
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) exec(sql string, args ...any) {
	m.t.Helper()
	m.with(func(c *pgx.Conn) error { _, err := c.Exec(context.Background(), sql, args...); return err })
}

// fixtures are an API with one operation that is called, on a plan with a soft
// quota, so that leases take part.
func (m *machine) fixtures() {
	now := time.Now()
	org, app, upstream, api, version, product, plan, terms := uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
	m.exec(`INSERT INTO organizations (id, name, created_at) VALUES ($1, 'Acme', $2)`, org, now)
	m.exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES ($1, $2, 'Default', $3)`, app, org, now)
	m.exec(`INSERT INTO upstreams (id, created_at) VALUES ($1, $2)`, upstream, now)
	m.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 0, $2)`, upstream, m.upstream.URL)
	m.exec(`INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, 'shop', 'Shop', 'public', $2)`, api, now)
	m.exec(`INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
		VALUES ($1, $2, $3, '1', 'published', '/shop', 'Shop', 'OpenAPI 3.1.0', '{}', 2, $4)`, version, api, upstream, now)
	for i, path := range []string{"/things", "/chunked"} {
		m.exec(`INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES ($1, $2, $3, $4, 'POST', $5, '{}', '')`,
			uuid.New(), version, "op"+strconv.Itoa(i), i, path)
	}
	m.exec(`INSERT INTO products (id, slug, name, created_at) VALUES ($1, 'shop', 'Shop', $2)`, product, now)
	m.exec(`INSERT INTO product_versions VALUES ($1, $2)`, product, version)
	m.exec(`INSERT INTO plans (id, product_id, slug, name, sale, position, created_at) VALUES ($1, $2, 'test', 'Test', 'self_serve', 0, $3)`, plan, product, now)
	m.exec(`INSERT INTO plan_versions VALUES ($1, $2, 1, 'usd', 0, $3)`, terms, plan, now)
	m.exec(`INSERT INTO plan_limits VALUES ($1, 0, 'quota', 100000000, 0, false)`, terms)
	m.exec(`INSERT INTO subscriptions (id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, created_at)
		VALUES ($1, $2, $3, $4, $5, 'active', 1, $6, $7, $6)`, uuid.New(), org, app, terms, product, now.Add(-time.Hour), now.AddDate(0, 1, 0))
	m.key = token.Mint(token.Live)
	hash := token.Sum([]byte(pepper), m.key)
	m.exec(`INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at) VALUES ($1, $2, $3, 'k', 'live', 'd', $4, $5)`, uuid.New(), org, app, hash[:], now)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// gateway is the program as a process of its own.
type gateway struct {
	m       *machine
	id      string
	addr    string
	private string
	dir     string
	url     string // of the database, perhaps through a proxy
	more    []string
	cmd     *exec.Cmd
	ended   chan error
	log     *os.File
}

func (m *machine) gateway(id string, more ...string) *gateway {
	g := &gateway{m: m, id: id, addr: freePort(m.t), private: freePort(m.t), dir: filepath.Join(m.t.TempDir(), id), url: m.cluster.URL, more: more}
	m.t.Cleanup(func() {
		if g.cmd != nil {
			g.kill()
		}
	})
	return g
}

func (g *gateway) start() {
	g.m.t.Helper()
	log, err := os.OpenFile(filepath.Join(g.m.dir, g.id+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.m.t.Fatal(err)
	}
	g.log = log
	g.cmd = exec.Command(g.m.program)
	g.cmd.Stderr = log
	g.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "GATEWAY_LISTEN=" + g.addr, "GATEWAY_PRIVATE_LISTEN=" + g.private, "GATEWAY_ID=" + g.id, "DATABASE_URL=" + g.url,
		"GATEWAY_DATA_DIR=" + g.dir, "KEY_PEPPER=" + pepper, "IDENTITY_SECRET=" + pepper, "UPSTREAM_NETWORKS=127.0.0.0/8", "LOG_LEVEL=WARN",
		"SPOOL_SEGMENT_SLOTS=4096", "TEST_CLOCK=true",
	}, g.more...)
	if g.ended, err = startTied(g.cmd); err != nil {
		g.m.t.Fatal(err)
	}
	g.await()
}

// startTied starts a process that dies with this one. The kernel ties it to the
// thread, which therefore waits with it.
func startTied(cmd *exec.Cmd) (ended chan error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	ended = make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return ended, <-started
}

func (g *gateway) await() {
	g.m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		resp, err := http.Get("http://" + g.addr + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			return // ready or not: with a full spool it refuses calls
		}
	}
	data, _ := os.ReadFile(g.log.Name())
	g.m.t.Fatalf("the gateway never answered:\n%s", data[max(len(data)-2000, 0):])
}

// kill ends the process without warning.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill()
	_ = exit(g.ended)
	_ = g.log.Close()
	g.cmd = nil
}

// stop lets calls end and usage be shipped.
func (g *gateway) stop() {
	g.m.t.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-g.ended; err != nil {
		g.m.t.Errorf("gateway %s ended with %v", g.id, err)
	}
	_ = g.log.Close()
	g.cmd = nil
}

// drain starts and stops gateways until their spools are empty.
func (g *gateway) drain() {
	g.m.t.Helper()
	for range 10 {
		if g.cmd == nil {
			g.start()
		}
		g.stop()
		if left, _ := filepath.Glob(filepath.Join(g.dir, "spool", "*.seg")); len(left) == 0 {
			return
		}
	}
	g.m.t.Errorf("gateway %s could not ship its spool: %s", g.id, fmt.Sprint(g.dir))
}

// exit waits for a process and says how it ended.
func exit(ended chan error) error { return <-ended }
