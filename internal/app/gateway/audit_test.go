package gateway_test

import (
	"context"
	"strings"
	"time"

	"tollgate/internal/identity"
)

// audit holds what the upstream saw against what the database holds, after the
// gateway has ended: each call once in both, with identity and addresses that are
// ours. A call that its client broke off may be recorded without having got that far.
func (b *bundle) audit(c *capture) {
	b.t.Helper()
	b.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) > 0 {
		b.t.Errorf("the upstream could not read %q", c.bad)
	}
	metered := b.events()
	reached := map[string]bool{}
	for _, r := range c.seen {
		id := r.values("x-request-id")
		if len(id) != 1 || reached[id[0]] {
			b.t.Errorf("%s has request ids %q", r.line, id)
			continue
		}
		reached[id[0]] = true
		if _, ok := metered[id[0]]; !ok {
			b.t.Errorf("%s reached the upstream and was not metered: %s", r.line, id)
		}
		b.auditHeaders(r)
	}
	for _, r := range c.cut {
		for _, id := range r.values("x-request-id") {
			reached[id] = true
		}
	}
	for id, e := range metered {
		if !reached[id] && (e.billable || (e.status != 400 && e.status != 413 && e.status != 499)) {
			b.t.Errorf("%s was metered and never reached the upstream: %+v", id, e)
		}
	}
}

type event struct {
	path     string
	status   int
	billable bool
	units    int
	in, out  int // bytes
}

// events are the stored calls, by request id.
func (b *bundle) events() map[string]event {
	b.t.Helper()
	rows, err := b.db.Query(context.Background(), `SELECT request_id::text, path, status, billable, units, bytes_in, bytes_out FROM usage_events`)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]event{}
	for rows.Next() {
		var id string
		var e event
		if err := rows.Scan(&id, &e.path, &e.status, &e.billable, &e.units, &e.in, &e.out); err != nil {
			b.t.Fatal(err)
		}
		if _, twice := all[id]; twice {
			b.t.Errorf("%s is stored twice", id)
		}
		all[id] = e
	}
	return all
}

func (b *bundle) auditHeaders(r captured) {
	b.t.Helper()
	for _, l := range r.lines {
		name, value, _ := strings.Cut(l, ":")
		plain := strings.Map(func(c rune) rune {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return '-'
			}
			return c
		}, strings.ToLower(name))
		if (plain == "content-length" || plain == "transfer-encoding") && plain != strings.ToLower(name) {
			b.t.Errorf("%s reached the upstream with %q", r.line, l)
		}
		ours := name == "X-Request-Id" || name == "X-Forwarded-For" || name == "X-Forwarded-Host" || name == "X-Forwarded-Proto" || name == identity.Header
		for _, word := range []string{"identity", "consumer", "credential", "forwarded", "real-ip", "client-ip", "override", "rewrite", "request-id", "authorization", "api-key", "connecting-ip", "original-url"} {
			if strings.Contains(plain, word) && !ours {
				b.t.Errorf("%s reached the upstream with %q", r.line, l)
			}
		}
		if strings.Contains(value, "forged") {
			b.t.Errorf("%s reached the upstream with %q", r.line, l)
		}
	}
	for _, name := range []string{"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "host", "tollgate-identity"} {
		if v := r.values(name); len(v) != 1 {
			b.t.Errorf("%s reached the upstream with %s %q", r.line, name, v)
		}
	}
	if v := r.values("x-forwarded-for"); len(v) == 1 && v[0] != "127.0.0.1" {
		b.t.Errorf("%s came from %q", r.line, v)
	}
	if v := r.values("tollgate-identity"); len(v) == 1 {
		if who, err := identity.Verify([]byte(secret), v[0], time.Now()); err != nil || who.Organization != b.org {
			b.t.Errorf("%s says it is %+v, %v", r.line, who, err)
		}
	}
}
