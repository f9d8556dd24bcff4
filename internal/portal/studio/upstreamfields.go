package studio

import (
	"strconv"
	"strings"
	"time"

	"tollgate/internal/catalog"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/internal/upstream"
	"tollgate/web/page"
)

// setting ties one field of the form to what it sets; exactly one of the
// pointers is not nil.
type setting struct {
	page.UpstreamSetting
	text  *string
	count *int
	time  *time.Duration
	list  *[]string
	flag  *bool
	size  *upstream.Size
}

// group is settings that belong together.
type group struct {
	title, note string
	settings    []setting
}

// settings are the form's groups, bound to u. Their names are those that
// Validate gives errors.
func settings(u *catalog.Upstream) []group {
	p, c, usual := &u.Policy, &u.CORS, upstream.Policy{}.WithDefaults()
	count := func(name, label, suffix string, to *int, usual int) setting {
		s := setting{UpstreamSetting: page.UpstreamSetting{Name: name, Label: label, Suffix: suffix}, count: to}
		if usual != 0 {
			s.Placeholder = strconv.Itoa(usual)
		}
		return s
	}
	span := func(name, label string, to *time.Duration, usual time.Duration, otherwise string) setting {
		s := setting{UpstreamSetting: page.UpstreamSetting{Name: name, Label: label, Placeholder: otherwise}, time: to}
		if usual != 0 {
			s.Placeholder = upstream.Short(usual)
		}
		return s
	}
	list := func(name, label, placeholder, hint string, to *[]string) setting {
		return setting{UpstreamSetting: page.UpstreamSetting{Name: name, Label: label, Placeholder: placeholder, Hint: hint}, list: to}
	}
	flag := func(name, label, hint string, to *bool) setting {
		return setting{UpstreamSetting: page.UpstreamSetting{Name: name, Label: label, Hint: hint, Check: true}, flag: to}
	}
	canBeOff := func(s setting) setting {
		s.Hint = "−1 turns this off."
		return s
	}
	return []group{
		{"Connections", "", []setting{
			{UpstreamSetting: page.UpstreamSetting{Name: "max_body", Label: "Largest request body", Placeholder: "the gateway’s own", Hint: "Such as 10 MiB, counted as it is sent. Larger ones are refused with 413. −1 sets no limit."}, size: &p.MaxBody},
			flag("websocket", "Allow WebSocket connections", "They need a valid key to open, and close when it is revoked.", &p.WebSocket),
			flag("sign_identity", "Sign who calls", "For upstreams that trust the gateway’s signed caller header.", &u.SignIdentity)}},
		{"Active health checks", "The gateway asks each target on its own. Without a path it does not.", []setting{
			{UpstreamSetting: page.UpstreamSetting{Name: "active.path", Label: "Path", Placeholder: "/healthz"}, text: &p.Active.Path},
			span("active.every", "Interval", &p.Active.Every, usual.Active.Every, ""), span("active.timeout", "Timeout", &p.Active.Timeout, usual.Active.Timeout, ""),
			orElse(count("active.status", "Expected status", "", &p.Active.Status, 0), "any 2xx or 3xx"),
			count("active.healthy", "Back in after", "successes", &p.Active.Healthy, usual.Active.Healthy), count("active.unhealthy", "Out after", "failures", &p.Active.Unhealthy, usual.Active.Unhealthy)}},
		{"Passive health checks", "Learned from real calls. Client errors never count, and the last target always stays in.", []setting{
			canBeOff(count("passive.failures", "Out after", "failures in a row", &p.Passive.Failures, usual.Passive.Failures)), span("passive.eject", "Stays out for", &p.Passive.Eject, usual.Passive.Eject, "")}},
		{"Circuit breaker", "Stops calling a target when too many calls fail, then lets a single probe through.", []setting{
			canBeOff(count("breaker.percent", "Opens when", "% fail", &p.Breaker.Percent, usual.Breaker.Percent)), count("breaker.calls", "Of at least", "calls", &p.Breaker.Calls, usual.Breaker.Calls),
			span("breaker.window", "Within", &p.Breaker.Window, usual.Breaker.Window, ""), span("breaker.open", "Stays open for", &p.Breaker.Open, usual.Breaker.Open, "")}},
		{"Timeouts", "", []setting{
			span("timeouts.connect", "Connect", &p.Timeouts.Connect, usual.Timeouts.Connect, ""), span("timeouts.first_byte", "First byte", &p.Timeouts.FirstByte, 0, "as the whole call"),
			span("timeouts.call", "Whole call", &p.Timeouts.Call, 0, "the gateway’s own")}},
		{"Retries", "Only for calls that are safe to repeat.", []setting{
			canBeOff(count("retry.attempts", "Retries of a call", "", &p.Retry.Attempts, usual.Retry.Attempts)), span("retry.backoff", "First pause", &p.Retry.Backoff, usual.Retry.Backoff, ""),
			count("retry.budget", "Budget", "per 100 calls", &p.Retry.Budget, usual.Retry.Budget)}},
		{"Browser access (CORS)", "Without an origin, the gateway adds no CORS headers and forwards preflight requests.", []setting{
			list("cors.origins", "Allowed origins", "https://app.example.com", "Separated by spaces; * for any.", &c.Origins), list("cors.methods", "Allowed methods", "those of the API", "", &c.Methods),
			list("cors.headers", "Allowed request headers", "simple ones and the key’s", "", &c.Headers), list("cors.expose", "Readable response headers", "those of limits", "", &c.Expose),
			count("cors.max_age", "Preflight cached for", "seconds", &c.MaxAge, 0),
			flag("cors.credentials", "Allow credentials", "Pages may then send cookies. Only with named origins.", &c.Credentials)}},
	}
}

func orElse(s setting, placeholder string) setting {
	s.Placeholder = placeholder
	return s
}

// value is what a setting holds; a default is nothing.
func (s setting) value() string {
	switch {
	case s.text != nil:
		return *s.text
	case s.count != nil && *s.count != 0:
		return strconv.Itoa(*s.count)
	case s.time != nil && *s.time != 0:
		return upstream.Short(*s.time)
	case s.list != nil:
		return strings.Join(*s.list, " ")
	case s.flag != nil && *s.flag:
		return "1"
	case s.size != nil && *s.size < 0:
		return "-1"
	case s.size != nil && *s.size > 0:
		return s.size.String()
	}
	return ""
}

// read sets it from what was typed.
func (s setting) read(text string, invalid problem.Invalid) {
	text = strings.TrimSpace(text)
	switch {
	case s.text != nil:
		*s.text = text
	case s.flag != nil:
		*s.flag = text != ""
	case s.count != nil && text != "":
		n, err := strconv.Atoi(strings.ReplaceAll(text, "−", "-"))
		invalid.Check(err == nil, s.Name, "Type a whole number.")
		*s.count = n
	case s.size != nil:
		*s.size = sizeOf(text, s.Name, invalid)
	case s.time != nil:
		*s.time = durationOf(text, s.Name, invalid)
	case s.list != nil:
		*s.list = strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\r' || r == '\t' })
	}
}

// sizeOf reads 10 MiB or −1; nothing is the default.
func sizeOf(text, field string, invalid problem.Invalid) upstream.Size {
	switch strings.ReplaceAll(text, "−", "-") {
	case "":
		return 0
	case "-1":
		return -1
	}
	size, err := upstream.ParseSize(text)
	invalid.Check(err == nil && size > 0, field, "Write a size such as 10 MiB or 512 KiB, or −1 for no limit.")
	return size
}

func readPolicy(r *request.Request, in *catalog.Upstream, invalid problem.Invalid) {
	in.Policy.Balance = upstream.Balance(r.Form("balance"))
	for _, g := range settings(in) {
		for _, s := range g.settings {
			s.read(r.Form(s.Name), invalid)
		}
	}
}

func settingOf(name string, u catalog.Upstream) string {
	for _, g := range settings(&u) {
		for _, s := range g.settings {
			if s.Name == name {
				return s.value()
			}
		}
	}
	return ""
}

// fillPolicy fills the form's groups with values and what is wrong with them.
func fillPolicy(props *page.UpstreamProps, value func(page.UpstreamSetting) string, invalid map[string]string) {
	for _, g := range settings(&catalog.Upstream{}) {
		shown := page.UpstreamGroup{Title: g.title, Note: g.note}
		for _, s := range g.settings {
			s.Input = page.Input{Value: value(s.UpstreamSetting), Error: invalid[s.Name]}
			shown.Settings = append(shown.Settings, s.UpstreamSetting)
		}
		props.Groups = append(props.Groups, shown)
	}
	props.Error = firstOf(props.Error, invalid["balance"])
}
