package page

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestScripts uses what the scripts add, one behaviour after another in one tab.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser is slow")
	}
	base := serve(t, fixtures())
	ctx := tab(t, &console{})
	do(t, ctx, chromedp.EmulateViewport(1280, 900))
	behaviours := []struct {
		name   string
		page   string
		script string // resolves to true when the page behaves
	}{
		{"the chosen language holds for all samples and the next page", "operation", `document.querySelector("input[value=python]").click(),
			getComputedStyle(document.querySelector("pre[data-panel=python]")).display === "block" && localStorage.getItem("language") === "python"`},
		{"a remembered language is there before the scripts end", "key-created", `document.documentElement.dataset.language === "python" &&
			getComputedStyle(document.querySelector("pre[data-panel=python]")).display === "block" &&
			getComputedStyle(document.querySelector("pre[data-panel=curl]")).display === "none" && document.querySelector("input[value=python]").checked`},
		{"the palette opens by keyboard and narrows", "dashboard", `document.dispatchEvent(new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true})),
			(q => (q.value = "billing", q.dispatchEvent(new Event("input")), new Promise(done => { const look = () =>
			[...document.querySelectorAll("#palette li:not([hidden])")].length === 1 ? done(document.getElementById("palette").open) : requestAnimationFrame(look); look(); })))(document.querySelector("#palette input"))`},
		{"the theme changes and is remembered", "dashboard", `document.querySelector(".theme").click(), localStorage.getItem("theme") === document.documentElement.dataset.theme`},
		{"revoking is armed by the key's name", "keys", `(i => { const b = i.form.querySelector("button"), before = b.disabled; i.value = "billing-worker";
			i.dispatchEvent(new Event("input", {bubbles: true})); return before && !b.disabled; })(document.getElementById("revoke-k1"))`},
		{"the slider moves the number", "pricing", `(s => { s.value = 0; s.dispatchEvent(new Event("input")); const low = document.getElementById("calls").value;
			s.value = 1000; s.dispatchEvent(new Event("input")); return low === "0" && document.getElementById("calls").value === "10000000"; })(document.querySelector("input[type=range]"))`},
		{"the listening page turns green", "first-call", `new Promise(done => { const look = () => document.querySelector(".arrival-arrived") ? done(true) : requestAnimationFrame(look); look(); })`},
		{"a menu closes when the person goes elsewhere", "usage", `document.querySelector("details.dropdown").open = true, document.querySelector("h1").click(), !document.querySelector("details.dropdown").open`},
	}
	for _, behaviour := range behaviours {
		t.Run(behaviour.name, func(t *testing.T) {
			do(t, ctx, chromedp.Navigate(base+"/"+behaviour.page))
			if !eval[bool](t, ctx, behaviour.script) {
				t.Error("it does not")
			}
		})
	}
}

// TestReadsWithoutScripts opens pages with scripts off: what they say must be there.
func TestReadsWithoutScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser is slow")
	}
	base := serve(t, fixtures())
	ctx := tab(t, &console{})
	do(t, ctx, scriptsOff())
	for page, script := range map[string]string{
		"operation": `getComputedStyle(document.querySelector("pre[data-panel=curl]")).display === "block" && getComputedStyle(document.querySelector(".copy")).display === "none"`,
		"import":    `getComputedStyle(document.querySelector(".import-upload")).display === "block" && getComputedStyle(document.querySelector(".import-paste")).display === "none"`,
		"keys":      `!document.querySelector("#revoke-k1").form.querySelector("button").disabled`,
	} {
		t.Run(page, func(t *testing.T) {
			do(t, ctx, chromedp.Navigate(base+"/"+page))
			if !eval[bool](t, ctx, script) {
				t.Error("it does not")
			}
		})
	}
}

func scriptsOff() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}
