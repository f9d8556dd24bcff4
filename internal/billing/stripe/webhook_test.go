package stripe_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/stripesim/simtest"
)

const payload = `{"id":"evt_1","object":"event","api_version":"2031-01-01","type":"invoice.paid","created":1795435200,"data":{"object":{"id":"in_1","object":"invoice"}}}`

func sign(at time.Time, body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return hex.EncodeToString(mac.Sum(nil))
}

func header(at time.Time, body, secret string) string {
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), sign(at, body, secret))
}

func TestWebhookSignatures(t *testing.T) {
	t.Parallel()
	now := simtest.Start
	secret := simtest.WebhookSecret
	good := sign(now, payload, secret)
	stamp := fmt.Sprintf("t=%d", now.Unix())
	for _, c := range []struct {
		name, header, body string
		want               error
	}{
		{"valid", header(now, payload, secret), payload, nil},
		{"second of two secrets", stamp + ",v1=" + strings.Repeat("00", 32) + ",v1=" + good, payload, nil},
		{"with another scheme", stamp + ",v0=abc,v1=" + good, payload, nil},
		{"at the edge of the past", header(now.Add(-5*time.Minute), payload, secret), payload, nil},
		{"at the edge of the future", header(now.Add(5*time.Minute), payload, secret), payload, nil},
		{"too old", header(now.Add(-5*time.Minute-time.Second), payload, secret), payload, stripe.ErrWebhookTime},
		{"from the future", header(now.Add(5*time.Minute+time.Second), payload, secret), payload, stripe.ErrWebhookTime},
		{"missing", "", payload, stripe.ErrWebhookSignature},
		{"no time", "v1=" + good, payload, stripe.ErrWebhookSignature},
		{"two times", stamp + "," + stamp + ",v1=" + good, payload, stripe.ErrWebhookSignature},
		{"no signature", stamp, payload, stripe.ErrWebhookSignature},
		{"old scheme only", stamp + ",v0=" + good, payload, stripe.ErrWebhookSignature},
		{"wrong secret", header(now, payload, "whsec_other"), payload, stripe.ErrWebhookSignature},
		{"empty secret", header(now, payload, ""), payload, stripe.ErrWebhookSignature},
		{"changed body", header(now, payload, secret), payload + " ", stripe.ErrWebhookSignature},
		{"changed time", fmt.Sprintf("t=%d,v1=%s", now.Unix()+1, good), payload, stripe.ErrWebhookSignature},
		{"cut signature", stamp + ",v1=" + good[:40], payload, stripe.ErrWebhookSignature},
		{"endless header", stamp + strings.Repeat(",v1="+good, 1000), payload, stripe.ErrWebhookSignature},
		{"no event", header(now, `{"id":"evt_1"}`, secret), `{"id":"evt_1"}`, stripe.ErrWebhookPayload},
		{"no JSON", header(now, "hello", secret), "hello", stripe.ErrWebhookPayload},
		{"too large", header(now, strings.Repeat(" ", 64<<10)+payload, secret), strings.Repeat(" ", 64<<10) + payload, stripe.ErrWebhookTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ev, err := newClient(t, "", "").VerifyWebhook([]byte(c.body), c.header, now)
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			want := stripe.Event{ID: "evt_1", Type: "invoice.paid", ObjectType: "invoice", ObjectID: "in_1", Created: time.Unix(1795435200, 0).UTC()}
			if c.want == nil && ev != want {
				t.Errorf("%+v", ev)
			}
			if c.want != nil && ev != (stripe.Event{}) {
				t.Errorf("a refused webhook has the event %+v", ev)
			}
		})
	}
}

func TestSimulatedWebhooksAreAccepted(t *testing.T) {
	t.Parallel()
	c := newClient(t, "", "")
	events := make(chan stripe.Event, 100)
	var now func() time.Time
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var ev stripe.Event
			if ev, err = c.VerifyWebhook(body, r.Header.Get("Stripe-Signature"), now()); err == nil {
				events <- ev
				return
			}
		}
		t.Errorf("a webhook was refused: %v", err)
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(hook.Close)
	now = func() time.Time { return simtest.Start }
	a := simtest.New(t, simtest.Options{WebhookURL: hook.URL})
	customerWithCard(t, a, newClient(t, a.URL, ""), simtest.CardWorks)
	for ev := range events {
		if ev.Type == "checkout.session.completed" && strings.HasPrefix(ev.ObjectID, "cs_test_") {
			return
		}
	}
}

func FuzzVerifyWebhook(f *testing.F) {
	c := newClient(f, "", "")
	f.Add([]byte(payload), header(simtest.Start, payload, simtest.WebhookSecret), true)
	f.Add([]byte(payload), "t=1,v1=,v1=zz,=,", false)
	f.Add([]byte(`{"id":"evt_","data":{"object":[]}}`), "t=-1", true)
	f.Fuzz(func(t *testing.T, body []byte, head string, signed bool) {
		if signed {
			head = header(simtest.Start, string(body), simtest.WebhookSecret)
		}
		ev, err := c.VerifyWebhook(body, head, simtest.Start)
		if err == nil && (ev.ID == "" || ev.Type == "" || !strings.HasPrefix(ev.ID, "evt_")) {
			t.Errorf("accepted %q as %+v", body, ev)
		}
		if err == nil && !signed && !strings.Contains(head, sign(simtest.Start, string(body), simtest.WebhookSecret)) &&
			!strings.Contains(strings.ToLower(head), "v1=") {
			t.Errorf("accepted an unsigned %q", body)
		}
	})
}
