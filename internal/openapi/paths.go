package openapi

import (
	"fmt"
	"strings"
)

// Bounds of what is routed.
const (
	maxPath       = 2000
	maxOperations = 10_000
)

// template is a path with its parameters' names.
type template struct {
	params []string
	// routed is the path with every parameter written {}, because two
	// templates that differ in names only match the same calls.
	routed string
}

// parsePath reads a path template. What it refuses, a gateway could not route.
func parsePath(path string) (template, error) {
	var t template
	if !strings.HasPrefix(path, "/") {
		return t, fmt.Errorf("must start with /")
	}
	if len(path) > maxPath {
		return t, fmt.Errorf("is longer than %d bytes", maxPath)
	}
	if i := strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r == '?' || r == '#' }); i >= 0 {
		return t, fmt.Errorf("must not contain %q; query parameters belong under parameters", path[i])
	}
	var routed strings.Builder
	rest := path
	for rest != "" {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			break
		}
		if rest[open] == '}' {
			return t, fmt.Errorf("has a } without a {")
		}
		end := strings.IndexAny(rest[open+1:], "{}/")
		if end < 0 || rest[open+1+end] != '}' {
			return t, fmt.Errorf("has a { that is not closed before the next /")
		}
		name := rest[open+1 : open+1+end]
		if name == "" {
			return t, fmt.Errorf("has a parameter without a name")
		}
		for _, p := range t.params {
			if p == name {
				return t, fmt.Errorf("has the parameter {%s} twice", name)
			}
		}
		t.params = append(t.params, name)
		routed.WriteString(rest[:open] + "{}")
		rest = rest[open+end+2:]
	}
	routed.WriteString(rest)
	t.routed = routed.String()
	return t, checkSegments(t.routed)
}

// checkSegments refuses what proxies and browsers would rewrite on the way.
func checkSegments(routed string) error {
	segments := strings.Split(routed[1:], "/")
	for i, s := range segments {
		lower := strings.ToLower(s)
		switch {
		case s == "" && i < len(segments)-1:
			return fmt.Errorf("has an empty segment (//)")
		case s == "." || s == "..":
			return fmt.Errorf("has a dot segment")
		case strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") || strings.Contains(lower, "%2e"):
			return fmt.Errorf("has an escaped slash, backslash or dot")
		}
	}
	return nil
}

// httpMethods are the path item fields that are operations.
var httpMethods = map[string]string{
	"get": "GET", "put": "PUT", "post": "POST", "delete": "DELETE",
	"options": "OPTIONS", "head": "HEAD", "patch": "PATCH", "trace": "TRACE",
}

// endpoint is an operation as found in the document.
type endpoint struct {
	method, path string
	template     template
	op, item     *node
	at           place
}

// endpoints returns the operations in the document's order, with findings
// about paths that cannot be routed.
func endpoints(root *node, res *resolver, found *findings) []endpoint {
	paths := root.get("paths")
	if paths != nil && paths.kind != kindObject {
		found.err("invalid-paths", paths.at, "paths is %s; it must be an object of paths and their operations.", paths.kind)
		return nil
	}
	var out []endpoint
	taken := map[string]endpoint{}
	spelled := map[string]member{}
	for _, m := range root.fields("paths") {
		if strings.HasPrefix(m.name, "x-") {
			continue
		}
		t, err := parsePath(m.name)
		if err != nil {
			found.err("invalid-path-template", m.at, "The path %.200q %s.", m.name, err)
			continue
		}
		if first, ok := spelled[t.routed]; ok {
			found.warn("ambiguous-path", m.at, "The path %.200q matches the same calls as %.200q (line %d); give their parameters one name.", m.name, first.name, first.at.line)
		} else {
			spelled[t.routed] = m
		}
		for _, e := range itemEndpoints(m, res, found) {
			e.template = t
			key := e.method + " " + t.routed
			if first, ok := taken[key]; ok {
				found.err("duplicate-operation", e.at, "%s %s matches the same calls as %s (line %d); remove one of them.", e.method, clipText(e.path, 200), clipText(first.path, 200), first.at.line)
				continue
			}
			if len(out) == maxOperations {
				found.err("too-many-operations", e.at, "The document has more than %d operations; split it into several APIs.", maxOperations)
				return out
			}
			taken[key] = e
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		found.err("no-operations", at(paths, root), "The document has no operations; add at least one path with a method.")
	}
	return out
}

// at is the place of the first value that is there.
func at(nodes ...*node) place {
	for _, n := range nodes {
		if n != nil {
			return n.at
		}
	}
	return place{}
}

func itemEndpoints(m member, res *resolver, found *findings) []endpoint {
	item := m.value
	if ref(item) != "" {
		if item = res.deref(item); item == nil {
			return nil // the reference has a finding of its own
		}
	}
	if item.kind != kindObject {
		found.warn("invalid-path-item", m.at, "The path %.200q holds %s instead of operations; it is ignored.", m.name, item.kind)
		return nil
	}
	var out []endpoint
	for _, f := range item.kids {
		method, ok := httpMethods[f.name]
		if !ok {
			continue
		}
		if f.value.kind != kindObject {
			found.err("invalid-operation", f.at, "%s %.200s is %s; it must be an object.", method, m.name, f.value.kind)
			continue
		}
		out = append(out, endpoint{method: method, path: m.name, op: f.value, item: item, at: f.at})
	}
	return out
}
