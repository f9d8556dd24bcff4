package story

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "folder for screenshots of every screen")

const axePath = "../../.cache/axe-4.14.1.min.js"

// browser is one person's Chromium.
type browser struct {
	t    *testing.T
	ctx  context.Context
	who  string
	base string
	axe  string
}

// open starts a browser with an empty profile.
func open(t *testing.T, who, base string) *browser {
	t.Helper()
	axe, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatalf("axe is missing (run tools/fetch-axe.sh): %v", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(chromium(t)), chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.NoFirstRun, chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it; a deadline here would end it later
		t.Fatalf("start chromium: %v", err)
	}
	b := &browser{t: t, ctx: ctx, who: who, base: base, axe: string(axe)}
	b.do(chromedp.EmulateViewport(1280, 900))
	return b
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("chromium is missing (run tools/require.sh chromium)")
	return ""
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", b.who, err)
	}
}

func eval[T any](b *browser, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %.200s: %v", b.who, script, err)
	}
	return value
}

// visit opens a page of the portal and looks at it.
func (b *browser) visit(path string) *browser {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	return b.look(path)
}

// visitQuietly opens a page without looking at it closely.
func (b *browser) visitQuietly(path string) *browser {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	return b
}

// look checks the screen that is shown: no serious accessibility fault, nothing
// wider than the window, no error page.
func (b *browser) look(name string) *browser {
	b.t.Helper()
	if strings.Contains(b.address(), b.base) {
		if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			b.t.Errorf("%s, %s: %d px wider than the window", b.who, name, over)
		}
	}
	// run where the page's own policy does not reach
	found := eval[[]string](b, b.axe+`; axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.flatMap(v => v.nodes.slice(0, 3).map(n => v.id + ": " + n.target.join(" "))))`)
	for _, fault := range found {
		b.t.Errorf("%s, %s: axe: %s", b.who, name, fault)
	}
	b.shoot(name)
	return b
}

func (b *browser) shoot(name string) {
	if *shots == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*shots, b.who+strings.NewReplacer("/", "_", "?", "_", "=", "_").Replace(name)+".png"), picture, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}

func (b *browser) address() string { return eval[string](b, `location.href`) }

// text is what the page says in its main part; nothing while it is being left.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? ""`))
	if err != nil {
		return ""
	}
	return text
}

// says fails unless the page says all of the given texts.
func (b *browser) says(texts ...string) *browser {
	b.t.Helper()
	shown := b.text()
	for _, want := range texts {
		if !strings.Contains(shown, want) {
			b.t.Errorf("%s at %s: “%s” is not there in:\n%s", b.who, b.address(), want, shown)
		}
	}
	return b
}

// fill types into fields of the form that has the named button. A checkbox or
// radio is chosen by its value; repeated fields take values joined by “|”.
func (b *browser) fill(button string, fields map[string]string) {
	b.t.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		b.t.Fatal(err)
	}
	missing := eval[[]string](b, findForm(button)+`
		const missing = [];
		for (const [name, value] of Object.entries(`+string(data)+`)) {
			const all = [...form.elements].filter(e => e.name === name);
			if (all.length === 0) { missing.push(name); continue; }
			if (all[0].type === "radio" || all[0].type === "checkbox") {
				const one = all.find(e => e.value === value || e.closest("label")?.innerText.includes(value));
				if (!one) missing.push(name + "=" + value); else one.checked = true;
				continue;
			}
			const values = all.length > 1 ? value.split("|") : [value];
			values.forEach((v, i) => {
				all[i].value = v;
				if (all[i].value !== v) missing.push(name + "=" + v);
				all[i].dispatchEvent(new Event("input", {bubbles: true}));
				all[i].dispatchEvent(new Event("change", {bubbles: true}));
			});
		}
		return missing; })()`)
	if len(missing) > 0 {
		b.t.Fatalf("%s at %s: the form has no %v", b.who, b.address(), missing)
	}
}

func findForm(button string) string {
	name, _ := json.Marshal(button) //nolint:errchkjson // a string always marshals
	return `(() => {
		const press = [...document.querySelectorAll("main form button, main form input[type=submit]")].find(e => (e.innerText || e.value).trim().startsWith(` + string(name) + `));
		if (!press) throw new Error("no button " + ` + string(name) + ` + " on " + location.href + ": " + document.body.innerText);
		const form = press.form;`
}

// press presses the named button of a form and waits for the next page.
func (b *browser) press(button string) *browser {
	b.t.Helper()
	b.leave(findForm(button) + ` press.click(); return true; })()`)
	return b
}

// follow clicks the link that begins with the given text, or else contains it.
func (b *browser) follow(link string) *browser {
	b.t.Helper()
	name, _ := json.Marshal(link) //nolint:errchkjson // a string always marshals
	b.leave(`(() => {
		const all = [...document.querySelectorAll("main a"), ...document.querySelectorAll("a")], name = ` + string(name) + `;
		const a = all.find(e => e.innerText.trim().startsWith(name)) ?? all.find(e => e.innerText.includes(name));
		if (!a) throw new Error("no link " + ` + string(name) + ` + " on " + location.href + ": " + document.body.innerText);
		a.click(); return true; })()`)
	return b
}

// leave runs a script that leads to another page and waits until that is loaded.
func (b *browser) leave(script string) {
	b.t.Helper()
	eval[bool](b, `window.leaving = true`)
	eval[bool](b, script)
	b.until("the next page", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.leaving && document.readyState === "complete"`))
		return err == nil && ok // while it navigates there is no page to ask
	})
}

func (b *browser) until(what string, ok func() bool) {
	b.t.Helper()
	eventually(b.t, b.who+": "+what, ok)
}

// eventually waits for a condition, for two minutes at most: the machine may be busy.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// signIn signs a person in.
func (b *browser) signIn(email, password string) *browser {
	b.t.Helper()
	b.visit("/login")
	b.fill("Sign in", map[string]string{"email": email, "password": password})
	return b.press("Sign in")
}
