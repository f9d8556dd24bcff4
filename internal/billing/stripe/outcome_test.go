package stripe_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/stripesim/simtest"
)

func TestOutcomesAreToldApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fault string
		times       int
		want        stripe.Kind
	}{
		{"an error before the change", "500_before_apply", 1, stripe.Unknown},
		{"an error after the change", "500_after_apply", 1, stripe.Unknown},
		{"a lasting outage", "503_before_apply", 2, stripe.Unknown},
		{"a dead connection", "drop_before_apply", 9, stripe.Unknown},
		{"too many requests", "429_before_apply", 1, stripe.RateLimited},
		{"a refused key", "403_before_apply", 1, stripe.Auth},
		{"a wrong request", "400_before_apply", 1, stripe.Invalid},
		{"a request that overlaps itself", "409_before_apply", 2, stripe.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := simtest.New(t, simtest.Options{})
			a.Fault("/v1/customers", c.fault, c.times)
			_, err := newClient(t, a.URL, "").CreateCustomer(t.Context(), stripe.CustomerInput{OrganizationID: "o", IdempotencyKey: "k"})
			if got := stripe.KindOf(err); got != c.want {
				t.Errorf("%v is %q, want %q", err, got, c.want)
			}
		})
	}
}

func TestARepeatAfterALostAnswerHasOneEffect(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	c := newClient(t, a.URL, "")
	in := stripe.CustomerInput{OrganizationID: "o", IdempotencyKey: "customer/o"}
	a.Fault("/v1/customers", "drop_after_apply", 1)
	first, err := c.CreateCustomer(t.Context(), in) // the SDK repeats it
	must(t, err)
	second, err := c.CreateCustomer(t.Context(), in)
	must(t, err)
	_, list := a.API("GET", "/v1/customers", "")
	if n := len(list["data"].([]any)); n != 1 || first != second {
		t.Errorf("%d customers, %s and %s", n, first, second)
	}
}

// A 500 stays with its key, so the caller must look the object up.
func TestAReplayedErrorSaysThatItsKeyIsUsedUp(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	c := newClient(t, a.URL, "")
	ctx := t.Context()
	cus, _ := customerWithCard(t, a, c, simtest.CardWorks)
	inv, err := c.CreateInvoice(ctx, stripe.InvoiceInput{CustomerID: cus, Currency: "eur", OurInvoiceID: "1", IdempotencyKey: "i"})
	must(t, err)
	in := stripe.ItemInput{CustomerID: cus, InvoiceID: inv.ID, Amount: 100, Currency: "eur", LineID: "line-1", IdempotencyKey: "line-1"}
	a.Fault("/v1/invoiceitems", "500_after_apply", 1)
	for i, wantReplayed := range []bool{false, true} {
		_, err := c.AddItem(ctx, in)
		se, ok := errors.AsType[*stripe.Error](err)
		if !ok || se.Kind != stripe.Unknown || se.Replayed != wantReplayed {
			t.Fatalf("try %d: %+v", i, se)
		}
	}
	id, found, err := c.FindItem(ctx, inv.ID, "line-1")
	if err != nil || !found || !strings.HasPrefix(id, "ii_") {
		t.Errorf("the item was not found: %q, %v", id, err)
	}
	if _, found, err := c.FindItem(ctx, inv.ID, "line-2"); err != nil || found {
		t.Errorf("an item was found that is not there: %v", err)
	}
}

func TestFindItemLooksAtEveryPage(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	c := newClient(t, a.URL, "")
	cus, _ := customerWithCard(t, a, c, simtest.CardWorks)
	inv, err := c.CreateInvoice(t.Context(), stripe.InvoiceInput{CustomerID: cus, Currency: "eur", OurInvoiceID: "1", IdempotencyKey: "i"})
	must(t, err)
	add := func(line string) error {
		_, err := c.AddItem(t.Context(), stripe.ItemInput{CustomerID: cus, InvoiceID: inv.ID, Amount: 1, Currency: "eur", LineID: line, IdempotencyKey: line})
		return err
	}
	for i := range stripe.MaxItems {
		must(t, add("line-"+strings.Repeat("x", i)))
	}
	if err := add("one too many"[:3]); stripe.KindOf(err) != stripe.Invalid {
		t.Errorf("item 251: %v", err)
	}
	if _, found, err := c.FindItem(t.Context(), inv.ID, "line-"); err != nil || !found {
		t.Errorf("the oldest item was not found: %v", err)
	}
	got, err := c.Invoice(t.Context(), inv.ID)
	must(t, err)
	if got.Subtotal != stripe.MaxItems {
		t.Errorf("subtotal %d", got.Subtotal)
	}
}

func TestDeclineTellsCodeAndReason(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	c := newClient(t, a.URL, "")
	cus, _ := customerWithCard(t, a, c, simtest.CardDeclinedPay)
	_, good := a.API("POST", "/v1/payment_methods/pm_card_visa/attach", "customer="+cus)
	inv := draft(t, c, cus, "x")
	_, err := c.Finalize(t.Context(), inv.ID, "f")
	must(t, err)
	_, err = c.Pay(t.Context(), inv.ID, "", "pay/1")
	se, ok := errors.AsType[*stripe.Error](err)
	if !ok || se.Kind != stripe.Declined || se.Code != "card_declined" || se.DeclineCode != "generic_decline" ||
		se.Message == "" || se.RequestID == "" {
		t.Fatalf("%+v", se)
	}
	if _, err = c.Pay(t.Context(), inv.ID, good["id"].(string), "pay/2"); err != nil {
		t.Errorf("another card, another key: %v", err)
	}
	_, err = c.Pay(t.Context(), inv.ID, "", "pay/3")
	if stripe.KindOf(err) != stripe.Invalid {
		t.Errorf("paying twice: %v", err)
	}
}

func TestWrongCallsNeverLeave(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	c := newClient(t, a.URL, "")
	ctx := t.Context()
	long := strings.Repeat("k", 256)
	for name, call := range map[string]func() error{
		"no key":        func() error { _, err := c.Finalize(ctx, "in_1", ""); return err },
		"long key":      func() error { _, err := c.Void(ctx, "in_1", long); return err },
		"blank in key":  func() error { _, err := c.Void(ctx, "in_1", " a"); return err },
		"no id":         func() error { _, err := c.Invoice(ctx, ""); return err },
		"id of a kind":  func() error { _, err := c.Invoice(ctx, "cus_1"); return err },
		"path in id":    func() error { _, err := c.Invoice(ctx, "in_1/../../customers"); return err },
		"empty session": func() error { _, err := c.SetupResult(ctx, ""); return err },
		"currency": func() error {
			_, err := c.CreateInvoice(ctx, stripe.InvoiceInput{CustomerID: "cus_1", Currency: "euro", OurInvoiceID: "1", IdempotencyKey: "k"})
			return err
		},
		"no organization": func() error { _, err := c.CreateCustomer(ctx, stripe.CustomerInput{IdempotencyKey: "k"}); return err },
		"three decimals": func() error {
			_, err := c.AddItem(ctx, stripe.ItemInput{CustomerID: "cus_1", InvoiceID: "in_1", Amount: 1001, Currency: "KWD", LineID: "l", IdempotencyKey: "k"})
			return err
		},
	} {
		if err := call(); stripe.KindOf(err) != stripe.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(a.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestUnknownOutcomeWhenStripeIsSilent(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); srv.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := newClient(t, srv.URL, "").Pay(ctx, "in_1", "", "k")
	if stripe.KindOf(err) != stripe.Unknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestRedirectsAreNotFollowedWithTheKey(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	if _, err := newClient(t, srv.URL, "").Invoice(t.Context(), "in_1"); stripe.KindOf(err) != stripe.Unknown {
		t.Errorf("%v", err)
	}
}

func TestConfigRefusesWhatIsDangerous(t *testing.T) {
	t.Parallel()
	good := stripe.Config{SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret}
	for name, change := range map[string]func(*stripe.Config){
		"no key":               func(c *stripe.Config) { c.SecretKey = "" },
		"publishable key":      func(c *stripe.Config) { c.SecretKey = "pk_test_12345678" },
		"line break in key":    func(c *stripe.Config) { c.SecretKey = "sk_test_12345678\n" },
		"no webhook secret":    func(c *stripe.Config) { c.WebhookSecret = "" },
		"other webhook secret": func(c *stripe.Config) { c.WebhookSecret = simtest.SecretKey },
		"plain http":           func(c *stripe.Config) { c.BaseURL = "http://stripe.example" },
		"trailing slash":       func(c *stripe.Config) { c.BaseURL = "https://stripe.example/" },
		"version":              func(c *stripe.Config) { c.APIVersion = "latest\r\n" },
		"live key elsewhere":   func(c *stripe.Config) { c.SecretKey, c.BaseURL = "sk_live_12345678", "https://stripe.example" },
	} {
		cfg := good
		change(&cfg)
		if _, err := stripe.New(cfg, nil); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	err := stripe.Config{}.Validate()
	if n := strings.Count(err.Error(), "\n"); n != 1 {
		t.Errorf("an empty configuration has two faults, told as: %v", err)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg := stripe.Config{SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret}
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("x", "cfg", cfg, "text", cfg.String()+cfg.GoString())
	a := simtest.New(t, simtest.Options{})
	wrong := cfg
	wrong.SecretKey, wrong.BaseURL = "sk_test_wrong0secret", a.URL
	c, err := stripe.New(wrong, nil)
	must(t, err)
	_, err = c.Invoice(t.Context(), "in_1")
	if stripe.KindOf(err) != stripe.Auth {
		t.Errorf("a wrong key: %v", err)
	}
	for _, secret := range []string{simtest.SecretKey, simtest.WebhookSecret, "wrong0secret"} {
		if strings.Contains(out.String()+err.Error(), secret) {
			t.Errorf("%q was printed", secret)
		}
	}
}
