package portal_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/metering/spool"
	"tollgate/internal/stripesim/simtest"
)

// subscribePro takes a customer through Checkout with a card.
func (b *browser) subscribePro(card string) answer {
	b.w.t.Helper()
	checkout := b.post("/console/subscribe/" + b.w.pro.ID.String())
	checkout.expect(http.StatusSeeOther, "")
	if !strings.HasPrefix(checkout.Location, b.w.Stripe.URL) {
		b.w.t.Fatalf("leads to %q, not to Checkout", checkout.Location)
	}
	status, back := b.w.Stripe.SubmitCheckout(checkout.Location, card)
	if status != http.StatusSeeOther && status != http.StatusFound {
		b.w.t.Fatalf("Checkout answered %d", status)
	}
	return b.get(back)
}

// makeKey makes a key and returns its id and secret.
func (b *browser) makeKey(name, mode string) (id uuid.UUID, secret string) {
	b.w.t.Helper()
	b.post("/console/keys", "name", name, "mode", mode).expect(http.StatusSeeOther, "/console/keys/created")
	created := b.get("/console/keys/created").expect(http.StatusOK, "", name)
	secret = regexp.MustCompile(`tg_(live|test)_[0-9A-Za-z]{36}`).FindString(created.Body)
	if secret == "" {
		b.w.t.Fatalf("no secret on the page: %s", text(created.Body))
	}
	id = b.w.id(`SELECT k.id FROM keys k JOIN members m ON m.org_id = k.org_id JOIN users u ON u.id = m.user_id WHERE u.email = $1 AND k.name = $2 ORDER BY k.created_at DESC, k.id DESC LIMIT 1`, b.email, name)
	return id, secret
}

func (b *browser) subscription() uuid.UUID {
	b.w.t.Helper()
	return b.w.id(`SELECT s.id FROM subscriptions s JOIN members m ON m.org_id = s.org_id JOIN users u ON u.id = m.user_id WHERE u.email = $1 ORDER BY s.created_at DESC LIMIT 1`, b.email)
}

func TestANewCustomerIsToldWhatToDoNext(t *testing.T) {
	t.Parallel()
	b := newWorld(t).customer("ada@acme.example")
	for path, says := range map[string]string{
		"/console": "Choose a plan", "/console/usage": "No calls in this time", "/console/logs": "No calls match", "/console/keys": "No key yet",
		"/console/subscriptions": "No subscription yet", "/console/billing": "No invoice is coming",
	} {
		b.get(path).expect(http.StatusOK, "", says)
	}
}

func TestSubscribeToAFreePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.get("/console/subscribe/"+w.free.ID.String()).expect(http.StatusOK, "", "$0.00", "Nothing is ever charged", "1,000 calls a month, then refused")
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "/console/keys")
	b.get("/console/keys").expect(http.StatusOK, "", "You are subscribed to Weather Free. Now create a key")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Weather Free", "Renews on 23 December 2026, free of charge.")
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusConflict, "", "on that plan already")
}

func TestAFreePlanAsksForNothingThatIsThereAlready(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.makeKey("laptop", "live")
	w.exec(`UPDATE organizations SET payment_method_id = 'pm_1', card_brand = 'visa', card_last4 = '4242' WHERE name LIKE 'Acme%'`)
	if page := b.get("/console/subscribe/"+w.free.ID.String()).expect(http.StatusOK, "", "Nothing is ever charged"); strings.Contains(page.Body, "Paid with") {
		t.Error("a free plan is paid with a card")
	}
	b.get("/console/subscribe/"+w.pro.ID.String()).expect(http.StatusOK, "", "Paid with Visa ending 4242")
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "/console/keys")
	if page := b.get("/console/keys").expect(http.StatusOK, "", "You are subscribed to Weather Free. Your keys work for it at once."); strings.Contains(page.Body, "Now create a key") {
		t.Error("asks for a key although there is one")
	}
}

func TestAFreePlanGivesWayToAPaidOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusSeeOther, "/console/keys")
	page := b.post("/console/subscribe/"+w.pro.ID.String()).expect(http.StatusSeeOther, "").Location
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Weather Free", "Active") // until the other is paid
	_, back := w.Stripe.SubmitCheckout(page, simtest.CardWorks)
	b.get(back).expect(http.StatusSeeOther, "")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Weather Pro", "Active", "Ended")
	b.post("/console/subscribe/"+w.free.ID.String()).expect(http.StatusConflict, "", "already has a subscription to Weather")
}

func TestSubscribeToAPaidPlanThroughCheckout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.get("/console/subscribe/"+w.pro.ID.String()).expect(http.StatusOK, "", "$49.00", "Continue to card", "50 calls a second", "$0.0025 each", "On 23 December 2026")
	b.subscribePro(simtest.CardWorks).expect(http.StatusSeeOther, "/console/keys")
	b.get("/console/billing").expect(http.StatusOK, "", "Visa ending 4242", "TG-000001", "Paid", "$49.00", "Due on 23 December 2026")
	invoice := w.id(`SELECT id FROM invoices WHERE state = 'paid' AND amount_paid = 4900`)
	b.get("/console/invoices/"+invoice.String()).expect(http.StatusOK, "", "Weather, plan Pro", "$49.00", "Acme")
	lines := b.get("/console/invoices/"+invoice.String()+"/lines.csv").expect(http.StatusOK, "")
	if rows := strings.Count(lines.Body, "\n"); rows != 2 {
		t.Errorf("%d rows, want a head and one line", rows)
	}
}

func TestAReturnFromCheckoutWaitsForTheWebhookThatWasFaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	checkout := b.post("/console/subscribe/" + w.pro.ID.String())
	_, back := w.Stripe.SubmitCheckout(checkout.Location, simtest.CardWorks)
	session := back[strings.LastIndex(back, "=")+1:]
	other := make(chan error, 1)
	go func() {
		_, err := w.Billing.CheckoutDone(t.Context(), session)
		other <- err
	}()
	b.get(back).expect(http.StatusSeeOther, "/console/keys")
	if err := <-other; err != nil {
		t.Error(err)
	}
	var paid int
	if err := w.DB.StaffPool().QueryRow(t.Context(), `SELECT count(*) FROM invoices WHERE state = 'paid'`).Scan(&paid); err != nil || paid != 1 {
		t.Errorf("%d paid invoices, %v, want 1", paid, err)
	}
}

func TestADeclinedFirstPaymentIsExplainedAndMadeGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.subscribePro(simtest.CardDeclinedPay).expect(http.StatusSeeOther, "/console/billing")
	b.get("/console/billing").expect(http.StatusOK, "", "The payment of $49.00 for Weather Pro was declined", "Update card", "Payment failed")
	if page := b.get("/console/billing").expect(http.StatusOK, "", "$49.00 for Weather Pro is unpaid", "the plan has not begun"); strings.Contains(page.Body, "No invoice is coming") {
		t.Error("the page says that nothing is owed")
	}
	b.get("/console").expect(http.StatusOK, "", "could not be collected")
	b.post("/console/subscribe/"+w.pro.ID.String()).expect(http.StatusSeeOther, "/console/billing") // trying again with the same card
	card := b.post("/console/billing/card").expect(http.StatusSeeOther, "")
	_, back := w.Stripe.SubmitCheckout(card.Location, simtest.CardWorks)
	b.get(back).expect(http.StatusSeeOther, "/console/billing")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Weather Pro", "Active")
}

func TestAKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/" + w.free.ID.String())
	b.get("/console/keys").expect(http.StatusOK, "", "None of your APIs takes test keys yet", `value="live" checked`)
	w.exec(`INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT upstream_id, 'test', position, url FROM upstream_targets WHERE mode = 'live'`)
	b.get("/console/keys").expect(http.StatusOK, "", "Own limits, never billed", `value="test" checked`)
	b.post("/console/keys", "name", "", "mode", "live").expect(http.StatusUnprocessableEntity, "", "Give the key a name")
	id, secret := b.makeKey("laptop", "test")
	b.get("/console/keys/created").expect(http.StatusSeeOther, "/console/keys")
	if list := b.get("/console/keys").expect(http.StatusOK, "", "laptop", "shown once and is not stored"); strings.Contains(list.Body, secret) {
		t.Error("the list shows the secret")
	}
	b.post("/console/keys/"+id.String()+"/revoke", "confirm", "wrong").expect(http.StatusUnprocessableEntity, "", "Type the key's name exactly")
	b.post("/console/keys/"+id.String()+"/rotate", "overlap", "24h").expect(http.StatusSeeOther, "/console/keys/created")
	if next := b.get("/console/keys/created").expect(http.StatusOK, "", "laptop"); strings.Contains(next.Body, secret) {
		t.Error("rotation shows the old secret")
	}
	b.post("/console/keys/"+id.String()+"/rotate", "overlap", "720h").expect(http.StatusConflict, "", "This key was replaced already and ends on 24 November 2026, 12:00 UTC")
	b.get("/console/keys").expect(http.StatusOK, "", "Rotating", "It works until 24 Nov 2026, 12:00 UTC")
	b.post("/console/keys/"+id.String()+"/revoke", "confirm", "laptop").expect(http.StatusSeeOther, "/console/keys")
	b.get("/console/keys").expect(http.StatusOK, "", "Revoked")
}

func TestUsageAndLogsCountTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/" + w.free.ID.String())
	key, _ := b.makeKey("laptop", "live")
	w.Clock.MoveTo(5 * time.Hour)
	w.call(key, b.subscription(), w.Clock.Now().Add(-3*time.Hour), 60, spool.FlagBillable)
	w.call(key, b.subscription(), w.Clock.Now().Add(-time.Hour), 3, spool.FlagTest)
	usage := b.get("/console/usage").expect(http.StatusOK, "", "63", "60", "60 of 1,000 used; resets 23 December 2026", "even share of the quota", "Calls by day")
	if !strings.Contains(usage.Body, "/console/logs?from=2026-11-23&amp;to=2026-11-23") {
		t.Error("no bar leads to the calls of its day")
	}
	b.get("/console/usage?from=2026-11-23&to=2026-11-23").expect(http.StatusOK, "", "Calls by hour", "hour=2026-11-23T14")
	b.get("/console/usage?from=2026-11-23&to=2026-11-01").expect(http.StatusOK, "", "The last day must not be before the first.")
	b.get("/console/logs").expect(http.StatusOK, "", "63 calls", "1–50 of 63", "laptop (test)")
	b.get("/console/logs?page=2").expect(http.StatusOK, "", "51–63 of 63")
	b.get("/console/logs?hour=2026-11-23T14").expect(http.StatusOK, "", "60 calls")
	b.get("/console/logs?status=5xx").expect(http.StatusOK, "", "No calls match")
	for path, rows := range map[string]int{"/console/logs.csv": 64, "/console/logs.csv?hour=2026-11-23T16": 4, "/console/usage.csv": 2, "/console/usage.csv?from=2026-11-23&to=2026-11-23": 3} {
		if got := strings.Count(b.get(path).expect(http.StatusOK, "").Body, "\n"); got != rows {
			t.Errorf("%s: %d rows, want %d", path, got, rows)
		}
	}
}

func TestCancelAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/" + w.free.ID.String())
	address := "/console/subscriptions/" + b.subscription().String()
	b.post(address+"/cancel").expect(http.StatusSeeOther, "/console/subscriptions")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Ends 23 Dec 2026", "Keep Weather Free")
	b.post(address+"/resume").expect(http.StatusSeeOther, "/console/subscriptions")
	b.get("/console/subscriptions").expect(http.StatusOK, "", "Renews on")
}

func TestNothingOfAnotherOrganizationIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, other := w.customer("ada@acme.example"), w.customer("eve@evil.example")
	checkout := owner.post("/console/subscribe/" + w.pro.ID.String())
	_, back := w.Stripe.SubmitCheckout(checkout.Location, simtest.CardWorks)
	other.get(back).expect(http.StatusNotFound, "")
	owner.get(back).expect(http.StatusSeeOther, "/console/keys")
	key, _ := owner.makeKey("laptop", "live")
	invoice, sub := w.id(`SELECT id FROM invoices`), owner.subscription()
	private := w.id(`SELECT id FROM plans WHERE slug = 'pro'`)
	w.exec(`UPDATE plans SET private_to = (SELECT org_id FROM keys WHERE id = $1) WHERE id = $2`, key, private)
	ids := map[string]uuid.UUID{":plan": private, ":key": key, "/subscriptions/:id": sub, "/invoices/:id": invoice}
	for _, rt := range w.Server.Routes() {
		if !strings.HasPrefix(rt.Path, "/console") || !strings.Contains(rt.Path, ":") {
			continue
		}
		path := rt.Path
		for part, id := range ids {
			path = strings.Replace(path, part, strings.Replace(part, part[strings.Index(part, ":"):], id.String(), 1), 1)
		}
		unknown := regexp.MustCompile(`:\w+`).ReplaceAllString(rt.Path, uuid.NewString())
		for _, p := range []string{path, unknown, regexp.MustCompile(`:\w+`).ReplaceAllString(rt.Path, "x")} {
			form := []string{"overlap", "24h", "confirm", "laptop"}
			if got := other.do(rt.Method, p, values(form)).Status; got != http.StatusNotFound {
				t.Errorf("%s %s as another organization: %d, want 404", rt.Method, p, got)
			}
		}
	}
	for _, p := range []string{"/console/logs?key=" + key.String(), "/console/usage?key=" + key.String()} {
		other.get(p).expect(http.StatusOK, "", "No calls")
	}
}
