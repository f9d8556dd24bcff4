package openapi

import (
	"net/url"
	"strconv"
	"strings"
)

// maxRefChain bounds a reference to a reference to a reference.
const maxRefChain = 32

// resolver follows references inside the document, never out of it.
type resolver struct {
	root *node
	memo map[string]*node
}

func newResolver(root *node) *resolver {
	return &resolver{root: root, memo: map[string]*node{}}
}

// ref returns the reference that n is, or "".
func ref(n *node) string { return n.str("$ref") }

// deref follows n's references to the value they end at. It returns nil when
// they end nowhere.
func (r *resolver) deref(n *node) *node {
	for range maxRefChain {
		to := ref(n)
		if to == "" {
			return n
		}
		n = r.lookup(to)
	}
	return nil
}

// lookup returns what a reference points at, or nil.
func (r *resolver) lookup(to string) *node {
	if n, ok := r.memo[to]; ok {
		return n
	}
	n := r.find(to)
	r.memo[to] = n
	return n
}

func (r *resolver) find(to string) *node {
	path, ok := strings.CutPrefix(to, "#")
	if !ok {
		return nil
	}
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = unescaped
	}
	if path == "" {
		return r.root
	}
	if path[0] != '/' {
		return nil
	}
	n := r.root
	for step := range strings.SplitSeq(path[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		if n == nil {
			return nil
		}
		switch n.kind {
		case kindObject:
			n = n.get(step)
		case kindArray:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n.kids) {
				return nil
			}
			n = n.kids[i].value
		default:
			return nil
		}
	}
	return n
}

// refName is the last step of a reference: the component's name.
func refName(to string) string {
	name := to[strings.LastIndexByte(to, '/')+1:]
	if unescaped, err := url.PathUnescape(name); err == nil {
		name = unescaped
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
}
