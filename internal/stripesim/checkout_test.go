package stripesim_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tollgate/internal/stripesim/simtest"
)

func openCheckout(t *testing.T, a *simtest.Account) (id, page string) {
	t.Helper()
	cus := text(ok(t, a, "POST", "/v1/customers", "name="+url.QueryEscape(`<script>alert(1)</script>`)), "id")
	ses := ok(t, a, "POST", "/v1/checkout/sessions", url.Values{
		"mode": {"setup"}, "currency": {"eur"}, "customer": {cus},
		"success_url": {"https://portal.example/done?s={CHECKOUT_SESSION_ID}"}, "cancel_url": {"https://portal.example/back"},
	}.Encode())
	return text(ses, "id"), text(ses, "url")
}

func fetch(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestCheckoutPageIsSelfContainedAndLabelled(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	_, page := openCheckout(t, a)
	res, body := fetch(t, page)
	csp := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' https://portal.example;"} {
		if !strings.Contains(csp, want) {
			t.Errorf("no %s in %s", want, csp)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(body, "<script") || strings.Contains(body, " style=") {
		t.Errorf("script or inline style: %s", csp)
	}
	for _, want := range []string{
		"Simulated Stripe: no real card is charged", `value="4242 4242 4242 4242"`, "Save card", `href="https://portal.example/back"`,
		`<label for="number">`, `<label for="expiry">`, `<label for="cvc">`, `<label for="name">`, `lang="en"`, "&lt;script&gt;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestCheckoutSavesTheCardOnce(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	id, page := openCheckout(t, a)
	for range 2 { // the second is a double click
		status, location := a.SubmitCheckout(page, simtest.CardWorks)
		if status != http.StatusSeeOther || location != "https://portal.example/done?s="+id {
			t.Fatalf("%d to %s", status, location)
		}
	}
	ses := ok(t, a, "GET", "/v1/checkout/sessions/"+id, "expand[]=setup_intent.payment_method")
	if text(ses, "status") != "complete" || text(ses, "setup_intent", "payment_method", "card", "last4") != "4242" || ses["url"] != nil {
		t.Errorf("%v", ses)
	}
	if n := len(ok(t, a, "GET", "/v1/payment_methods", "customer="+text(ses, "customer"))["data"].([]any)); n != 1 {
		t.Errorf("%d cards were saved", n)
	}
}

func TestCheckoutRefusesBadCards(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	id, page := openCheckout(t, a)
	for _, c := range []struct{ number, expiry, cvc, want string }{
		{simtest.CardDeclinedSave, "12/30", "123", "Your card was declined."},
		{"4242 4242 4242 4241", "12/30", "123", "card number is invalid"},
		{"4111 1111 1111 1111", "12/30", "123", "not one of the test cards"},
		{"", "12/30", "123", "card number is invalid"},
		{simtest.CardWorks, "10/26", "123", "expired"},
		{simtest.CardWorks, "13/30", "123", "month must be"},
		{simtest.CardWorks, "soon", "123", "month / year"},
		{simtest.CardWorks, "12/30", "12", "security code"},
	} {
		res, err := http.PostForm(page, url.Values{"number": {c.number}, "expiry": {c.expiry}, "cvc": {c.cvc}})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(body), c.want) {
			t.Errorf("%+v: %d", c, res.StatusCode)
		}
	}
	if got := text(ok(t, a, "GET", "/v1/checkout/sessions/"+id, ""), "status"); got != "open" {
		t.Errorf("the session is %s", got)
	}
	if status, _ := a.SubmitCheckout(page, simtest.CardDeclinedPay); status != http.StatusSeeOther {
		t.Errorf("a card that fails later was refused: %d", status)
	}
}

func TestCheckoutRefusesOtherSites(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	_, page := openCheckout(t, a)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page, strings.NewReader("number=4242424242424242&expiry=12/30&cvc=123"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestCheckoutExpires(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	id, page := openCheckout(t, a)
	a.Clock.Advance(24 * time.Hour)
	if status, _ := a.SubmitCheckout(page, simtest.CardWorks); status != http.StatusConflict {
		t.Errorf("an expired page answered %d", status)
	}
	if got := text(ok(t, a, "GET", "/v1/checkout/sessions/"+id, ""), "status"); got != "expired" {
		t.Errorf("the session is %s", got)
	}
	for _, bad := range []string{"mode=payment", "mode=setup", "mode=setup&currency=eur&customer=cus_x&success_url=javascript:alert(1)"} {
		if status, _ := a.API("POST", "/v1/checkout/sessions", bad); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
}

func TestHostedInvoiceShowsItsLines(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	cus := customerWith(t, a, "pm_card_visa")
	id := invoiceOf(t, a, cus, 123456, -6)
	if res, _ := fetch(t, a.URL+"/invoices/"+id); res.StatusCode != http.StatusNotFound {
		t.Errorf("a draft is shown: %d", res.StatusCode)
	}
	inv := ok(t, a, "POST", "/v1/invoices/"+id+"/finalize", "")
	_, body := fetch(t, text(inv, "hosted_invoice_url"))
	for _, want := range []string{"1234.56 EUR", "−0.06 EUR", "1234.50 EUR", text(inv, "number"), "no real money moves"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}
