package ops

import (
	"strconv"

	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/internal/writeoff"
	"tollgate/web/page"
)

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
	return r.RedirectWith(format.Counted(l.Granted-l.Spent, "call", "calls")+" went back to the quota of "+l.Customer+".", "/ops")
}

func (o *Ops) leaseRows(leases []writeoff.Lease) []page.LeaseRow {
	rows := make([]page.LeaseRow, len(leases))
	for i, l := range leases {
		rows[i] = page.LeaseRow{
			Customer: l.Customer, Plan: l.Plan, Held: format.Counted(l.Granted-l.Spent, "call", "calls"),
			Expired: format.Moment(l.ExpiresAt, o.Clock.Real()), Action: "/ops/leases/" + strconv.FormatInt(l.Lease, 10) + "/write-off",
		}
	}
	return rows
}
