package proxy

import "strings"

// pass takes the first call's decisions for every other one: the gateway without
// policy and metering, which benchmarks set against the whole (build tag
// constant). No shipped program is built this way.
func (g *Gateway) pass(c *call) *refusal {
	if first := g.first.Load(); first != nil {
		c.view, c.path, c.within, c.route, c.op, c.hold, c.group = first.view, first.path, first.within, first.route, first.op, first.hold, first.group
		return g.pickTarget(c)
	}
	if refused := g.run(c); refused != nil {
		return refused
	}
	g.first.Store(&call{
		view: c.view, path: strings.Clone(c.path), within: strings.Clone(c.within), route: c.route, op: c.op, hold: c.hold, group: c.group,
	})
	return nil
}
