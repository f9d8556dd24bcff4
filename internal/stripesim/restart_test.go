package stripesim_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/stripesim"
	"tollgate/internal/stripesim/simtest"
)

const childDir = "STRIPESIM_TEST_DIR"

func TestStateCarriesOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := simtest.New(t, simtest.Options{Dir: dir})
	cus := customerWith(t, a, "pm_card_visa")
	in := "/v1/invoices/" + invoiceOf(t, a, cus, 700)
	before := ok(t, a, "POST", in+"/finalize", "", "Idempotency-Key", "f")
	gone := invoiceOf(t, a, cus, 1)
	ok(t, a, "DELETE", "/v1/invoices/"+gone, "")
	a.Stop()

	// A line that was never answered must not matter.
	f, err := os.OpenFile(filepath.Join(dir, "stripe.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"put":[{"kind":"customer","val`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()

	for range 2 {
		b := simtest.New(t, simtest.Options{Dir: dir})
		again := ok(t, b, "POST", in+"/finalize", "", "Idempotency-Key", "f")
		if text(again, "number") != text(before, "number") {
			t.Errorf("number %s, before %s", text(again, "number"), text(before, "number"))
		}
		if inv := ok(t, b, "GET", in, ""); text(inv, "amount_due") != "700" || text(inv, "status") != "open" {
			t.Errorf("%v", inv)
		}
		if status, _ := b.API("GET", "/v1/invoices/"+gone, ""); status != 404 {
			t.Errorf("a deleted draft came back: %d", status)
		}
		b.Stop()
	}
}

// TestMain lets the test binary also be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		serveForever(dir)
	}
	os.Exit(m.Run())
}

func serveForever(dir string) {
	s, err := stripesim.New(stripesim.Config{
		SecretKey: simtest.SecretKey, PublicURL: "http://127.0.0.1", Dir: dir,
		Now: func() time.Time { return simtest.Start }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("listening " + httptest.NewServer(s.Handler()).URL)
	select {}
}

func TestKilledProcessKeepsWhatItAnswered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answered := map[string]bool{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "listening ") {
			continue
		}
		url := strings.TrimPrefix(lines.Text(), "listening ")
		for i := range 200 {
			if i == 120+10*round {
				go func() { _ = cmd.Process.Kill() }()
			}
			name := fmt.Sprintf("%d-%d", round, i)
			if !postCustomer(t, url, name) {
				break
			}
			answered[name] = true
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	a := simtest.New(t, simtest.Options{Dir: dir})
	found := map[string]bool{}
	after := ""
	for {
		page := ok(t, a, "GET", "/v1/customers", "limit=100"+after)
		for _, c := range page["data"].([]any) {
			c := c.(map[string]any)
			found[text(c, "name")] = true
			after = "&starting_after=" + text(c, "id")
		}
		if page["has_more"] != true {
			break
		}
	}
	for name := range answered {
		if !found[name] {
			t.Errorf("customer %s was answered and lost", name)
		}
	}
	if len(answered) < 300 {
		t.Errorf("only %d answers", len(answered))
	}
}

func postCustomer(t *testing.T, url, name string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/customers", strings.NewReader("name="+name))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+simtest.SecretKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
