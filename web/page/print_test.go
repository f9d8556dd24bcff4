package page

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestInvoicesPrint looks at an invoice as a printer gets it: the document alone,
// dark on light whatever the screen shows.
func TestInvoicesPrint(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser is slow")
	}
	base := serve(t, fixtures())
	ctx := tab(t, &console{})
	printer := chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return err
	})
	do(t, ctx, chromedp.EmulateViewport(720, 1000), printer, chromedp.Navigate(base+"/invoice"))
	shoot(t, ctx, "invoice-printed")
	if !eval[bool](t, ctx, `[".side", ".bar", ".banner", ".btn"].every(s => getComputedStyle(document.querySelector(s)).display === "none")`) {
		t.Error("more than the document is printed")
	}
	if got := eval[string](t, ctx, `getComputedStyle(document.querySelector(".invoice")).color`); got != "rgb(0, 0, 0)" {
		t.Errorf("text is %s", got)
	}
	fits(t, ctx, 720)
}
