package stripesim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/stripesim/simtest"
)

// text reads a nested member, for example text(o, "error", "code").
func text(o map[string]any, path ...string) string {
	for i, name := range path {
		if i == len(path)-1 {
			return fmt.Sprint(o[name])
		}
		o, _ = o[name].(map[string]any)
	}
	return ""
}

// ok calls the API and expects success.
func ok(t *testing.T, a *simtest.Account, method, path, form string, header ...string) map[string]any {
	t.Helper()
	status, out := a.API(method, path, form, header...)
	if status != http.StatusOK {
		t.Fatalf("%s %s %s: %d %v", method, path, form, status, out)
	}
	return out
}

func customerWith(t *testing.T, a *simtest.Account, card string) string {
	t.Helper()
	cus := text(ok(t, a, "POST", "/v1/customers", "name=Ada"), "id")
	pm := text(ok(t, a, "POST", "/v1/payment_methods/"+card+"/attach", "customer="+cus), "id")
	ok(t, a, "POST", "/v1/customers/"+cus, "invoice_settings[default_payment_method]="+pm)
	return cus
}

func invoiceOf(t *testing.T, a *simtest.Account, cus string, amounts ...int64) string {
	t.Helper()
	in := text(ok(t, a, "POST", "/v1/invoices", "currency=eur&auto_advance=false&customer="+cus), "id")
	for _, n := range amounts {
		ok(t, a, "POST", "/v1/invoiceitems", fmt.Sprintf("customer=%s&invoice=%s&amount=%d&currency=eur", cus, in, n))
	}
	return in
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	first := ok(t, a, "POST", "/v1/customers", "name=Ada&email=a@b.c", "Idempotency-Key", "k")
	again := ok(t, a, "POST", "/v1/customers", "email=a@b.c&name=Ada", "Idempotency-Key", "k")
	if text(first, "id") != text(again, "id") {
		t.Error("the same key and parameters made two customers")
	}
	status, out := a.API("POST", "/v1/customers", "name=Eve", "Idempotency-Key", "k")
	if status != 400 || text(out, "error", "type") != "idempotency_error" {
		t.Errorf("other parameters: %d %v", status, out)
	}
	status, out = a.API("POST", "/v1/customers", "nome=Ada", "Idempotency-Key", "typo")
	if status != 400 || text(out, "error", "code") != "parameter_unknown" {
		t.Errorf("unknown parameter: %d %v", status, out)
	}
	ok(t, a, "POST", "/v1/customers", "name=Ada", "Idempotency-Key", "typo") // a validation error is not remembered
	a.Clock.Advance(25 * time.Hour)
	later := ok(t, a, "POST", "/v1/customers", "name=Ada&email=a@b.c", "Idempotency-Key", "k")
	if text(later, "id") == text(first, "id") {
		t.Error("a key was remembered for more than a day")
	}
}

func TestAKeyInFlightIsAConflict(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	a.Control("POST", "/_sim/faults", map[string]any{"path": "/v1/customers", "kind": "delay", "delay_ms": 400, "times": 1}, nil)
	slow := make(chan int, 1)
	go func() {
		status, _ := a.API("POST", "/v1/customers", "name=Ada", "Idempotency-Key", "k")
		slow <- status
	}()
	conflict := false
	for {
		select {
		case status := <-slow:
			if status != 200 || !conflict {
				t.Errorf("slow request %d, conflict seen %v", status, conflict)
			}
			return
		default:
			var pending []any
			if a.Control("GET", "/_sim/faults", nil, &pending); len(pending) > 0 || conflict {
				continue
			}
			status, out := a.API("POST", "/v1/customers", "name=Ada", "Idempotency-Key", "k")
			conflict = status == 409 && text(out, "error", "code") == "idempotency_key_in_use"
		}
	}
}

func TestFaultsAfterApplyKeepTheirEffect(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct{ first, repeat, customers int }{
		"500_before_apply":  {500, 200, 1},
		"500_after_apply":   {500, 500, 1}, // Stripe remembers its own errors
		"drop_before_apply": {0, 200, 1},
		"drop_after_apply":  {0, 200, 1},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			a := simtest.New(t, simtest.Options{})
			a.Fault("/v1/customers", kind, 2) // Go's client repeats a dropped request once
			first, _ := a.API("POST", "/v1/customers", "name=Ada", "Idempotency-Key", "k")
			a.Control("DELETE", "/_sim/faults", nil, nil)
			repeat, _ := a.API("POST", "/v1/customers", "name=Ada", "Idempotency-Key", "k")
			n := len(ok(t, a, "GET", "/v1/customers", "")["data"].([]any))
			if (first != want.first && kind[0] != 'd') || repeat != want.repeat || n != want.customers {
				t.Errorf("answers %d and %d, %d customers", first, repeat, n)
			}
		})
	}
}

func TestInvoiceTotalsAndStates(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	cus := customerWith(t, a, "pm_card_visa")
	in := "/v1/invoices/" + invoiceOf(t, a, cus, 1000, 500, -200)
	inv := ok(t, a, "GET", in, "")
	if text(inv, "subtotal") != "1300" || text(inv, "total") != "1300" || text(inv, "status") != "draft" || inv["number"] != nil {
		t.Fatalf("draft: %v", inv)
	}
	refuse := func(method, path, form, code string) {
		t.Helper()
		status, out := a.API(method, path, form)
		if status != 400 || (code != "" && text(out, "error", "code") != code) {
			t.Errorf("%s %s: %d %v", method, path, status, out)
		}
	}
	refuse("POST", in+"/void", "", "invoice_not_editable")
	refuse("POST", in+"/pay", "", "")
	refuse("POST", "/v1/invoiceitems", "customer="+cus+"&amount=1&currency=usd&invoice="+text(inv, "id"), "")
	inv = ok(t, a, "POST", in+"/finalize", "")
	if text(inv, "status") != "open" || text(inv, "amount_due") != "1300" || text(inv, "number") == "" || inv["hosted_invoice_url"] == nil {
		t.Fatalf("open: %v", inv)
	}
	refuse("POST", in+"/finalize", "", "invoice_not_editable")
	refuse("DELETE", in, "", "invoice_not_editable")
	refuse("POST", "/v1/invoiceitems", "customer="+cus+"&amount=1&currency=eur&invoice="+text(inv, "id"), "invoice_not_editable")
	refuse("POST", in, "description=new", "invoice_not_editable")
	inv = ok(t, a, "POST", in+"/pay", "")
	if text(inv, "status") != "paid" || text(inv, "amount_paid") != "1300" || text(inv, "amount_remaining") != "0" {
		t.Fatalf("paid: %v", inv)
	}
	refuse("POST", in+"/pay", "", "")
	refuse("POST", in+"/void", "", "invoice_not_editable")
	ch := ok(t, a, "GET", "/v1/charges/"+text(inv, "charge"), "")
	pi := ok(t, a, "GET", "/v1/payment_intents/"+text(inv, "payment_intent"), "")
	if text(ch, "amount") != "1300" || ch["paid"] != true || text(pi, "status") != "succeeded" {
		t.Errorf("charge %v, intent %v", ch, pi)
	}
	ok(t, a, "POST", "/v1/refunds", "amount=300&charge="+text(ch, "id"))
	refuse("POST", "/v1/refunds", "amount=1001&payment_intent="+text(pi, "id"), "")
	ok(t, a, "POST", "/v1/refunds", "charge="+text(ch, "id"))
	refuse("POST", "/v1/refunds", "charge="+text(ch, "id"), "charge_already_refunded")
}

func TestWhatIsNotChargedStaysOnTheBalance(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	cus := customerWith(t, a, "pm_card_visa")
	for _, c := range []struct {
		amount       int64
		status, due  string
		balanceAfter string
	}{
		{-500, "paid", "0", "-500"}, // credit
		{300, "paid", "0", "-200"},  // covered by it
		{1000, "open", "800", "0"},  // the rest of it
		{49, "paid", "0", "49"},     // below the smallest charge
		{100, "open", "149", "0"},   // with what was left over
		{0, "paid", "0", "0"},       // nothing
	} {
		inv := ok(t, a, "POST", "/v1/invoices/"+invoiceOf(t, a, cus, c.amount)+"/finalize", "")
		balance := text(ok(t, a, "GET", "/v1/customers/"+cus, ""), "balance")
		if text(inv, "status") != c.status || text(inv, "amount_due") != c.due || balance != c.balanceAfter {
			t.Errorf("%d: %s, due %s, balance %s", c.amount, text(inv, "status"), text(inv, "amount_due"), balance)
		}
	}
}

func TestADeclineLeavesItsFailedCharge(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	cus := customerWith(t, a, "pm_card_chargeCustomerFail")
	in := "/v1/invoices/" + invoiceOf(t, a, cus, 1000)
	ok(t, a, "POST", in+"/finalize", "")
	status, out := a.API("POST", in+"/pay", "", "Idempotency-Key", "p1")
	if status != 402 || text(out, "error", "code") != "card_declined" || text(out, "error", "decline_code") != "generic_decline" {
		t.Fatalf("%d %v", status, out)
	}
	ch := ok(t, a, "GET", "/v1/charges/"+text(out, "error", "charge"), "")
	inv := ok(t, a, "GET", in, "")
	if ch["paid"] != false || text(inv, "status") != "open" || text(inv, "attempt_count") != "1" {
		t.Errorf("charge %v, invoice %v", ch, inv)
	}
	a.API("POST", in+"/pay", "", "Idempotency-Key", "p1")
	if n := text(ok(t, a, "GET", in, ""), "attempt_count"); n != "1" {
		t.Errorf("a repeat with the same key was attempt %s", n)
	}
	if status, _ := a.API("POST", "/v1/payment_methods/pm_card_chargeDeclined/attach", "customer="+cus); status != 402 {
		t.Errorf("a card that is declined at once was attached: %d", status)
	}
}

func TestListsPageThroughEverythingOnce(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	for i := range 7 {
		ok(t, a, "POST", "/v1/customers", fmt.Sprintf("name=%d", i))
	}
	var seen, after string
	for {
		page := ok(t, a, "GET", "/v1/customers", "limit=3"+after)
		data := page["data"].([]any)
		for _, c := range data {
			seen += text(c.(map[string]any), "name")
		}
		if page["has_more"] != true {
			break
		}
		after = "&starting_after=" + text(data[len(data)-1].(map[string]any), "id")
	}
	if seen != "6543210" {
		t.Errorf("saw %s", seen)
	}
	for _, bad := range []string{"limit=0", "limit=101", "limit=x", "starting_after=cus_nobody", "starting_after=a&ending_before=b", "expand[]=data.name"} {
		if status, _ := a.API("GET", "/v1/customers", bad); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
}

func TestOnlyTheKeyOpensTheAPI(t *testing.T) {
	t.Parallel()
	a := simtest.New(t, simtest.Options{})
	for _, auth := range []string{"Bearer ", "Bearer sk_test_other", "Basic eDp5", ""} {
		status, out := a.API("GET", "/v1/customers", "", "Authorization", auth)
		if status != 401 || text(out, "error", "type") != "invalid_request_error" {
			t.Errorf("%q: %d %v", auth, status, out)
		}
	}
	if status, _ := a.API("GET", "/v1/subscriptions", ""); status != 404 {
		t.Errorf("an endpoint outside the simulation: %d", status)
	}
	if n := len(a.Requests()); n != 5 {
		t.Errorf("%d requests recorded", n)
	}
	if raw := fmt.Sprint(a.Requests()); strings.Contains(raw, simtest.SecretKey) {
		t.Error("the key was recorded")
	}
}
