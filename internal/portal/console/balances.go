package console

import (
	"slices"
	"time"

	"tollgate/internal/portal/format"
	"tollgate/web/component"
	"tollgate/web/page"
)

// balanceNotice is notice for a prepaid balance, which nothing renews.
func (q quotaUse) balanceNotice(percent int) component.FlashProps {
	left := q.limit.Calls - q.calls
	n := component.FlashProps{Tone: component.Warn, Message: format.Count(int64(percent)) + " % of the balance of " + q.name + " is used",
		Detail: format.Count(q.calls) + " of " + format.Counted(q.limit.Calls, "prepaid call", "prepaid calls") + " are used. After " + format.Counted(left, "more call", "more calls") + ", calls are refused. Ask us for a credit before that."}
	if left <= 0 {
		n.Tone, n.Message = component.Bad, "The balance of "+q.name+" is used up"
		n.Detail = "All " + format.Counted(q.limit.Calls, "prepaid call", "prepaid calls") + " are used. Calls are refused until you get a credit: ask us for one. They work again within seconds."
	}
	if q.limit.Calls == 0 {
		n.Message, n.Detail = "The balance of "+q.name+" is empty", "No calls have been credited yet. Calls are refused until you get a credit: ask us for one. They work within seconds of it."
	}
	return n
}

// creditRows are the credits of all balances, newest first.
func creditRows(quotas []quotaUse, now time.Time) (rows []page.CreditRow) {
	type credit struct {
		at  time.Time
		row page.CreditRow
	}
	var all []credit
	for _, q := range quotas {
		for _, c := range q.credits.Latest {
			all = append(all, credit{c.GrantedAt, page.CreditRow{Plan: q.name, Calls: format.Count(c.Calls), When: format.Moment(c.GrantedAt.In(q.loc), now)}})
		}
	}
	slices.SortStableFunc(all, func(a, b credit) int { return b.at.Compare(a.at) })
	for _, c := range all {
		rows = append(rows, c.row)
	}
	return rows
}
