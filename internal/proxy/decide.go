package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"tollgate/internal/keys/token"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/quota/memory"
)

func (g *Gateway) readView(c *call) *refusal {
	if c.view = g.views.View(); c.view == nil {
		return refuse("starting", "The gateway has started a moment ago and does not know its APIs yet.")
	}
	return nil
}

var forwarded = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true,
	http.MethodPatch: true, http.MethodDelete: true, http.MethodOptions: true,
}

func (g *Gateway) checkForm(c *call) *refusal {
	if !forwarded[c.r.method] {
		return refuse("method-not-allowed", "The gateway does not forward %s requests.", printable(c.r.method))
	}
	path, ok := canonicalPath(c.r.path)
	if !ok {
		return refuse("bad-path", "The path has dot segments, empty segments, encoded slashes, backslashes or control characters. Send it in its plain form.")
	}
	if !plainQuery(c.r.query) {
		return refuse("bad-path", "The query string is malformed: escape “%%” and “;” in it.")
	}
	c.path = path
	return nil
}

func printable(s string) string {
	if len(s) > 20 {
		s = s[:20]
	}
	return strings.Map(func(r rune) rune {
		if r < 'A' || r > 'Z' {
			return '?'
		}
		return r
	}, s)
}

const unknownRoute = "No API answers at this address. Compare it with the base URL in the API's documentation."

func (g *Gateway) findRoute(c *call) *refusal {
	host := c.r.host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if c.route, c.within = c.view.Route(host, c.path); c.route == nil {
		return refuse("unknown-route", unknownRoute)
	}
	return nil
}

func (g *Gateway) authenticate(c *call) *refusal {
	switch secret := c.r.keys; {
	case secret.key == "":
		return refuse("missing-key", "This API needs a key: send it as “Authorization: Bearer <key>” or “X-API-Key: <key>”.")
	case secret.differs:
		return refuse("ambiguous-key", "The request carries two different keys. Send one.")
	}
	if _, err := token.Check(c.r.keys.key); err != nil {
		return refuse("malformed-key", "This is not one of our API keys. Copy the whole key, from tg_ to its last character.")
	}
	key := c.view.Key(g.hasher.Sum(c.r.keys.key))
	if key == nil || (key.ExpiresAt != nil && !c.arrived.Before(*key.ExpiresAt)) {
		return refuse("invalid-key", "This API key is unknown, revoked or expired. Create one in the console.")
	}
	c.key = key
	return nil
}

func (g *Gateway) findSubscription(c *call) *refusal {
	if c.hold = c.view.Hold(c.key.Application, c.route.ID); c.hold == nil {
		if c.route.Private { // not theirs to know of
			return refuse("unknown-route", unknownRoute)
		}
		return refuse("not-subscribed", "The key is good, but its application has no subscription to this API. Choose a plan at %s/apis/%s.", g.cfg.PortalURL, c.route.API)
	}
	var runs bool
	if c.period, runs = c.hold.Period(c.arrived); !runs {
		ended := c.hold
		c.hold = nil
		return refuse("not-subscribed", "The subscription to %s ended on %s. Choose a plan at %s/pricing/%s.", ended.Subscription.Plan, ended.PeriodEnd.Format("2 January 2006"), g.cfg.PortalURL, ended.ProductSlug)
	}
	return nil
}

// checkMode refuses test keys where the API has nothing to try: test calls are
// free and have no quota, so they never reach the live upstream by default.
func (g *Gateway) checkMode(c *call) *refusal {
	if c.test() && c.route.Test == nil {
		return refuse("no-test-mode", "The API %s has no upstream for test keys. Use a live key.", c.route.API)
	}
	return nil
}

func (c *call) caller() memory.Caller {
	return memory.Caller{Subscription: c.hold.ID, Test: c.test()}
}

func (c *call) account() lease.Account {
	return lease.Account{Subscription: c.hold.ID, Start: c.period.Start, End: c.period.End}
}

func (g *Gateway) checkPayment(c *call) *refusal {
	if c.hold.State == "unpaid" && !c.test() {
		return refuse("payment-required", "An invoice of this subscription could not be paid. Update the card at %s/console/billing.", g.cfg.PortalURL)
	}
	return nil
}

func (g *Gateway) findOperation(c *call) *refusal {
	if c.op = c.route.Operation(c.r.method, c.within); c.op == nil {
		return refuse("unknown-route", "The API %s has no operation %s %s.", c.route.API, c.r.method, c.within)
	}
	return nil
}

func (g *Gateway) reserveRecord(c *call) *refusal {
	if err := g.spool.Reserve(); err != nil {
		g.logger.Error("no place to record usage", "error", err, "request_id", c.id)
		return refuse("metering-unavailable", "The gateway cannot record usage at present. Please try again shortly.")
	}
	c.reserved = true
	return nil
}

func (g *Gateway) spendQuota(c *call) *refusal {
	plan := c.hold.Plan
	if plan.Quota == 0 || c.test() {
		return nil
	}
	id, st, outcome := g.wallet.Spend(c.ctx, c.account(), lease.Quota{Calls: plan.Quota, Hard: plan.Hard})
	c.lease, c.quota = id, st
	if outcome == lease.Spent || !plan.Hard {
		return nil
	}
	policy := fmt.Sprintf("%d calls per billing period", plan.Quota)
	if outcome == lease.Unavailable {
		soon := quota.Status{Limit: st.Limit, Reset: c.arrived.Add(2 * time.Second)}
		return &refusal{refuse("quota-unavailable", "The gateway could not confirm that quota is left. The call was not counted; try again shortly.").Error, &soon, policy}
	}
	return &refusal{refuse("quota-exceeded", "The plan %s includes %s, and they are used up until %s. See %s.",
		c.hold.Subscription.Plan, policy, st.Reset.Format("2 January 2006 15:04 UTC"), g.planURL(c)).Error, &st, policy}
}

func (g *Gateway) takeRate(c *call) *refusal {
	if len(c.hold.Plan.Rates) == 0 {
		return nil
	}
	st, ok := g.limiter.Take(c.caller(), c.hold.Plan.Rates, c.arrived)
	c.rate = st
	if ok {
		return nil
	}
	policy := fmt.Sprintf("%d calls per %s", st.Limit, windowName(st.Window))
	return &refusal{refuse("rate-limit-exceeded", "The plan %s allows %s. Wait %d seconds, or see %s for a larger plan.",
		c.hold.Subscription.Plan, policy, st.RetryAfter(c.arrived), g.planURL(c)).Error, &st, policy}
}

func (g *Gateway) planURL(c *call) string { return g.cfg.PortalURL + "/pricing/" + c.hold.ProductSlug }

func windowName(w time.Duration) string {
	switch w {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return w.String()
}
