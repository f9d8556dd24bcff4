package story

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"tollgate/internal/demo/elements"
)

func TestFromADocumentToAPaidInvoiceInOneProcess(t *testing.T) {
	t.Parallel()
	tell(t, together(t))
}

func TestFromADocumentToAPaidInvoiceInProcessesApart(t *testing.T) {
	t.Parallel()
	tell(t, apart(t))
}

// tell is the story, screen by screen.
func tell(t *testing.T, in *installation) {
	publish(t, in)
	dev := open(t, "developer", in.portal)
	key := subscribe(t, in, dev)
	call(t, in, key)
	watch(t, dev)
	closePeriod(t, in)
	review(t, in)
	operate(t, in)
	settled(dev)
}

// publish is the product team's part: a document becomes an API with a product
// of three plans, all typed into forms.
func publish(t *testing.T, in *installation) {
	b := open(t, "product", in.portal).signIn(in.people["product"].email, in.people["product"].password)
	b.look("/studio")

	b.visit("/studio/apis/new")
	b.fill("Check the document", map[string]string{"source": "paste", "document_text": "openapi: 3.1.0\ninfo:\n  title: Broken\npaths:\n  /a:\n    get: [\n", "name": "Broken"})
	b.press("Check the document")
	b.until("the finding is shown", func() bool { return strings.Contains(b.text(), "Error") })
	b.look("/broken").says("6") // the line where it breaks

	b.visit("/studio/apis/new")
	b.fill("Check the document", map[string]string{"source": "paste", "document_text": string(elements.Document), "name": "Periodic table", "slug": "periodic"})
	b.press("Check the document")
	b.until("the document is read", func() bool { return strings.Contains(b.text(), "How it is published") })
	b.look("/publication")
	b.fill("Publish", map[string]string{"summary": "Elements, weights and molar masses.", "upstream_url": in.sample, "path_prefix": "/periodic"})
	b.press("Publish").look("/published")

	b.visit("/studio/products/new")
	b.fill("Create product", map[string]string{"name": "Chemistry", "slug": "chemistry", "description": "The periodic table for programs.", "apis": "Periodic table"})
	b.press("Create product").look("/product")
	product := strings.TrimPrefix(b.address(), in.portal)

	plan := func(fields map[string]string) {
		b.visit(product + "/plans/new")
		b.fill("Create plan", fields)
		b.press("Create plan").says(fields["name"])
	}
	plan(map[string]string{"name": "Free", "slug": "free", "sale": "self_serve", "limit_calls": "100|1000", "limit_per": "hour|period", "model": "none"})
	plan(map[string]string{"name": "Pro", "slug": "pro", "sale": "self_serve", "limit_calls": "1000|", "limit_per": "hour|period", "monthly_fee": "49", "model": "graduated",
		"included_units": "100", "tier_up_to": "50||", "tier_unit_price": "0.005|0.0025|"})
	plan(map[string]string{"name": "Enterprise", "slug": "enterprise", "sale": "on_request", "model": "none"})
	b.look("/plans")
}

var secret = regexp.MustCompile(`tg_live_[0-9A-Za-z]+`)

// subscribe is the developer's part up to the first call: found signed out,
// paid by card, a key shown once, and a curl that works as it stands.
func subscribe(t *testing.T, in *installation, b *browser) (key string) {
	b.visit("/").visit("/apis").says("Periodic table")
	b.follow("Periodic table").look("/api").says("Pro", "$49")
	b.visit("/apis/periodic/ops?q=molar").says("/molar-mass")
	b.follow("/molar-mass/{formula}").look("/operation").says("formula", "200", "400", "curl")
	b.visit("/pricing/chemistry?calls=170").says("$49.30", "Free", "Enterprise")
	b.leave(`(() => { [...document.querySelectorAll("a")].filter(a => a.innerText.trim() === "Subscribe")[1].click(); return true; })()`)
	b.follow("Create")
	b.look("/signup")
	b.fill("Create", map[string]string{"email": "ada@newcomer.example", "password": "correct horse battery"})
	b.press("Create").look("/subscribe").says("$49.00", "Pro")
	b.press("Continue to card").look("/checkout")
	b.fill("Save card", map[string]string{"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"})
	b.press("Save card").look("/subscribed")
	b.visit("/console/billing").says("$49.00", "Paid", "4242")

	b.visit("/console/keys")
	b.fill("Create key", map[string]string{"name": "Laptop", "mode": "live"})
	b.press("Create key").look("/key-created")
	key = secret.FindString(b.text())
	curl := eval[string](b, `[...document.querySelectorAll("pre")].map(e => e.innerText).find(t => t.startsWith("curl"))`)
	if key == "" || !strings.Contains(curl, key) {
		t.Fatalf("no key, or no curl with it: %q", curl)
	}
	b.follow("I saved it").look("/first-call").says("Waiting")
	out, err := exec.Command("bash", "-c", curl).CombinedOutput()
	arrived := time.Now()
	if err != nil || !strings.Contains(string(out), "{") {
		t.Fatalf("the curl of the page does not work: %v: %s", err, out)
	}
	b.until("the page turns green", func() bool { return strings.Contains(b.text(), "Your call arrived") })
	t.Logf("the first-call page turned green %d ms after the answer", time.Since(arrived).Milliseconds())
	b.look("/first-call-arrived").says("200")
	b.visit("/console/keys")
	if strings.Contains(eval[string](b, `document.documentElement.outerHTML`), key) {
		t.Error("the key is shown again")
	}
	return key
}

// call makes the other 169 live calls, and 5 that are refused. With programs
// apart, the portal is stopped during 100 of them and the gateway killed after.
func call(t *testing.T, in *installation, key string) {
	get := func(path, key string, want int) http.Header {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, in.gateway+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("X-API-Key", key)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%s: %d %s, %v; want %d", path, resp.StatusCode, body, err, want)
		}
		return resp.Header
	}
	for range 69 {
		get("/periodic/elements/Fe", key, 200)
	}
	if in.stopPortal != nil {
		in.stopPortal()
	}
	var last http.Header
	for i := range 100 {
		if i%2 == 0 {
			last = get("/periodic/molar-mass/H2O", key, 200)
		} else {
			last = get("/periodic/elements/Nothing", key, 404) // an answer is an answer
		}
	}
	if last.Get("X-RateLimit-Limit") != "1000" || last.Get("X-RateLimit-Remaining") != "830" || last.Get("X-RateLimit-Reset") == "" || last.Get("RateLimit") == "" {
		t.Errorf("headers of the 170th call: %v", last)
	}
	if in.killGateway != nil {
		in.killGateway()
		in.startGateway()
		in.startPortal()
	}
	for i, refused := range []struct {
		path, key string
		status    int
	}{{"/periodic/elements", "", 401}, {"/periodic/elements", key[:len(key)-1] + "!", 401}, {"/periodic/nothing", key, 404}, {"/nowhere", key, 404}, {"/periodic/elements%2Fx", key, 400}} {
		if h := get(refused.path, refused.key, refused.status); h.Get("X-Request-Id") == "" {
			t.Errorf("refusal %d has no request id", i)
		}
	}
}

// watch is the developer looking at the usage: by hour, API, key and status.
func watch(_ *testing.T, b *browser) {
	b.until("all calls are shown", func() bool {
		return strings.Contains(b.visitQuietly("/console/usage").text(), "170")
	})
	b.look("/usage").says("170", "Periodic table", "Laptop")
	b.visit("/console/logs").says("/molar-mass/H2O")
	b.visit("/console/billing").look("/billing-next").says("$0.30", "$49.00", "$49.30")
	b.visit("/console").says("170")
}

// closePeriod moves business time past the period's end.
func closePeriod(t *testing.T, in *installation) {
	if !in.movesClock {
		in.setClock(t, 33*24*time.Hour)
		return
	}
	b := open(t, "clock", in.portal).signIn(in.people["operator"].email, in.people["operator"].password)
	b.visit("/demo/clock")
	eval[bool](b, `document.querySelector("[name=to][value=period_end]") !== null`)
	b.leave(`(() => { document.querySelector("[name=to][value=period_end]").form.requestSubmit(document.querySelector("button[name=to][value=period_end]") ?? undefined); return true; })()`)
	b.look("/clock-moved")
}

// review is finance's part: the draft is right to the cent, is approved and
// paid, and its usage line leads down to each single call.
func review(t *testing.T, in *installation) {
	b := open(t, "finance", in.portal).signIn(in.people["finance"].email, in.people["finance"].password)
	b.until("the draft is there", func() bool {
		return strings.Contains(b.visitQuietly("/finance/invoices?customer=newcomer&status=review").text(), "$49.30")
	})
	b.look("/finance-list")
	b.follow("Draft").look("/finance-invoice").says("$0.30", "$49.00", "$49.30", "170")
	invoice := strings.TrimPrefix(b.address(), in.portal)
	b.press("Approve")
	b.until("it is paid", func() bool { return strings.Contains(b.visitQuietly(invoice).text(), "Paid") })
	b.look("/finance-paid").says("$49.30")
	line := eval[string](b, `[...document.querySelectorAll("main a")].map(a => a.getAttribute("href")).find(h => /^\/finance\/lines\/[^/]+$/.test(h))`)
	b.visit(line).says("170", "50 × $0.005", "20 × $0.0025", "Laptop", "Periodic table")
	b.press("Recompute").look("/recomputed").says("170", "$0.30")
	b.visit(line + "/calls").says("170")
	if rows := download(b, line+"/calls.csv"); len(rows) != 171 {
		t.Errorf("the file of calls has %d rows, want a head and 170", len(rows))
	}
	for _, row := range download(b, "/finance/invoices.csv") {
		if strings.Contains(strings.Join(row, ","), "Newcomer") && strings.Contains(invoice, row[0]) && (row[5] != "49.30" || row[6] != "49.30") {
			t.Errorf("the file of invoices says %v", row)
		}
	}
	b.visit("/finance/reconciliation").says("Newcomer")
	if strings.Contains(b.text(), "does not hold") {
		t.Error("something does not reconcile")
	}
}

// operate is the operator's part.
func operate(t *testing.T, in *installation) {
	b := open(t, "operator", in.portal).signIn(in.people["operator"].email, in.people["operator"].password)
	b.look("/ops").says("invoice.paid")
	for url, want := range map[string]string{
		in.portal + "/healthz": "ok", in.portal + "/readyz": `"ready":true`, in.gateway + "/healthz": "ok", in.gateway + "/readyz": `"ready":true`,
		in.gatewayPrivate + "/health": `"authentication":"healthy"`, in.portalPrivate + "/health": `"database":"healthy"`,
		in.gatewayPrivate + "/metrics": "tollgate_refused_calls_total", in.portalPrivate + "/metrics": "tollgate_portal_request_seconds",
	} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %.300s", url, resp.StatusCode, body)
		}
	}
}

// settled is the developer's last look: the invoice is paid, nothing twice.
func settled(b *browser) {
	b.visit("/console/billing").says("$49.30", "Paid")
	if n := strings.Count(b.text(), "Paid"); n != 2 {
		b.t.Errorf("%d invoices are paid, want 2:\n%s", n, b.text())
	}
}

// download fetches a file as the signed-in person.
func download(b *browser, path string) [][]string {
	b.t.Helper()
	text := eval[string](b, fmt.Sprintf(`fetch(%q).then(r => { if (!r.ok) throw new Error(r.status); return r.text(); })`, path))
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}
