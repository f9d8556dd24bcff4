package openapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// servedHeader is a header that the gateway answers with.
type servedHeader struct {
	name, meaning string
	text          bool // else a whole number
}

// limitHeaders stand on what is forwarded and on what is refused.
var limitHeaders = []servedHeader{
	{name: "X-RateLimit-Limit", meaning: "Calls that the limit with least remaining allows, as it is in force."},
	{name: "X-RateLimit-Remaining", meaning: "Calls left of it."},
	{name: "X-RateLimit-Reset", meaning: "When it is whole again if nothing else arrives, in seconds since 1970-01-01 UTC."},
	{name: "X-RateLimit-Cost", meaning: "What this call counted as, where that is more than one."},
	{name: "X-Quota-Limit", meaning: "Calls of the plan's quota, when it has one; of a prepaid plan, all that were credited."},
	{name: "X-Quota-Remaining", meaning: "Calls left of that quota or balance."},
	{name: "X-Quota-Reset", meaning: "When the quota's next period begins, in seconds since 1970-01-01 UTC; a prepaid balance has none."},
	{name: "RateLimit-Policy", meaning: `The same limits as a list: "minute";q=100;w=60 is 100 calls in 60 seconds.`, text: true},
	{name: "RateLimit", meaning: `What is left as a list: "minute";r=42;t=17 is 42 calls, whole again in 17 seconds.`, text: true},
}

// refusalHeaders stand on a 429.
var refusalHeaders = append(slices.Clone(limitHeaders), servedHeader{name: "Retry-After", meaning: "Seconds to wait before the next call."})

func (h servedHeader) component() string {
	return limitHeader + strings.ReplaceAll(h.name, "-", "")
}

// withLimitHeaders adds references to the headers that headers does not declare.
func withLimitHeaders(headers *node, add []servedHeader) *node {
	if !headers.isObject() {
		headers = newObject(place{}, nil)
	}
	kids := slices.Clone(headers.kids)
	for _, h := range add {
		if !slices.ContainsFunc(kids, func(m member) bool { return strings.EqualFold(m.name, h.name) }) {
			kids = append(kids, member{name: h.name, at: headers.at, value: object(headers.at, "$ref", newString(headers.at, "#/components/headers/"+h.component()))})
		}
	}
	return newObject(headers.at, kids)
}

func text(s string) *node { return newString(place{}, s) }

func integer(n int64) *node { return &node{kind: kindNumber, text: strconv.FormatInt(n, 10)} }

func list(items ...*node) *node {
	n := &node{kind: kindArray}
	for _, item := range items {
		n.kids = append(n.kids, member{value: item})
	}
	return n
}

func servedComponents(components *node, plans []ServedPlan) *node {
	var none place
	if !components.isObject() {
		components = newObject(none, nil)
	}
	section := func(name string) *node {
		if s := components.get(name); s.isObject() {
			return s
		}
		return newObject(none, nil)
	}
	schemes := section("securitySchemes").
		with(schemeBearer, object(none, "type", text("http"), "scheme", text("bearer"), "description", text("An API key, as Authorization: Bearer <key>."))).
		with(schemeHeader, object(none, "type", text("apiKey"), "in", text("header"), "name", text("X-API-Key"), "description", text("An API key.")))
	headers := section("headers")
	for _, h := range refusalHeaders {
		schema := object(none, "type", text("integer"), "minimum", integer(0))
		if h.text {
			schema = object(none, "type", text("string"))
		}
		headers = headers.with(h.component(), object(none, "description", text(h.meaning), "schema", schema))
	}
	responses := mapFields(section("responses"), func(r *node) *node {
		if !r.isObject() || ref(r) != "" {
			return r
		}
		return r.with("headers", withLimitHeaders(r.get("headers"), limitHeaders))
	})
	return components.with("securitySchemes", schemes).with("headers", headers).with("responses", responses.with(limitResponse, limitRefusal(plans)).with(largeResponse, largeRefusal()))
}

// limitRefusal is the gateway's 429.
func limitRefusal(plans []ServedPlan) *node {
	description := "A limit of the plan refused the call. It was not forwarded and not counted; try again after Retry-After."
	var all []string
	for _, p := range plans {
		for _, l := range p.Limits {
			all = append(all, p.Name+": "+l.Text)
		}
	}
	if len(all) > 0 {
		description += " Limits: " + strings.Join(all, "; ") + "."
	}
	codes := list(text("rate-limit-exceeded"), text("concurrency-limit-exceeded"), text("quota-exceeded"), text("balance-exhausted"), text("quota-unavailable"))
	return refusal(description, "429.", "Which limit refused, and when to try again.",
		property("string", "Which kind of limit refused.", "enum", codes),
		"retry_after", property("integer", "As the header Retry-After."),
		"policy", property("string", "The limit that refused, such as 100 calls per minute."),
		"plan_url", property("string", "Where larger plans are.", "format", text("uri"))).with("headers", withLimitHeaders(nil, refusalHeaders))
}

// largeRefusal is the gateway's 413.
func largeRefusal() *node {
	return refusal("The body of the request is larger than the API takes, counted in bytes as they are sent. The call is not billed.",
		"413.", "How large a body may be.", property("string", "What refused.", "enum", list(text("body-too-large"))))
}

func property(kind, meaning string, more ...any) *node {
	return object(place{}, append([]any{"type", text(kind), "description", text(meaning)}, more...)...)
}

// refusal is an answer of the gateway with a problem body. More properties of
// that are in more, as names and nodes.
func refusal(description, status, detail string, code *node, more ...any) *node {
	var none place
	properties := object(none, append([]any{
		"type", property("string", "A page that says what the problem is and what to do.", "format", text("uri-reference")),
		"title", property("string", "What kind of problem."),
		"status", property("integer", status),
		"detail", property("string", detail),
		"code", code,
		"request_id", property("string", "Names the call when you ask for help."),
	}, more...)...)
	schema := object(none, "type", text("object"), "required", list(text("type"), text("title"), text("status"), text("detail"), text("code")), "properties", properties)
	return object(none, "description", text(description), "content", object(none, "application/problem+json", object(none, "schema", schema)))
}

// servedPlans is the member x-tollgate-plans.
func servedPlans(plans []ServedPlan) *node {
	out := &node{kind: kindArray}
	for _, p := range plans {
		limits := &node{kind: kindArray}
		for _, l := range p.Limits {
			limits.kids = append(limits.kids, member{value: l.node()})
		}
		key := "required"
		if p.Anonymous {
			key = "none"
		}
		out.kids = append(out.kids, member{value: object(place{}, "product", text(p.Product), "plan", text(p.Name), "key", text(key), "limits", limits)})
	}
	return out
}

// Prepaid is the period of a balance, which is never renewed. Its limit is what
// a subscription begins with.
const Prepaid = "prepaid"

func (l ServedLimit) node() *node {
	pairs := []any{"kind", text(l.Kind), "limit", integer(l.Limit)}
	if l.Period == Prepaid {
		pairs[2] = "first_credit"
	}
	add := func(name, value string) {
		if value != "" {
			pairs = append(pairs, name, text(value))
		}
	}
	if l.Window > 0 {
		pairs = append(pairs, "window_seconds", integer(l.Window))
	}
	if l.Burst > 0 {
		pairs = append(pairs, "burst", integer(l.Burst))
	}
	add("period", l.Period)
	add("algorithm", l.Algorithm)
	add("scope", l.Scope)
	add("operation", l.Operation)
	if l.Kind == "quota" {
		add("beyond", map[bool]string{true: "refused", false: "allowed"}[l.Hard])
	}
	if l.Adapts {
		pairs = append(pairs, "adapts", &node{kind: kindBool, text: fmt.Sprint(true)})
	}
	add("text", l.Text)
	return object(place{}, pairs...)
}
