package portal_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/jobs"
	"tollgate/internal/metering/spool"
	"tollgate/internal/stripesim/simtest"
	"tollgate/internal/upstream"
)

func values(form []string) url.Values {
	out := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		out.Add(form[i], form[i+1])
	}
	return out
}

// billed is a world in which a customer made 170 billable calls in a period
// that has been closed into a draft.
func billed(t *testing.T) (w *world, customer *browser, invoice uuid.UUID) {
	t.Helper()
	w = newWorld(t)
	customer = w.customer("ada@acme.example")
	customer.subscribePro(simtest.CardWorks).expect(http.StatusSeeOther, "/console/keys")
	key, _ := customer.makeKey("laptop", "live")
	w.call(key, customer.subscription(), w.Clock.Now(), 100, spool.FlagBillable)
	w.call(key, customer.subscription(), w.Clock.Now().Add(48*time.Hour), 70, spool.FlagBillable)
	w.call(key, customer.subscription(), w.Clock.Now().Add(49*time.Hour), 5, spool.FlagTest)
	operator := w.staff("operator")
	operator.get("/demo/clock").expect(http.StatusOK, "", "23 Dec 2026, 12:00 UTC")
	operator.post("/demo/clock", "days", "0").expect(http.StatusUnprocessableEntity, "", "from 1 to 400")
	operator.post("/demo/clock", "to", "period_end").expect(http.StatusSeeOther, "/demo/clock")
	operator.get("/demo/clock").expect(http.StatusOK, "", "1 period closed into drafts")
	return w, customer, w.id(`SELECT id FROM invoices WHERE state = 'review'`)
}

func TestFinanceReviewsAPeriodAndItIsPaid(t *testing.T) {
	t.Parallel()
	w, customer, invoice := billed(t)
	f, address := w.staff("finance"), "/finance/invoices/"+invoice.String()
	f.get("/finance/invoices?status=review").expect(http.StatusOK, "", "1 invoice", "Acme", "$49.30", "To review")
	f.get(address).expect(http.StatusOK, "", "170", "$0.30", "Approve", "Calls 21 to 120", "100 × $0.0025")
	f.post(address+"/hold", "reason", "").expect(http.StatusUnprocessableEntity, "", "Say why")
	f.post(address+"/hold", "reason", "looks doubled").expect(http.StatusSeeOther, address)
	f.get(address).expect(http.StatusOK, "", "Held: looks doubled", "by finance@provider.example: looks doubled")
	if page := customer.get("/console/invoices/"+invoice.String()).expect(http.StatusOK, "", "Being prepared"); strings.Contains(page.Body, "doubled") {
		t.Error("the customer reads finance's reason")
	}
	f.post(address+"/approve").expect(http.StatusSeeOther, address)
	f.post(address+"/approve").expect(http.StatusConflict, "", "cannot be done any more")
	if err := w.Billing.Collect(context.Background(), invoice); err != nil {
		t.Fatal(err)
	}
	f.get(address).expect(http.StatusOK, "", "Paid", "TG-000002", "equal")
	customer.get("/console/invoices/"+invoice.String()).expect(http.StatusOK, "", "TG-000002", "Paid", "$49.30")
}

func TestInvoicesAreFoundByTheMonthOfTheirIssue(t *testing.T) {
	t.Parallel()
	w, _, _ := billed(t) // one issued on 23 November for the month after, one drafted on 23 December
	f := w.staff("finance")
	f.get("/finance/invoices?issued=2026-11").expect(http.StatusOK, "", "1 invoice", "TG-000001", "/finance/invoices.csv?issued=2026-11", `value="2026-11"`)
	f.get("/finance/invoices?issued=2026-12").expect(http.StatusOK, "", "1 invoice", "Draft, Weather Pro")
	f.get("/finance/invoices?issued=2027-01").expect(http.StatusOK, "", "0 invoices", "No invoices match")
	f.get("/finance/reconciliation").expect(http.StatusOK, "", "Period ends in")
}

func TestAListsUnreadableFiltersDoNotNarrow(t *testing.T) {
	t.Parallel()
	w, customer, _ := billed(t)
	f := w.staff("finance")
	f.get("/finance/invoices?status=bogus&issued=x").expect(http.StatusOK, "", "2 invoices", "TG-000001")
	f.get("/finance/invoices?page=99").expect(http.StatusSeeOther, "/finance/invoices")
	f.get("/finance/reconciliation?page=99").expect(http.StatusSeeOther, "/finance/reconciliation")
	customer.get("/console/billing?page=99").expect(http.StatusSeeOther, "/console/billing")
	customer.get("/console/logs?from=2026-11-23&to=2026-11-23&page=99").expect(http.StatusSeeOther, "/console/logs?from=2026-11-23&page=2&to=2026-11-23")
	line := "/finance/lines/" + w.id(`SELECT id FROM invoice_lines WHERE kind = 'usage'`).String()
	f.get(line+"?page=99").expect(http.StatusSeeOther, line)
	f.get(line+"/calls?page=99").expect(http.StatusSeeOther, line+"/calls?page=2")
}

func TestADraftHasNoNumberInFiles(t *testing.T) {
	t.Parallel()
	w, _, invoice := billed(t)
	f := w.staff("finance")
	for _, path := range []string{"/finance/invoices.csv", "/finance/lines.csv"} {
		body := f.get(path).expect(http.StatusOK, "", "TG-000001", invoice.String()+",,Acme").Body
		if strings.Contains(body, "Draft") {
			t.Errorf("%s calls a draft by a number: %s", path, body)
		}
	}
}

func TestALineLeadsToExactlyItsCalls(t *testing.T) {
	t.Parallel()
	w, _, invoice := billed(t)
	f := w.staff("finance")
	line := "/finance/lines/" + w.id(`SELECT id FROM invoice_lines WHERE invoice_id = $1 AND kind = 'usage'`, invoice).String()
	page := f.get(line).expect(http.StatusOK, "", "API calls", "23 Nov 2026", "25 Nov 2026", "170", "$0.30", "Calls 121 to 170")
	f.post(line+"/recompute").expect(http.StatusOK, "", "170 calls and $0.30, as billed.")
	f.get(line+"/calls").expect(http.StatusOK, "", "170 calls", "1–100 of 170")
	day := regexp.MustCompile(`/calls\?day=2026-11-25[^"]*`).FindString(page.Body)
	f.get(line+strings.ReplaceAll(day, "&amp;", "&")).expect(http.StatusOK, "", "70 calls")
	fee := "/finance/lines/" + w.id(`SELECT id FROM invoice_lines WHERE invoice_id = $1 AND kind = 'recurring'`, invoice).String()
	f.get(fee).expect(http.StatusOK, "", "1 × $49.00")
	f.get(fee+"/calls").expect(http.StatusOK, "", "No single calls")
	for path, rows := range map[string]int{
		line + "/calls.csv": 171, line + "/calls.csv?day=2026-11-25": 71, fee + "/calls.csv": 1,
		"/finance/invoices.csv": 3, "/finance/invoices.csv?status=review": 2, "/finance/lines.csv": 4, "/finance/lines.csv?invoice=" + invoice.String(): 3,
		"/finance/invoices.csv?customer=acme&issued=2026-12": 2, "/finance/invoices.csv?issued=2026-11": 2, "/finance/invoices.csv?issued=2027-01": 1, "/finance/lines.csv?issued=2026-11": 2, "/finance/invoices.csv?customer=nobody": 1,
	} {
		if got := strings.Count(f.get(path).expect(http.StatusOK, "").Body, "\n"); got != rows {
			t.Errorf("%s: %d rows, want %d", path, got, rows)
		}
	}
	for _, path := range []string{"/finance/invoices/" + uuid.NewString(), "/finance/lines/" + uuid.NewString(), "/finance/lines/x/calls", "/finance/lines.csv?invoice=x"} {
		f.get(path).expect(http.StatusNotFound, "")
	}
}

func TestAFileOfCallsHasEachOnceHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	w, _, invoice := billed(t)
	w.exec(`INSERT INTO usage_events SELECT gen_random_uuid(), batch_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path, status,
		billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us FROM (SELECT * FROM usage_events WHERE billable LIMIT 1) e, generate_series(1, 4500)`) // all at one moment
	line := "/finance/lines/" + w.id(`SELECT id FROM invoice_lines WHERE invoice_id = $1 AND kind = 'usage'`, invoice).String()
	rows := strings.Split(strings.TrimSpace(w.staff("finance").get(line+"/calls.csv").expect(http.StatusOK, "").Body), "\n")
	once := map[string]bool{}
	for _, row := range rows[1:] {
		once[row[:36]] = true
	}
	if len(rows) != 4671 || len(once) != 4670 {
		t.Errorf("%d rows, %d calls", len(rows), len(once))
	}
}

func TestReconciliationIsGreenAndTurnsRed(t *testing.T) {
	t.Parallel()
	w, _, invoice := billed(t)
	f := w.staff("finance")
	page := f.get("/finance/reconciliation").expect(http.StatusOK, "", "Acme, Pro", "2 of 2", "175", "170")
	if strings.Contains(page.Body, "check-bad") {
		t.Errorf("something does not add up: %s", text(page.Body))
	}
	w.exec(`UPDATE invoice_lines SET event_count = 169 WHERE invoice_id = $1 AND kind = 'usage'`, invoice)
	w.exec(`UPDATE invoices SET stripe_subtotal = 4929 WHERE id = $1`, invoice)
	f.get("/finance/reconciliation?customer=acme").expect(http.StatusOK, "", "1 of 2", "1 call apart: recompute the usage lines", "$0.01 apart: a line is missing or twice at Stripe")
}

func TestOperatorsSeeTheSystem(t *testing.T) {
	t.Parallel()
	w, _, _ := billed(t)
	w.exec(`INSERT INTO gateways (id, address, view_version, spool_pending, seen_at, started_at) VALUES ('gateway-1', ':1', 1, 0, $1, $1), ('gateway-2', ':2', 1, 0, $2, $2)`, w.Clock.Real(), w.Clock.Real().Add(-time.Hour))
	w.exec(`UPDATE gateways SET parts = $1 WHERE id = 'gateway-1'`, []map[string]any{
		{"name": "spool", "state": "healthy", "detail": "nearly empty"},
		{"name": "upstream weather", "state": "degraded", "targets": []upstream.Status{{URL: "http://a.internal", Weight: 1, State: upstream.Healthy}, {URL: "http://b.internal", Weight: 2, State: upstream.Open, Calls: 20, Failures: 12, For: 4 * time.Second, FirstByte: 38 * time.Millisecond}}},
	})
	w.exec(`UPDATE gateways SET parts = '{"of": "another time"}' WHERE id = 'gateway-2'`)
	operator := w.browser()
	operator.post("/login", "email", "operator@provider.example", "password", password).expect(http.StatusSeeOther, "/ops")
	operator.get("/ops").expect(http.StatusOK, "", "All parts of this portal are working", "gateway-1", "Silent for 1 hour", "billing.collect", "Last shipment",
		"http://b.internal", "Breaker open", "12 of 20 calls failed, first byte after 38 ms, for 4 seconds more", "nearly empty")
}

func TestAnOperatorWritesOffWhatAGoneGatewayHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer("ada@acme.example").subscribePro(simtest.CardWorks)
	operator := w.staff("operator")
	w.exec(`INSERT INTO quota_grants (subscription_id, period_start, granted) SELECT id, period_start, 50 FROM subscriptions`)
	w.exec(`INSERT INTO quota_leases (subscription_id, period_start, period_end, gateway, process, granted, spent, taken_at, expires_at)
		SELECT id, period_start, period_end, 'gone', gen_random_uuid(), 50, 8, $1, $1 FROM subscriptions`, w.Clock.Real().Add(-2*time.Hour))
	operator.get("/ops").expect(http.StatusOK, "", "Quota held by gateways that are gone", "42 calls")
	operator.post("/ops/leases/1/write-off").expect(http.StatusSeeOther, "/ops")
	var granted int
	if err := w.DB.StaffPool().QueryRow(context.Background(), `SELECT granted FROM quota_grants`).Scan(&granted); err != nil || granted != 8 {
		t.Errorf("%d calls are still granted, want the 8 that were spent, %v", granted, err)
	}
	operator.post("/ops/leases/1/write-off").expect(http.StatusConflict, "")
	operator.post("/ops/leases/x/write-off").expect(http.StatusNotFound, "")

	w.exec(`UPDATE quota_leases SET late = 3`)
	w.exec(`INSERT INTO quota_leases (subscription_id, period_start, period_end, gateway, process, granted, spent, taken_at, expires_at)
		SELECT id, period_start, period_end, g, gen_random_uuid(), 4, 1, $1, $1 FROM subscriptions, unnest(ARRAY['gone', 'gone', 'other']) g`, w.Clock.Real().Add(-2*time.Hour))
	operator.get("/ops").expect(http.StatusOK, "", "Data folder gone Holds 6 calls", "Data folder other Holds 3 calls", "Quota written off", "Pro gone 50 calls 3 just now")
	operator.post("/ops/gateways/gone/write-off").expect(http.StatusSeeOther, "/ops")
	if got := text(operator.get("/ops").expect(http.StatusOK, "", "6 calls of 2 leases went back to their quotas", "Data folder other Holds 3 calls").Body); strings.Contains(got, "Data folder gone Holds") {
		t.Error("a lease that was written off is still held")
	}
}

func TestWebhooksAreBelievedBySignatureAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer("ada@acme.example").subscribePro(simtest.CardWorks)
	w.browser().post("/webhooks/stripe", "id", "evt_1").expect(http.StatusBadRequest, "")
	w.browser().post("/webhooks/stripe", "id", strings.Repeat("x", 80<<10)).expect(http.StatusBadRequest, "")
	d := w.Stripe.Deliveries()
	if got := w.Stripe.Deliver(d[0].Event, d[0].Event); got[0] != http.StatusOK || got[1] != http.StatusOK {
		t.Fatalf("answers %v, want 200 twice", got)
	}
	var n int
	if err := w.DB.StaffPool().QueryRow(context.Background(), `SELECT count(*) FROM stripe_events WHERE id = $1`, d[0].Event).Scan(&n); err != nil || n != 1 {
		t.Errorf("stored %d times, %v", n, err)
	}
}

func TestWebhooksAreAppliedInTheBackground(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Stripe.Hold(true)
	w.customer("ada@acme.example").subscribePro(simtest.CardWorks).expect(http.StatusSeeOther, "/console/keys")
	w.exec(`UPDATE invoices SET state = 'open', paid_at = NULL, amount_paid = 0`) // as if we had died before we heard of it
	for _, d := range w.Stripe.Deliveries() {
		w.Stripe.Deliver(d.Event)
	}
	workers := jobs.NewWorkers()
	w.Billing.Register(workers)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Queue.Work(ctx, workers, slog.New(slog.DiscardHandler)) }()
	for waiting, tries := 1, 0; waiting > 0 && tries < 300; tries++ {
		if err := w.DB.StaffPool().QueryRow(ctx, `SELECT count(*) FROM stripe_events, pg_sleep(0.1) WHERE applied_at IS NULL`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.id(`SELECT id FROM invoices WHERE state = 'paid' AND amount_paid = 4900`)
	w.staff("operator").get("/ops").expect(http.StatusOK, "", "invoice.paid", "Applied", "billing.stripe_event")
}
