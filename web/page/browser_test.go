package page

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"tollgate/web/static"
)

var shots = flag.String("shots", "", "folder for screenshots of every page")

const (
	chromium = "/usr/bin/chromium"
	axePath  = "../../.cache/axe-4.14.1.min.js"
	policy   = "default-src 'none'; style-src 'self'; script-src 'self' 'nonce-n0nce'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)

// serve answers with every fixture under its name, as strictly as the portal does.
func serve(t *testing.T, all []fixture) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler())
	mux.HandleFunc("/status.json", func(w http.ResponseWriter, _ *http.Request) {
		writeArrival(t, w)
	})
	for _, f := range all {
		markup := rendered(t, f)
		mux.HandleFunc("/"+f.name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", policy)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			if _, err := w.Write(markup); err != nil {
				t.Logf("serve %s: %v", f.name, err)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// writeArrival answers a listening page: its call has arrived.
func writeArrival(t *testing.T, w http.ResponseWriter) {
	var fragment strings.Builder
	result := FirstCallResult{State: CallArrived, Method: "GET", Path: "/weather/v2/current", Status: "200 OK", Latency: "38 ms"}
	if err := FirstCallStatus(result).Render(context.Background(), &fragment); err != nil {
		t.Errorf("render the fragment: %v", err)
	}
	w.Header().Set("Content-Type", "application/json")
	answer := struct {
		Arrived bool   `json:"arrived"`
		HTML    string `json:"html"`
	}{true, fragment.String()}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		t.Logf("answer: %v", err)
	}
}

// tab starts a browser of its own with one tab, whose console goes to heard.
func tab(t *testing.T, heard *console) context.Context {
	t.Helper()
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(chromium), chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.NoFirstRun, chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", chromium, err)
	}
	go heard.listen(ctx)
	return ctx
}

// TestBrowser opens every page in a browser: nothing may be written to the
// console, nothing may overflow, and axe may find nothing serious.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser is slow")
	}
	axe, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatalf("run tools/fetch-axe.sh first: %v", err)
	}
	all := fixtures()
	base := serve(t, all)
	heard := &console{}
	ctx := tab(t, heard)
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			heard.take()
			look(t, ctx, base+"/"+f.name, f.name, string(axe))
			for _, message := range heard.take() {
				t.Error("console: ", message)
			}
		})
	}
}

// look checks one page wide and narrow, light and dark.
func look(t *testing.T, ctx context.Context, url, name, axe string) {
	do(t, ctx, chromedp.EmulateViewport(1280, 900), scheme("light"), chromedp.Navigate(url))
	fits(t, ctx, 1280)
	eval[bool](t, ctx, axe+"; true")
	serious(t, ctx, "light", "")
	shoot(t, ctx, name+"-wide-light")
	do(t, ctx, scheme("dark"))
	serious(t, ctx, "dark", `, runOnly: ["color-contrast"]`)
	shoot(t, ctx, name+"-wide-dark")
	do(t, ctx, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	fits(t, ctx, 390)
	shoot(t, ctx, name+"-phone-dark")
	if *shots != "" {
		do(t, ctx, scheme("light"))
		shoot(t, ctx, name+"-phone-light")
	}
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	})
}

// fits tells whether the page is as wide as the window and not wider.
func fits(t *testing.T, ctx context.Context, width int) {
	t.Helper()
	if got := eval[int](t, ctx, "document.documentElement.scrollWidth"); got > width {
		t.Errorf("%d px wide in a window of %d: %s", got, width, eval[string](t, ctx, fmt.Sprintf(widest, width)))
	}
}

// widest names the elements that stick out without a scrolling box around them.
const widest = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > %d + 1 &&
	!e.closest(".table-scroll, .chart-scroll, pre, .tabs, [popover]")).slice(0, 5).map(e => e.tagName + "." + e.getAttribute("class")).join(" ")`

// serious reports what axe finds serious or critical. In the second theme only
// colours can differ.
func serious(t *testing.T, ctx context.Context, theme, options string) {
	t.Helper()
	found := eval[[]string](t, ctx, `axe.run(document, {resultTypes: ["violations"]`+options+`}).then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ": " + n.target.join(" ") + " " + n.failureSummary.split("\n").slice(1).join(" "))))`)
	for _, fault := range found {
		t.Errorf("axe, %s: %s", theme, fault)
	}
}

func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, strings.ReplaceAll(name, "/", "-")+".png"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
