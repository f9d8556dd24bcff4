package stripe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/stripesim/simtest"
)

const root = "../../.."

var installMocks = sync.OnceValue(func() error {
	cmd := exec.Command("bash", "tools/install-stripe-mock.sh")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("installing stripe-mock: %w\n%s", err, out)
	}
	return nil
})

// startMock runs one version of Stripe's own mock on free loopback ports.
func startMock(t *testing.T, version string) (url string) {
	t.Helper()
	must(t, installMocks())
	addr, tlsAddr := freeAddr(t), freeAddr(t)
	bin, err := filepath.Abs(filepath.Join(root, ".tools", "stripe-mock-"+version))
	must(t, err)
	var log bytes.Buffer
	// Without -https-addr it would open a port on every interface.
	cmd := exec.Command(bin, "-http-addr", addr, "-https-addr", tlsAddr)
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = <-exited //nolint:staticcheck // it was killed: how it ended says nothing
	})
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			must(t, conn.Close())
			return "http://" + addr
		}
		select {
		case <-tick.C:
		case err := <-exited:
			exited <- err
			t.Fatalf("stripe-mock %s ended: %v\n%s", version, err, log.String())
		case <-deadline.C:
			t.Fatalf("stripe-mock %s does not listen", version)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	return addr
}

// recordings runs the whole repertoire in the SDK's and in the newest version.
func recordings(t *testing.T, version string) []simtest.Request {
	t.Helper()
	a := simtest.New(t, simtest.Options{})
	repertoire(t, a, newClient(t, a.URL, version))
	return a.Requests()
}

func TestStripesOwnMockAcceptsEveryRequest(t *testing.T) {
	t.Parallel()
	requests := append(recordings(t, ""), recordings(t, newAPI)...)
	for _, version := range []string{oldMock, newMock} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			url := startMock(t, version)
			for _, r := range requests {
				status, answer := replay(t, url, r)
				if status/100 != 2 {
					t.Errorf("%s %s?%s %s: %d %s", r.Method, r.Path, r.Query, r.Body, status, answer)
				}
			}
		})
	}
}

func replay(t *testing.T, base string, r simtest.Request) (int, string) {
	t.Helper()
	target := base + r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, target, strings.NewReader(r.Body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+simtest.SecretKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", r.IdempotencyKey)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(answer)
}

// TestEveryWriteNamesItsKey guards against the SDK's random keys.
func TestEveryWriteNamesItsKey(t *testing.T) {
	t.Parallel()
	for _, r := range recordings(t, "") {
		if r.Method != http.MethodGet && !strings.Contains(r.IdempotencyKey, "/") {
			t.Errorf("%s %s went with the key %q", r.Method, r.Path, r.IdempotencyKey)
		}
	}
}

func TestSimulatorAnswersInStripesShapes(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name, version string
		load          func() (*spec, error)
	}{
		{"of the SDK's version", "2023-10-16", oldSpec},
		{"of the newest version", newAPI, newSpec},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s, err := v.load()
			must(t, err)
			a := simtest.New(t, simtest.Options{})
			repertoire(t, a, newClient(t, a.URL, v.version))
			lookAtEverything(t, a, v.version)
			for _, r := range a.Requests() {
				checkAnswer(t, s, r)
			}
		})
	}
}

func checkAnswer(t *testing.T, s *spec, r simtest.Request) {
	t.Helper()
	where := fmt.Sprintf("%s %s?%s → %d", r.Method, r.Path, r.Query, r.Status)
	schema, err := s.answerSchema(r.Method, r.Path, r.Status)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	var answer any
	must(t, json.Unmarshal([]byte(r.Answer), &answer))
	s.check(t, where, schema, answer)
}

// TestEventsCarryStripesObjects checks what webhooks carry, which always has
// the account's own version.
func TestEventsCarryStripesObjects(t *testing.T) {
	t.Parallel()
	s, err := oldSpec()
	must(t, err)
	a := simtest.New(t, simtest.Options{})
	repertoire(t, a, newClient(t, a.URL, newAPI))
	_, list := a.API("GET", "/v1/events", "limit=100")
	events, ok := list["data"].([]any)
	if !ok || len(events) < 20 {
		t.Fatalf("only %d events", len(events))
	}
	for _, e := range events {
		event := e.(map[string]any)
		object := event["data"].(map[string]any)["object"].(map[string]any)
		kind := object["object"].(string)
		s.check(t, event["type"].(string), s.doc.Components.Schemas[kind].Value, object)
	}
}

// lookAtEverything reads every endpoint that the client itself does not need.
func lookAtEverything(t *testing.T, a *simtest.Account, version string) {
	t.Helper()
	get := func(path, query string) map[string]any {
		t.Helper()
		status, out := a.API("GET", path, query, "Stripe-Version", version)
		if status != 200 {
			t.Fatalf("GET %s?%s: %d %v", path, query, status, out)
		}
		return out
	}
	first := func(path, query string) string {
		t.Helper()
		data := get(path, query)["data"].([]any)
		if len(data) == 0 {
			t.Fatalf("GET %s?%s is empty", path, query)
		}
		id := data[0].(map[string]any)["id"].(string)
		get(path+"/"+id, "")
		return id
	}
	cus := first("/v1/customers", "limit=1")
	pm := first("/v1/payment_methods", "type=card&customer="+cus)
	get("/v1/payment_methods/"+pm, "expand[]=customer")
	for _, status := range []string{"open", "paid", "void"} {
		inv := first("/v1/invoices", "status="+status+"&expand[]=data.customer")
		get("/v1/invoices/"+inv+"/lines", "")
		item := first("/v1/invoiceitems", "invoice="+inv)
		get("/v1/invoiceitems/"+item, "expand[]=invoice")
	}
	paid := first("/v1/invoices", "status=paid")
	if status, out := a.API("POST", "/v1/credit_notes", "invoice="+paid+"&amount=234&refund_amount=234", "Stripe-Version", version); status != 200 {
		t.Fatalf("credit note: %d %v", status, out)
	}
	first("/v1/credit_notes", "")
	refund := first("/v1/refunds", "")
	expanded := get("/v1/refunds/"+refund, "expand[]=charge&expand[]=payment_intent.latest_charge")
	get("/v1/charges/"+expanded["charge"].(map[string]any)["id"].(string), "")
	get("/v1/payment_intents/"+expanded["payment_intent"].(map[string]any)["id"].(string), "")
	first("/v1/events", "limit=2")
	setupAndAttach(t, a, cus, version)
}

func setupAndAttach(t *testing.T, a *simtest.Account, cus, version string) {
	t.Helper()
	for _, call := range [][3]string{
		{"POST", "/v1/payment_methods/pm_card_visa/attach", "customer=" + cus},
		{"POST", "/v1/payment_methods/pm_card_chargeDeclined/attach", "customer=" + cus},
		{"POST", "/v1/checkout/sessions", "mode=setup&currency=usd&success_url=https://a.example/&customer=" + cus},
		{"POST", "/v1/invoices", "customer=cus_nobody"},
		{"GET", "/v1/invoices/in_nothing", ""},
	} {
		_, out := a.API(call[0], call[1], call[2], "Stripe-Version", version)
		id, _ := out["id"].(string)
		switch out["object"] {
		case "payment_method":
			a.API("POST", "/v1/payment_methods/"+id+"/detach", "", "Stripe-Version", version)
		case "checkout.session":
			a.API("GET", "/v1/setup_intents/"+out["setup_intent"].(string), "", "Stripe-Version", version)
			a.API("POST", "/v1/checkout/sessions/"+id+"/expire", "", "Stripe-Version", version)
		}
	}
}

// TestClientUnderstandsStripesOwnMock makes the SDK decode both generations
// of answers.
func TestClientUnderstandsStripesOwnMock(t *testing.T) {
	t.Parallel()
	for mock, version := range map[string]string{oldMock: "", newMock: newAPI} {
		t.Run(mock, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			c := newClient(t, startMock(t, mock), version)
			cus, err := c.CreateCustomer(ctx, stripe.CustomerInput{OrganizationID: "org-1", IdempotencyKey: "a"})
			must(t, err)
			_, err = c.CreateSetupCheckout(ctx, stripe.SetupInput{CustomerID: cus, Currency: "usd", SuccessURL: "https://a.example/", IdempotencyKey: "b"})
			must(t, err)
			_, err = c.SetupResult(ctx, "cs_test_1")
			must(t, err)
			inv, err := c.CreateInvoice(ctx, stripe.InvoiceInput{CustomerID: cus, Currency: "usd", OurInvoiceID: "1", IdempotencyKey: "c"})
			must(t, err)
			if inv.ID == "" || inv.Currency != "usd" || inv.Status == "" || inv.Subtotal == 0 || inv.Total == 0 {
				t.Errorf("an invoice was not understood: %+v", inv)
			}
			_, err = c.AddItem(ctx, stripe.ItemInput{CustomerID: cus, InvoiceID: inv.ID, Amount: 5, Currency: "usd", LineID: "l", IdempotencyKey: "d"})
			must(t, err)
			_, _, err = c.FindItem(ctx, inv.ID, "nothing")
			must(t, err)
			for _, call := range []func() (stripe.Invoice, error){
				func() (stripe.Invoice, error) { return c.Finalize(ctx, inv.ID, "e") },
				func() (stripe.Invoice, error) { return c.Pay(ctx, inv.ID, "pm_1", "f") },
				func() (stripe.Invoice, error) { return c.Void(ctx, inv.ID, "g") },
			} {
				if inv, err := call(); err != nil || inv.ID == "" {
					t.Errorf("%+v, %v", inv, err)
				}
			}
		})
	}
}
