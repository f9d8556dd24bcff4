package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// FieldError says what is wrong with one setting, in a sentence for people.
type FieldError struct{ Field, Message string }

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// FieldErrors finds the field errors in err, which Validate joined, by field.
func FieldErrors(err error) map[string]string {
	out := map[string]string{}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			var f *FieldError
			if errors.As(e, &f) && out[f.Field] == "" {
				out[f.Field] = f.Message
			}
		}
	}
	return out
}

// findings collects what is wrong.
type findings []error

func (f *findings) check(ok bool, field, format string, args ...any) {
	if !ok {
		*f = append(*f, &FieldError{field, fmt.Sprintf(format, args...)})
	}
}

// between checks a length of time; 0 means the default and is always right.
func (f *findings) between(field string, d, least, most time.Duration) {
	f.check(d == 0 || (d >= least && d <= most), field, "Give a time from %s to %s, or leave this empty for the default.", Short(least), Short(most))
}

// Short writes 250ms, 10s, 5m or 1h, without parts that are nothing.
func Short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// count checks a number; 0 means the default.
func (f *findings) count(field string, n, most int) {
	f.check(n >= 0 && n <= most, field, "Give a number from 1 to %d, or leave this empty for the default.", most)
}

// switched checks a number that -1 turns off; 0 means the default.
func (f *findings) switched(field string, n, most int) {
	f.check(n >= -1 && n <= most, field, "Give a number from 1 to %d, −1 to turn this off, or leave it empty for the default.", most)
}

// maxMaxBody keeps a slip of the keyboard from being taken for a limit.
const maxMaxBody Size = 1 << 40

// Validate joins everything that is wrong, each a *FieldError.
func (p Policy) Validate() error {
	var f findings
	f.check(p.Balance == "" || p.Balance == RoundRobin || p.Balance == LeastRequests, "balance", "Choose round robin or least requests.")
	a := p.Active
	f.check(a.Path == "" || (strings.HasPrefix(a.Path, "/") && validPath(a.Path)), "active.path", "Give a path that begins with a slash and has no spaces, such as /healthz, or leave this empty for no checks.")
	f.between("active.every", a.Every, time.Second, time.Hour)
	f.between("active.timeout", a.Timeout, 100*time.Millisecond, time.Minute)
	f.check(a.Status == 0 || (a.Status >= 100 && a.Status <= 599), "active.status", "Give a status from 100 to 599, or leave this empty to accept any 2xx or 3xx.")
	f.count("active.healthy", a.Healthy, 100)
	f.count("active.unhealthy", a.Unhealthy, 100)
	f.switched("passive.failures", p.Passive.Failures, 1000)
	f.between("passive.eject", p.Passive.Eject, time.Second, time.Hour)
	f.switched("breaker.percent", p.Breaker.Percent, 100)
	f.count("breaker.calls", p.Breaker.Calls, 100_000)
	f.between("breaker.window", p.Breaker.Window, time.Second, 10*time.Minute)
	f.between("breaker.open", p.Breaker.Open, 100*time.Millisecond, 10*time.Minute)
	f.between("timeouts.connect", p.Timeouts.Connect, 10*time.Millisecond, time.Minute)
	f.between("timeouts.first_byte", p.Timeouts.FirstByte, 10*time.Millisecond, time.Hour)
	f.between("timeouts.call", p.Timeouts.Call, 10*time.Millisecond, 24*time.Hour)
	f.check(p.Timeouts.Call == 0 || p.Timeouts.FirstByte <= p.Timeouts.Call, "timeouts.first_byte", "The first byte has more time than the whole call. Shorten this, or give the whole call more time.")
	f.switched("retry.attempts", p.Retry.Attempts, 5)
	f.between("retry.backoff", p.Retry.Backoff, time.Millisecond, 10*time.Second)
	f.count("retry.budget", p.Retry.Budget, 100)
	f.check(p.MaxBody >= -1 && p.MaxBody <= maxMaxBody, "max_body", "Give a size from 1 B to %s, −1 for no limit, or leave this empty for the gateway’s own.", maxMaxBody)
	return errors.Join(f...)
}

func validPath(p string) bool {
	u, err := url.ParseRequestURI(p)
	return err == nil && u.Host == "" && !strings.ContainsAny(p, " #")
}

// Validate joins everything that is wrong, each a *FieldError.
func (c CORS) Validate() error {
	var f findings
	for _, o := range c.Origins {
		f.check(o == "*" || validOrigin(o), "origins", "%q is not an origin. Write scheme and host in small letters and no path, such as https://app.example.com, or * for any.", o)
		f.check(o != "*" || !c.Credentials, "origins", "Browsers send credentials only to origins that are named. List the origins instead of *, or do not allow credentials.")
	}
	for field, names := range map[string][]string{"methods": c.Methods, "headers": c.Headers, "expose": c.Expose} {
		for _, n := range names {
			f.check(isToken(n), field, "%q is not a valid name. Use letters, digits and dashes, such as %s.", n, map[bool]string{true: "GET", false: "X-Request-Id"}[field == "methods"])
		}
	}
	f.count("max_age", c.MaxAge, 86_400)
	return errors.Join(f...)
}

func validOrigin(o string) bool {
	u, err := url.Parse(o)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Scheme+"://"+u.Host == o && o == strings.ToLower(o)
}

// isToken is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// ParseTarget reads a target's address: http or https, a host, and perhaps a
// path, that calls' paths are added to.
func ParseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("upstream %q is not an http or https address without user, query and fragment", raw)
	}
	return u, nil
}

// WithDefaults fills in what is not set.
func (p Policy) WithDefaults() Policy {
	or(&p.Balance, RoundRobin)
	or(&p.Active.Every, 10*time.Second)
	or(&p.Active.Timeout, 2*time.Second)
	or(&p.Active.Healthy, 2)
	or(&p.Active.Unhealthy, 3)
	or(&p.Passive.Failures, 5)
	or(&p.Passive.Eject, 30*time.Second)
	or(&p.Breaker.Percent, 50)
	or(&p.Breaker.Calls, 20)
	or(&p.Breaker.Window, 10*time.Second)
	or(&p.Breaker.Open, 5*time.Second)
	or(&p.Timeouts.Connect, 5*time.Second)
	or(&p.Retry.Attempts, 1)
	or(&p.Retry.Backoff, 25*time.Millisecond)
	or(&p.Retry.Budget, 20)
	return p
}

func or[T comparable](field *T, otherwise T) {
	var zero T
	if *field == zero {
		*field = otherwise
	}
}
