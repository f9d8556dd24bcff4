package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tollgate/internal/wire"
)

// checkOrigin answers preflights (Fetch Standard, section 3.3) where the API
// says which origins may call it. They cost nothing and reach no upstream.
func (g *Gateway) checkOrigin(c *call) *refusal {
	if len(c.route.CORS.Origins) > 0 && c.r.origin != "" && c.r.wants != "" && c.r.method == http.MethodOptions {
		return &refusal{answer: true}
	}
	return nil
}

// allowed is the origin as the answer names it; empty if it may not call.
func (c *call) allowed() string {
	if c.route == nil || c.r.origin == "" {
		return ""
	}
	rules := &c.route.CORS
	switch {
	case slices.Contains(rules.Origins, c.r.origin):
		return c.r.origin
	case slices.Contains(rules.Origins, "*"):
		if rules.Credentials {
			return c.r.origin
		}
		return "*"
	}
	return ""
}

// eachCORSField names the headers that let a page read the answer.
func (c *call) eachCORSField(set func(name, value string)) {
	if c.route == nil || len(c.route.CORS.Origins) == 0 {
		return
	}
	set("Vary", "Origin")
	origin := c.allowed()
	if origin == "" {
		return
	}
	set("Access-Control-Allow-Origin", origin)
	if c.route.CORS.Credentials {
		set("Access-Control-Allow-Credentials", "true")
	}
	exposed := "X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Cost, X-Quota-Limit, X-Quota-Remaining, X-Quota-Reset, RateLimit, RateLimit-Policy, Retry-After"
	set("Access-Control-Expose-Headers", strings.Join(append([]string{exposed}, c.route.CORS.Expose...), ", "))
}

func (c *call) appendCORS(b []byte) []byte {
	c.eachCORSField(func(name, value string) { b = appendField(b, name, value) })
	return b
}

// eachPreflightField names the headers that answer a preflight.
func (c *call) eachPreflightField(set func(name, value string)) {
	c.eachCORSField(set)
	if c.allowed() == "" {
		return
	}
	rules := &c.route.CORS
	methods := rules.Methods
	if len(methods) == 0 {
		methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	set("Access-Control-Allow-Headers", strings.Join(append([]string{"Authorization", "X-API-Key", "Content-Type"}, rules.Headers...), ", "))
	if rules.MaxAge > 0 {
		set("Access-Control-Max-Age", strconv.Itoa(rules.MaxAge))
	}
}

func (g *Gateway) answerPreflight(c *call) {
	if c.fast == nil {
		h := c.std.w.Header()
		c.eachPreflightField(h.Set)
		c.std.w.WriteHeader(http.StatusNoContent)
		return
	}
	x := c.fast
	b := appendStatus(x.Out[:0], http.StatusNoContent, "No Content")
	b = append(appendID(append(b, "X-Request-Id: "...), c.id), "\r\n"...)
	c.eachPreflightField(func(name, value string) { b = appendField(b, name, value) })
	b = append(append(append(b, "Date: "...), g.dates.at(c.started)...), "\r\n"...)
	x.Out = appendEnd(b, x.Keep)
	if x.Flush() != nil {
		x.Keep = false
	}
}

// isCORSHeader reports whether an upstream's header is ours to set, because the
// gateway answers for the API's origins.
func (c *call) isCORSHeader(name string) bool {
	const prefix = "access-control-"
	return len(c.route.CORS.Origins) > 0 && len(name) > len(prefix) && wire.Is(name[:len(prefix)], prefix)
}
