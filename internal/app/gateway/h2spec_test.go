package gateway_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHTTP2IsAtLeastAsGoodAsGos runs h2spec against the gateway and against Go's
// own server, in the same run: what was put before net/http takes nothing away.
func TestHTTP2IsAtLeastAsGoodAsGos(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "h2spec")
	if out, err := exec.Command("go", "build", "-C", "../../../tools", "-o", tool, "github.com/summerwind/h2spec/cmd/h2spec").CombinedOutput(); err != nil {
		t.Fatalf("build h2spec: %v\n%s", err, out)
	}
	b := setup(t)
	var ours, gos int
	var both sync.WaitGroup
	both.Go(func() { ours = h2spec(t, tool, b.cfg.Listen) })
	both.Go(func() { gos = h2spec(t, tool, plainHTTP2(t)) })
	both.Wait()
	t.Logf("h2spec: the gateway passes %d, Go's own server %d", ours, gos)
	if ours < gos || gos == 0 {
		t.Errorf("the gateway passes %d of h2spec's cases, Go's own server %d", ours, gos)
	}
}

var passedCases = regexp.MustCompile(`(\d+) tests, (\d+) passed`)

// sections are all of h2spec. They run at once: what takes time in them is
// waiting for answers that do not come.
var sections = []string{"generic", "hpack", "http2/3", "http2/4", "http2/5", "http2/6", "http2/7", "http2/8"}

// h2spec counts the cases that addr passes.
func h2spec(t *testing.T, tool, addr string) int {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Error(err)
		return 0
	}
	var cases, passed atomic.Int64
	var all sync.WaitGroup
	for _, section := range sections {
		all.Go(func() {
			out, _ := exec.Command(tool, "-h", host, "-p", port, "-P", "/shop/things", "--timeout", "3", section).CombinedOutput() // it fails with its cases
			m := passedCases.FindSubmatch(out)
			if m == nil {
				t.Errorf("h2spec said nothing of its cases in %s: %.2000s", section, out)
				return
			}
			n, _ := strconv.Atoi(string(m[1]))
			cases.Add(int64(n))
			n, _ = strconv.Atoi(string(m[2]))
			passed.Add(int64(n))
		})
	}
	all.Wait()
	if n := cases.Load(); n != 145 {
		t.Errorf("h2spec has 145 cases, and %d were run", n)
	}
	return int(passed.Load())
}

// plainHTTP2 is Go's own server over HTTP/2 without TLS.
func plainHTTP2(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: protocols, ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}
