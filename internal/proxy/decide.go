package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"tollgate/internal/keys/token"
	"tollgate/internal/snapshot"
)

func (g *Gateway) readView(c *call) *refusal {
	if c.view = g.Views.View(); c.view == nil {
		return refuse("starting", "The gateway has started a moment ago and does not know its APIs yet.")
	}
	return nil
}

func forwardable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

func (g *Gateway) checkForm(c *call) *refusal {
	if !forwardable(c.r.method) {
		return refuse("method-not-allowed", "The gateway does not forward %s requests.", printable(c.r.method))
	}
	if c.std != nil && !plainLength(c.std.r) {
		return refuse("bad-request", "The request's Content-Length is not one whole number.")
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

// plainLength reports whether a request declares at most one length that is a
// number. Over HTTP/2 net/http takes any other for 0 and drops the body.
func plainLength(r *http.Request) bool {
	declared := r.Header["Content-Length"]
	if r.ProtoMajor < 2 || len(declared) == 0 {
		return true
	}
	_, err := strconv.ParseUint(declared[0], 10, 63)
	return err == nil && len(declared) == 1
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
	switch secret := &c.r.keys; {
	case secret.differs:
		return refuse("ambiguous-key", "The request carries two different keys. Send one.")
	case holdsKey(c.r.query):
		return keyInAddress(secret.key != "")
	case secret.key == "":
		if c.view.Anonymous(c.route.ID) != nil {
			return nil // the plan for calls without a key bounds them by address
		}
		return refuse("missing-key", "This API needs a key: send it as “Authorization: Bearer <key>” or “X-API-Key: <key>”.")
	}
	if wait := g.Failures.Blocked(c.r.client, c.arrived); wait > 0 {
		return &refusal{Error: errFailedKeys, after: wait}
	}
	refused := g.findKey(c)
	if refused != nil {
		g.Failures.Add(c.r.client, c.arrived)
	}
	return refused
}

// holdsKey reports whether a parameter of a query holds one of our keys.
func holdsKey(query string) bool {
	for {
		i := strings.Index(query, "tg_")
		if i < 0 || len(query) < i+token.Length {
			return false
		}
		if _, err := token.Check(query[i : i+token.Length]); err == nil {
			return true
		}
		query = query[i+1:]
	}
}

// keyInAddress refuses a key that others would read: addresses end up in logs,
// and the upstream would get it.
func keyInAddress(besideAnother bool) *refusal {
	if besideAnother {
		return refuse("ambiguous-key", "The request carries a key in its address too. Send one, in a header, and replace the other: addresses end up in logs.")
	}
	return refuse("missing-key", "A key in the address is not taken, because addresses end up in logs. Replace this key, and send keys as “Authorization: Bearer <key>” or “X-API-Key: <key>”.")
}

func (g *Gateway) findKey(c *call) *refusal {
	var key *snapshot.Credential
	if len(c.r.keys.key) == token.Length {
		key = c.view.Lookup(g.hasher.Sum(c.r.keys.key))
	}
	if key == nil {
		if _, err := token.Check(c.r.keys.key); err != nil { // looked at last: a good key need not be
			return refuse("malformed-key", "This is not one of our API keys. Copy the whole key, from tg_ to its last character.")
		}
	}
	if key == nil || key.Expired(c.arrived) {
		return refuse("invalid-key", "This API key is unknown, revoked or expired. Create one in the console.")
	}
	c.key, c.access = key, c.view.Access(key)
	return nil
}

func (g *Gateway) checkAddress(c *call) *refusal {
	if c.key != nil && !c.access.From(c.r.client) {
		return refuse("address-not-allowed", "This key may not be used from %s.", c.r.client)
	}
	return nil
}

func (g *Gateway) findSubscription(c *call) *refusal {
	if c.key == nil {
		c.hold = c.view.Anonymous(c.route.ID)
		return nil
	}
	if c.hold = c.view.HoldOf(c.key.Application, c.route); c.hold == nil {
		if c.route.Private { // not theirs to know of
			return refuse("unknown-route", unknownRoute)
		}
		return refuse("not-subscribed", "The key is good, but its application has no subscription to this API. Choose a plan at %s/apis/%s.", g.cfg.PortalURL, c.route.API)
	}
	if _, runs := c.hold.Period(c.arrived); !runs {
		ended := c.hold
		c.hold = nil
		return refuse("not-subscribed", "The subscription to %s ended on %s. Choose a plan at %s/pricing/%s.", ended.Subscription.Plan, ended.PeriodEnd.Format("2 January 2006"), g.cfg.PortalURL, ended.ProductSlug)
	}
	return nil
}

func (g *Gateway) checkPayment(c *call) *refusal {
	if c.hold.Unpaid && !c.test() {
		return refuse("payment-required", "An invoice of this subscription could not be paid. Update the card at %s/console/billing.", g.cfg.PortalURL)
	}
	return nil
}

// checkMode refuses test keys where the API has nothing to try: test calls are
// free and have no quota, so they never reach the live upstream by default.
func (g *Gateway) checkMode(c *call) *refusal {
	c.group = c.route.LiveGroup
	if c.test() {
		c.group = c.route.TestGroup
	}
	if c.group == nil {
		return refuse("no-test-mode", "The API %s has no upstream for test keys. Use a live key.", c.route.API)
	}
	return nil
}

func (g *Gateway) findOperation(c *call) *refusal {
	if c.op = c.route.Operation(c.r.method, c.within); c.op == nil {
		return refuse("unknown-route", "The API %s has no operation %s %s.", c.route.API, c.r.method, c.within)
	}
	g.prepareLimits(c)
	return nil
}

func (g *Gateway) checkScope(c *call) *refusal {
	if c.key != nil && !c.access.Allows(c.route, c.op) {
		return refuse("operation-not-allowed", "This key may not call %s. Its scopes are listed in the console.", c.op.LimitName())
	}
	return nil
}

// checkUpgrade lets a call become a WebSocket where the API says so. Any other
// offer to switch is passed over, as RFC 9110, section 7.8, allows: what is
// behind a switch could not be decided on or metered.
func (g *Gateway) checkUpgrade(c *call) *refusal {
	if !c.route.How.WebSocket || !strings.EqualFold(c.r.upgrade, "websocket") {
		c.r.upgrade = ""
	}
	return nil
}

func (g *Gateway) reserveRecord(c *call) *refusal {
	if err := g.Spool.Reserve(); err != nil {
		if g.sampled.take(c.started) {
			g.Logger.Error("no place to record usage", "error", err, "request_id", c.id)
		}
		return refuse("metering-unavailable", "The gateway cannot record usage at present. Please try again shortly.")
	}
	c.reserved = true
	return nil
}

func (g *Gateway) pickTarget(c *call) *refusal {
	var ok bool
	if c.target, ok = c.group.Pick(c.started, nil); !ok {
		return &refusal{Error: errAtRest, after: max(int64(c.route.How.Breaker.Open.Seconds()), 1)}
	}
	return nil
}
