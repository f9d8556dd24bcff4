package snapshot

import "strings"

// matcher finds operations by method and path template: a tree of segments in
// which a literal is preferred to a parameter (OpenAPI 3.1, section 4.8.8.2).
type matcher map[string]*node // by method

type node struct {
	literal  map[string]*node
	param    *node
	affixed  []affix // segments such as {name}.json
	terminal *Operation
}

// affix is a segment with a parameter inside literal text.
type affix struct {
	prefix, suffix string
	next           *node
}

func (m matcher) add(op *Operation) {
	n := m[op.Method]
	if n == nil {
		n = &node{}
		m[op.Method] = n
	}
	for seg := range strings.SplitSeq(strings.TrimPrefix(op.Path, "/"), "/") {
		n = n.child(seg)
	}
	n.terminal = op
}

func (n *node) child(seg string) *node {
	open, end := strings.IndexByte(seg, '{'), strings.LastIndexByte(seg, '}')
	switch {
	case open == 0 && end == len(seg)-1:
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	case open >= 0 && end > open:
		a := affix{prefix: seg[:open], suffix: seg[end+1:], next: &node{}}
		for _, have := range n.affixed {
			if have.prefix == a.prefix && have.suffix == a.suffix {
				return have.next
			}
		}
		n.affixed = append(n.affixed, a)
		return a.next
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[seg] == nil {
		n.literal[seg] = &node{}
	}
	return n.literal[seg]
}

func (m matcher) match(method, path string) *Operation {
	if n := m[method]; n != nil {
		return n.match(strings.TrimPrefix(path, "/"))
	}
	return nil
}

func (n *node) match(rest string) *Operation {
	seg, tail, more := strings.Cut(rest, "/")
	try := func(next *node) *Operation {
		if next == nil {
			return nil
		}
		if more {
			return next.match(tail)
		}
		return next.terminal
	}
	if op := try(n.literal[seg]); op != nil {
		return op
	}
	for _, a := range n.affixed {
		if len(seg) > len(a.prefix)+len(a.suffix) && strings.HasPrefix(seg, a.prefix) && strings.HasSuffix(seg, a.suffix) {
			if op := try(a.next); op != nil {
				return op
			}
		}
	}
	if seg == "" { // a parameter is never empty
		return nil
	}
	return try(n.param)
}
