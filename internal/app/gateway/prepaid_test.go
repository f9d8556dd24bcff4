package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

// prepaid puts the application on a prepaid plan with a first credit; 0 is none.
func (b *bundle) prepaid(calls int) (sub uuid.UUID) {
	b.t.Helper()
	sub = b.subscribe(b.app, "active", 0, 0)
	b.limit(sub, 0, "kind, calls, window_seconds, prepaid", "'quota', 0, 0, true")
	if calls > 0 {
		b.credit(sub, calls)
	}
	return sub
}

func (b *bundle) credit(sub uuid.UUID, calls int) {
	b.t.Helper()
	b.exec(`INSERT INTO prepaid_credits (id, org_id, subscription_id, calls, reason, granted_at) VALUES ($1, $2, $3, $4, 'paid by bank transfer', $5)`, uuid.New(), b.org, sub, calls, time.Now())
}

// other starts a second gateway beside the first and returns how to call it.
func (b *bundle) other() *bundle {
	b.t.Helper()
	o := *b
	o.cfg.Listen, o.cfg.PrivateListen, o.cfg.ID, o.cfg.DataDir = freePort(b.t), freePort(b.t), "other", b.t.TempDir()
	o.url = "http://" + o.cfg.Listen
	o.start(o.cfg)
	return &o
}

func TestTwoGatewaysServeABalanceToTheLastCallAndACreditWithinSeconds(t *testing.T) {
	t.Parallel()
	first := setup(t)
	sub := first.prepaid(90)
	key := first.key(first.app, token.Live)
	second := first.other()
	second.eventually("the other one knows the key", func() bool { return second.call("GET", "/shop/no-such-operation", key).code == "unknown-route" })
	served, credited := 0, 90
	serve := func() { // until both refuse
		t.Helper()
		for refused := 0; refused < 2; {
			refused = 0
			for _, b := range []*bundle{first, second} {
				switch got := b.call("GET", "/shop/things", key); {
				case got.status == 200:
					served++
				case got.code == "balance-exhausted":
					refused++
				default:
					t.Fatalf("%d %s: %s", got.status, got.code, got.body)
				}
			}
		}
	}
	serve()
	if served != credited {
		t.Errorf("%d of %d credited calls were served", served, credited)
	}
	for _, more := range []int{1, 25} {
		first.credit(sub, more)
		credited += more
		added := time.Now()
		first.eventually("a gateway serves again", func() bool {
			for _, b := range []*bundle{first, second} {
				if b.call("GET", "/shop/things", key).status == 200 {
					served++
					return true
				}
			}
			return false
		})
		if waited := time.Since(added); waited > 10*time.Second {
			t.Errorf("a credit was served after %s", waited)
		}
		serve()
		if served != credited {
			t.Errorf("%d of %d credited calls were served", served, credited)
		}
	}
	first.stop()
	second.stop()
	if n := first.billable(); n != credited {
		t.Errorf("%d calls are metered, %d were credited", n, credited)
	}
}

func TestACallOverABalanceIsRefusedWithWhatHelpsAndCostsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.prepaid(3)
	key, test := b.key(b.app, token.Live), b.key(b.app, token.Test)
	for header, server := range map[string][]string{"plain": nil, "standard": {"TE", "trailers"}} {
		if got := b.call("GET", "/shop/fail", key, server...); got.status != 500 {
			t.Fatalf("%s: %d %s", header, got.status, got.code)
		}
	}
	for _, left := range []string{"2", "1", "0"} { // a call without an answer took none
		got := b.call("GET", "/shop/things", key)
		if got.status != 200 || got.header.Get("X-Quota-Limit") != "3" || got.header.Get("X-Quota-Remaining") != left || got.header.Get("X-Quota-Reset") != "" {
			t.Errorf("%d, %v; want %s left and no reset", got.status, got.header, left)
		}
		if policy, state := got.header.Get("RateLimit-Policy"), got.header.Get("RateLimit"); policy != `"balance";q=3` || state != `"balance";r=`+left {
			t.Errorf("%s and %s", policy, state)
		}
	}
	for name, server := range map[string][]string{"plain": nil, "standard": {"TE", "trailers"}} {
		got := b.call("GET", "/shop/things", key, server...)
		var body struct {
			Type, Detail, Policy string
			RetryAfter           int64 `json:"retry_after"`
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 429 || got.code != "balance-exhausted" || !strings.HasSuffix(body.Type, "/problems/balance-exhausted") {
			t.Fatalf("%s: %d %s", name, got.status, got.body)
		}
		if !strings.Contains(body.Detail, "Test is prepaid") || !strings.Contains(body.Detail, "http://portal.test/console/usage") || body.Policy != "3 prepaid calls" {
			t.Errorf("%s: %+v", name, body)
		}
		if got.header.Get("Retry-After") != "60" || body.RetryAfter != 60 || got.header.Get("X-Quota-Remaining") != "0" || got.header.Get("X-Quota-Reset") != "" {
			t.Errorf("%s: Retry-After %q, %v", name, got.header.Get("Retry-After"), got.header)
		}
	}
	if got := b.call("GET", "/-/limits", key); !strings.Contains(got.body, `"quota":{"limit":3,"remaining":0,"hard":true,"prepaid":true}`) {
		t.Error(got.body)
	}
	if got := b.call("GET", "/shop/things", test); got.code == "balance-exhausted" || got.header.Get("X-Quota-Limit") != "" {
		t.Errorf("a test call: %d %s, %v", got.status, got.code, got.header)
	}
	if n := len(b.upstream.calls()); n != 5 {
		t.Errorf("%d calls were forwarded, want 5", n)
	}
	b.stop()
	if n := b.billable(); n != 3 {
		t.Errorf("%d calls are billed, want 3", n)
	}
}

func TestAPlanThatBeginsWithoutCreditServesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.prepaid(0)
	key := b.key(b.app, token.Live)
	if got := b.call("GET", "/shop/things", key); got.code != "balance-exhausted" || got.header.Get("X-Quota-Limit") != "0" || got.header.Get("X-Quota-Remaining") != "0" {
		t.Errorf("%d %s, %v", got.status, got.code, got.header)
	}
	b.credit(sub, 1)
	b.eventually("the credit is known", func() bool { return b.call("GET", "/shop/things", key).status == 200 })
	if got := b.call("GET", "/shop/things", key); got.code != "balance-exhausted" {
		t.Errorf("a second call: %d %s", got.status, got.code)
	}
}

func TestABalanceOutlivesBillingPeriodsAndRestarts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.prepaid(5)
	key := b.key(b.app, token.Live)
	for range 2 {
		if got := b.call("GET", "/shop/things", key); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.code)
		}
	}
	b.stop() // gives back what it holds
	b.exec(`UPDATE subscriptions SET period_start = period_start - interval '2 months', period_end = period_end - interval '2 months' WHERE id = $1`, sub)
	b.start(b.cfg)
	for range 3 {
		if got := b.call("GET", "/shop/things", key); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.code)
		}
	}
	if got := b.call("GET", "/shop/things", key); got.code != "balance-exhausted" {
		t.Errorf("the sixth of five: %d %s", got.status, got.code)
	}
}
