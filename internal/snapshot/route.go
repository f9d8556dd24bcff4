package snapshot

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/upstream"
)

// Route is a published version and how to reach it.
type Route struct {
	Version
	LiveGroup, TestGroup *upstream.Group // all targets with their state; TestGroup is nil where test calls are refused
	How                  upstream.Policy // with defaults
	operations           matcher
}

// newRoute prepares a version. An invalid one is an error.
func newRoute(v Version) (*Route, error) {
	r := &Route{Version: v, operations: matcher{}}
	if v.fault != "" {
		return nil, fmt.Errorf("API %s: its settings cannot be read: %s", v.API, v.fault)
	}
	if len(v.LiveTargets) == 0 {
		return nil, fmt.Errorf("API %s has no upstream", v.API)
	}
	for _, targets := range [][]upstream.Target{v.LiveTargets, v.TestTargets} {
		for _, t := range targets {
			if _, err := upstream.ParseTarget(t.URL); err != nil {
				return nil, fmt.Errorf("API %s: %w", v.API, err)
			}
		}
	}
	if err := v.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("API %s: %w", v.API, err)
	}
	r.How = v.Policy.WithDefaults()
	for i := range r.Operations {
		op := &r.Operations[i]
		op.scope, op.limit = v.API+"/"+op.Slug, op.Method+" "+op.Path
		r.operations.add(op)
	}
	return r, nil
}

// Operation finds the operation that method and path (within the version) call.
// HEAD is served by GET.
func (r *Route) Operation(method, path string) *Operation {
	op := r.operations.match(method, path)
	if op == nil && method == "HEAD" {
		op = r.operations.match("GET", path)
	}
	return op
}

// router finds routes by host and prefix, in a time that depends on neither's number.
type router struct {
	hosts map[string]*prefixes // in lower case
	any   *prefixes
	byID  map[uuid.UUID]*Route
}

// prefixes are the routes of one host.
type prefixes struct {
	routes  map[string]*Route
	deepest int // segments of the longest prefix
}

func newRouter(byID map[uuid.UUID]*Route) *router {
	rt := &router{hosts: map[string]*prefixes{}, any: &prefixes{routes: map[string]*Route{}}, byID: byID}
	for _, r := range byID {
		p := rt.any
		if r.Host != "" {
			host := strings.ToLower(r.Host)
			if rt.hosts[host] == nil {
				rt.hosts[host] = &prefixes{routes: map[string]*Route{}}
			}
			p = rt.hosts[host]
		}
		p.routes[r.PathPrefix] = r
		p.deepest = max(p.deepest, strings.Count(r.PathPrefix, "/"))
	}
	return rt
}

// named finds the routes of a host, in whatever case it is written.
func (rt *router) named(host string) *prefixes {
	if p := rt.hosts[host]; p != nil {
		return p
	}
	var lower [253]byte // the longest name there is
	if len(host) > len(lower) {
		return nil
	}
	for i := range len(host) {
		c := host[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return rt.hosts[string(lower[:len(host)])]
}

// find returns the route with the longest prefix of path that ends at a
// segment's end.
func (p *prefixes) find(path string) *Route {
	if p == nil || len(p.routes) == 0 || (path != "" && path[0] != '/') {
		return nil
	}
	found := p.routes[""]
	for i, depth := 1, 0; i <= len(path) && depth < p.deepest; i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		depth++
		if r := p.routes[path[:i]]; r != nil {
			found = r
		}
	}
	return found
}

// Route finds the version that answers to host and path, and the path within
// it: named hosts before any host, then the longest prefix that ends at a
// segment's end.
func (v *View) Route(host, path string) (*Route, string) {
	r := v.router.named(host).find(path)
	if r == nil {
		r = v.router.any.find(path)
	}
	if r == nil {
		return nil, ""
	}
	if len(path) == len(r.PathPrefix) {
		return r, "/"
	}
	return r, path[len(r.PathPrefix):]
}

// Routes lists the routes, in no order.
func (v *View) Routes() []*Route {
	out := make([]*Route, 0, len(v.router.byID))
	for _, r := range v.router.byID {
		out = append(out, r)
	}
	return out
}
