package proxy

import (
	"fmt"
	"time"

	"tollgate/internal/problem"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/snapshot"
	"tollgate/internal/upstream"
)

var errFailedKeys = problem.New("too-many-failed-keys", "Too many calls with wrong keys came from this address. Correct the key and wait a moment.")

// prepareLimits finds out which limits a call meets, and as whose.
func (g *Gateway) prepareLimits(c *call) {
	c.set = c.hold.Set(c.arrived)
	c.who = quota.Subject{
		Subscription: c.hold.ID, Product: c.hold.Product, Operation: c.op.ID, Name: c.op.LimitName(), IP: c.r.client, Test: c.test(), Zone: c.hold.Zone(),
	}
	c.who.Organization, c.who.Key = c.caller()
	if c.set.Adapts {
		h := c.group.Health(c.started)
		c.who.Health = quota.Health{Errors: int64(h.Errors), Latency: h.FirstByte}
	}
	if c.hold.Anonymous() {
		return
	}
	if c.plan = c.hold.Quota(c.arrived); c.plan.Counts() {
		c.period = c.hold.QuotaPeriod(c.arrived)
	}
}

func (g *Gateway) spendQuota(c *call) *refusal {
	if !c.plan.Counts() || c.test() {
		return nil
	}
	var out lease.Outcome
	c.lease, c.quota, out = g.Wallet.Spend(c.ctx, c.account(), lease.Quota{Calls: c.plan.Calls, Hard: c.plan.Hard})
	if out == lease.Spent || !c.plan.Hard {
		return nil
	}
	st := c.quota
	policy := quotaPolicy(c.plan)
	if out == lease.Unavailable {
		st.Reset = c.arrived.Add(2 * time.Second)
		return &refusal{Error: problem.New("quota-unavailable", "The gateway could not confirm that quota is left. The call was not counted; try again shortly."), status: &st, policy: policy}
	}
	if c.plan.Prepaid {
		st.Retry = lookAgain
		return &refusal{Error: problem.New("balance-exhausted", "The plan %s is prepaid, and the balance is used up: %d calls were credited. Ask for more; %s/console/usage says what was credited when.",
			c.hold.Subscription.Plan, c.plan.Calls, g.cfg.PortalURL), status: &st, policy: policy}
	}
	return &refusal{Error: problem.New("quota-exceeded", "The plan %s includes %s, and they are used up until %s. See %s.",
		c.hold.Subscription.Plan, policy, st.Reset.Format("2 January 2006 15:04 UTC"), g.planURL(c)), status: &st, policy: policy}
}

// lookAgain is after how many seconds to try again where only somebody's credit
// helps: when that comes is not known.
const lookAgain = 60

func quotaPolicy(q snapshot.Quota) string {
	switch {
	case q.Prepaid:
		return fmt.Sprintf("%d prepaid calls", q.Calls)
	case q.CalendarMonth:
		return fmt.Sprintf("%d calls per calendar month", q.Calls)
	}
	return fmt.Sprintf("%d calls per billing period", q.Calls)
}

func (g *Gateway) takeRate(c *call) *refusal {
	c.rate = g.Limiter.Decide(c.ctx, c.set, &c.who, int64(c.op.Weight), c.arrived)
	if c.rate.OK {
		if r := c.rate.Rule; r != nil && r.Adapts() {
			g.metrics.inForce(c)
		}
		return nil
	}
	return g.overRate(c)
}

// overRate says which limit refused the call.
func (g *Gateway) overRate(c *call) *refusal {
	d, st := &c.rate, c.rate.Status
	if d.Rule.Concurrent {
		policy := fmt.Sprintf("%d calls at once", st.Limit)
		return &refusal{Error: problem.New("concurrency-limit-exceeded", "The plan %s allows %s. Wait for one to end.", c.hold.Subscription.Plan, policy), status: &st, policy: policy}
	}
	policy := fmt.Sprintf("%d calls per %s", st.Limit, windowName(st.Window))
	if d.Rule.Operation != "" {
		policy += " of " + d.Rule.Operation
	}
	if d.Never { // Reset stands for Retry-After, which a 429 always has
		return &refusal{Error: problem.New("rate-limit-exceeded", "This call counts as %d, and the plan %s allows %s.", c.op.Weight, c.hold.Subscription.Plan, policy), status: &st, policy: policy}
	}
	return &refusal{Error: problem.New("rate-limit-exceeded", "The plan %s allows %s. Wait %d seconds, or see %s for a larger plan.",
		c.hold.Subscription.Plan, policy, st.RetryAfter(c.arrived), g.planURL(c)), status: &st, policy: policy}
}

func (g *Gateway) planURL(c *call) string { return g.cfg.PortalURL + "/pricing/" + c.hold.ProductSlug }

func windowName(w time.Duration) string {
	switch w {
	case 0:
		return "concurrent"
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return w.String()
}

// undo gives back what a refused call has taken so far.
func (g *Gateway) undo(c *call) {
	if c.reserved {
		g.Spool.Release()
	}
	if c.lease != 0 {
		g.Wallet.Return(c.account(), c.lease)
	}
	if c.target.Member != nil {
		c.group.Report(c.target, upstream.ClientFault, 0, c.started)
		c.target.Member = nil
	}
}

// peekLimits finds out how the limits stand that no step has asked about.
func (g *Gateway) peekLimits(c *call) {
	if c.set == nil {
		return
	}
	if c.plan.Counts() {
		c.quota = g.Wallet.Peek(c.account(), c.plan.Calls)
	}
	if c.rate.Rule != nil {
		return
	}
	for i, st := range g.Limiter.Peek(nil, c.set, &c.who, c.arrived) {
		if i == 0 || st.Remaining < c.rate.Status.Remaining {
			c.rate.Status = st
		}
	}
}
