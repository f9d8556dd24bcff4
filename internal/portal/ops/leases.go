package ops

import (
	"strconv"
	"time"

	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/internal/writeoff"
	"tollgate/web/page"
)

// offShown is how long the page shows what was written off.
const offShown = 30 * 24 * time.Hour

// WriteOff gives up on a lease whose gateway will not come back.
func (o *Ops) WriteOff(r *request.Request) error {
	id, err := strconv.ParseInt(r.Param("lease"), 10, 64)
	if err != nil {
		return problem.NotFound("lease")
	}
	l, err := o.WriteOffs.WriteOff(r.Ctx(), r.Identity.User, id)
	if err != nil {
		return err
	}
	return r.RedirectWith(format.Counted(l.Unspent(), "call", "calls")+" went back to the quota of "+l.Customer+".", "/ops")
}

// WriteOffGateway gives up on all expired leases of one gateway's data folder.
func (o *Ops) WriteOffGateway(r *request.Request) error {
	off, err := o.WriteOffs.WriteOffGateway(r.Ctx(), r.Identity.User, r.Param("gateway"))
	if err != nil {
		return err
	}
	calls := int64(0)
	for _, l := range off {
		calls += l.Unspent()
	}
	return r.RedirectWith(format.Counted(calls, "call", "calls")+" of "+format.Counted(int64(len(off)), "lease", "leases")+" went back to their quotas.", "/ops")
}

// leaseGroups are expired leases by the data folder that holds them.
func (o *Ops) leaseGroups(leases []writeoff.Lease) (groups []page.LeaseGroup) {
	at, calls := map[string]int{}, map[string]int64{}
	for _, l := range leases {
		i, seen := at[l.Gateway]
		if !seen {
			i, at[l.Gateway] = len(groups), len(groups)
			groups = append(groups, page.LeaseGroup{Folder: l.Gateway, Action: "/ops/gateways/" + l.Gateway + "/write-off"})
		}
		calls[l.Gateway] += l.Unspent()
		groups[i].Held = format.Counted(calls[l.Gateway], "call", "calls")
		groups[i].Leases = append(groups[i].Leases, page.LeaseRow{
			Customer: l.Customer, Plan: l.Plan, Held: format.Counted(l.Unspent(), "call", "calls"),
			Expired: format.Moment(l.ExpiresAt, o.Clock.Real()), Action: "/ops/leases/" + strconv.FormatInt(l.Lease, 10) + "/write-off",
		})
	}
	return groups
}

// offRows are leases that were written off.
func (o *Ops) offRows(leases []writeoff.Lease) []page.WrittenOff {
	rows := make([]page.WrittenOff, len(leases))
	for i, l := range leases {
		rows[i] = page.WrittenOff{Customer: l.Customer, Plan: l.Plan, Folder: l.Gateway, Granted: format.Counted(l.Granted, "call", "calls"), Late: format.Count(l.Late), IsLate: l.Late > 0}
		if l.WrittenOffAt != nil {
			rows[i].At = format.Moment(*l.WrittenOffAt, o.Clock.Real())
		}
	}
	return rows
}
