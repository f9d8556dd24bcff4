package story

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"tollgate/internal/postgres/pgtest"
)

// installation is a running Tollgate, however it is put together.
type installation struct {
	portal, gateway               string // addresses
	portalPrivate, gatewayPrivate string
	sample                        string
	people                        map[string]person // by role
	movesClock                    bool              // through its own page
	key                           string            // that the demo prints
	database                      string

	stopPortal, startPortal   func()
	killGateway, startGateway func()
}

type person struct{ email, password string }

// build compiles the three programs once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tollgate-story-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir, "tollgate/cmd/...").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return dir, err
})

func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().String())
	}
	return out
}

// process is a program that was started; its output is kept for failures.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	mu     sync.Mutex
	lines  []string
	exited chan struct{}
}

func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program(t, name), args...), exited: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	read, write := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = write, write
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(read); s.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, s.Text())
			p.mu.Unlock()
		}
	}()
	go func() {
		_ = p.cmd.Wait()
		_ = write.Close()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the last of %s's output:\n%s", name, strings.Join(p.tail(30), "\n"))
		}
	})
	return p
}

func (p *process) tail(n int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.lines[max(len(p.lines)-n, 0):]...)
}

func (p *process) output() string { return strings.Join(p.tail(1000), "\n") }

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop ends the program in order, as Ctrl-C does.
func (p *process) stop() { p.end(syscall.SIGINT) }

// kill ends it as kill -9 does.
func (p *process) kill() { p.end(syscall.SIGKILL) }

func (p *process) end(sig syscall.Signal) {
	if !p.running() {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("%s did not end within a minute of %v", p.cmd.Path, sig)
	}
}

func ready(t *testing.T, p *process, url string) {
	t.Helper()
	eventually(t, url+" answers", func() bool {
		if !p.running() {
			t.Fatalf("it ended:\n%s", p.output())
		}
		resp, err := http.Get(url)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// together runs cmd/tollgate: everything in one process, in demo mode.
func together(t *testing.T) *installation {
	t.Helper()
	in, _ := runTogether(t, freePorts(t, 6), dataDir(t))
	return in
}

// dataDir is a folder that the postgres user can walk to, unlike t.TempDir.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tollgate-story-data-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func runTogether(t *testing.T, ports []string, dir string) (*installation, *process) {
	t.Helper()
	p := start(t, []string{"TOLLGATE_DATA_DIR=" + dir, "PORTAL_LISTEN=" + ports[0], "PORTAL_PRIVATE_LISTEN=" + ports[1], "GATEWAY_LISTEN=" + ports[2],
		"GATEWAY_PRIVATE_LISTEN=" + ports[3], "SAMPLE_LISTEN=" + ports[4], "STRIPE_SIM_LISTEN=" + ports[5]}, "tollgate")
	eventually(t, "the demo is ready", func() bool {
		if !p.running() {
			t.Fatalf("it ended:\n%s", p.output())
		}
		return strings.Contains(p.output(), "Ctrl-C stops everything")
	})
	in := &installation{portal: "http://" + ports[0], portalPrivate: "http://" + ports[1], gateway: "http://" + ports[2], gatewayPrivate: "http://" + ports[3],
		sample: "http://" + ports[4], people: map[string]person{}, movesClock: true}
	for role, label := range map[string]string{"product": "Product team", "finance": "Finance", "operator": "Operator"} {
		m := regexp.MustCompile(label + `\s+(\S+@\S+)\s+(\S+)`).FindStringSubmatch(p.output())
		if m == nil {
			t.Fatalf("the demo did not print how %s signs in:\n%s", label, p.output())
		}
		in.people[role] = person{m[1], m[2]}
	}
	in.key = regexp.MustCompile(`tg_live_\w+`).FindString(p.output())
	return in, p
}

// apart runs portal, gateway and the simulator as processes of their own that
// share only Postgres, configured by what docker-compose.yml declares.
func apart(t *testing.T) *installation {
	t.Helper()
	ports := freePorts(t, 6)
	url := pgtest.EmptyURL(t)
	in := &installation{portal: "http://" + ports[0], portalPrivate: "http://" + ports[1], gateway: "http://" + ports[2], gatewayPrivate: "http://" + ports[3],
		sample: "http://" + ports[4], people: map[string]person{}, database: url}
	set := map[string]string{
		"PORTAL_LISTEN": ports[0], "PORTAL_PRIVATE_LISTEN": ports[1], "GATEWAY_LISTEN": ports[2], "GATEWAY_PRIVATE_LISTEN": ports[3],
		"PORTAL_URL": in.portal, "GATEWAY_URL": in.gateway, "DATABASE_URL": url, "GATEWAY_DATA_DIR": t.TempDir(),
		"KEY_PEPPER": "the story's pepper", "IDENTITY_SECRET": "the story's identity secret",
		"STRIPE_SECRET_KEY": "sk_test_0123456789story", "STRIPE_WEBHOOK_SECRET": "whsec_0123456789story", "STRIPE_BASE_URL": "http://" + ports[5],
		"UPSTREAM_NETWORKS": "127.0.0.0/8", "IMPORT_NETWORKS": "127.0.0.0/8", "TEST_CLOCK": "true",
	}
	portalEnv, gatewayEnv := composeEnv(t, "portal", set), composeEnv(t, "gateway", set)
	run := func(env []string, name string, args ...string) string {
		p := start(t, env, name, args...)
		<-p.exited
		if !p.cmd.ProcessState.Success() {
			t.Fatalf("%s %v failed:\n%s", name, args, p.output())
		}
		return p.output()
	}
	run(composeEnv(t, "migrate", set), "portal", "migrate")
	for _, role := range []string{"product", "finance", "operator"} {
		email := role + "@provider.example"
		out := run(portalEnv, "portal", "staff", email, role)
		m := regexp.MustCompile(`password (\S+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no password in %q", out)
		}
		in.people[role] = person{email, m[1]}
	}
	start(t, []string{"STRIPE_SIM_LISTEN=" + ports[5], "STRIPE_SECRET_KEY=sk_test_0123456789story", "STRIPE_WEBHOOK_SECRET=whsec_0123456789story", "STRIPE_WEBHOOK_URL=" + in.portal + "/webhooks/stripe"}, "tollgate", "stripe-sim")
	sample := start(t, []string{"SAMPLE_LISTEN=" + ports[4]}, "tollgate", "sample-api")
	ready(t, sample, in.sample+"/elements/Fe")
	var portal, gateway *process
	in.startPortal = func() { portal = start(t, portalEnv, "portal"); ready(t, portal, in.portal+"/readyz") }
	in.stopPortal = func() { portal.stop() }
	in.startGateway = func() { gateway = start(t, gatewayEnv, "gateway"); ready(t, gateway, in.gateway+"/readyz") }
	in.killGateway = func() { gateway.kill() }
	in.startPortal()
	in.startGateway()
	return in
}

var substitution = regexp.MustCompile(`\$\{[A-Z_]+(:[-?]([^}]*))?\}`)

// composeEnv is the environment that docker-compose.yml gives a service, with
// the values of this run. Only what it declares can be set.
func composeEnv(t *testing.T, service string, values map[string]string) []string {
	t.Helper()
	data, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	var env []string
	for name, value := range compose.Services[service].Environment {
		if ours, ok := values[name]; ok {
			value = ours
		} else {
			value = substitution.ReplaceAllString(value, "$2")
		}
		env = append(env, name+"="+value)
	}
	if len(env) == 0 {
		t.Fatalf("docker-compose.yml has no service %s", service)
	}
	return env
}

// setClock moves business time where no page does.
func (in *installation) setClock(t *testing.T, by time.Duration) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, in.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, `UPDATE business_clock SET offset_seconds = $1`, int64(by/time.Second)); err != nil {
		t.Fatal(err)
	}
}
