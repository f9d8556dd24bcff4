package plans

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/quota"
)

// Limit is one limit of a plan: a rate, a bound of calls under way, or a quota.
type Limit struct {
	Position   int           // in the plan version; what overrides name
	Quota      bool          // per billing period or calendar month, or prepaid
	Concurrent bool          // calls under way; neither: a rate, per Window
	Calls      int64         // 1 to quota.MaxCalls; a quota may have more; of a prepaid one, what a subscription begins with, also 0
	Window     time.Duration // of a rate: whole seconds
	Hard       bool          // of a quota: blocks; else further calls go on and are charged

	CalendarMonth bool            // of a quota: the month in the organization's zone, not the billing period
	Prepaid       bool            // of a quota: as large as the credits of the subscription, and never renewed
	Algorithm     quota.Algorithm // of a rate
	Scope         quota.Scope     // of rates and calls under way
	Operation     string          // such as "GET /reports/{id}"; empty: every operation
	Burst         int64           // of the buckets; 0: the algorithm's own
	Adapt         quota.Adapt
	Overridden    *Override // in force: Calls and Burst are its own, not the plan's
}

// Rate is a limit of so many calls per fixed window, for all calls of a
// subscription.
func Rate(calls int64, window time.Duration) Limit {
	return Limit{Calls: calls, Window: window, Hard: true, Algorithm: quota.FixedWindow, Scope: quota.PerApplication}
}

// Quota is a limit of so many calls in a billing period.
func Quota(calls int64, hard bool) Limit {
	return Limit{Quota: true, Calls: calls, Hard: hard, Algorithm: quota.FixedWindow, Scope: quota.PerApplication}
}

// Prepaid is a balance that begins with so many calls.
func Prepaid(calls int64) Limit {
	l := Quota(calls, true)
	l.Prepaid = true
	return l
}

// MaxLimits is how many limits a plan may have.
const MaxLimits = 12

// MaxSlots is how many declared times a limit may have.
const MaxSlots = 50

// MaxQuota is the most calls of a quota.
const MaxQuota = 1_000_000_000_000

// Enforced is l as gateways count it; nothing of that is meant of a quota.
func (l Limit) Enforced() quota.Limit {
	return quota.Limit{Concurrent: l.Concurrent, Algorithm: l.Algorithm, Scope: l.Scope, Operation: l.Operation, Calls: l.Calls, Burst: l.Burst, Window: l.Window, Adapt: l.Adapt}
}

// holds is the heaviest call that could ever pass.
func (l Limit) holds() int64 {
	switch {
	case l.Concurrent:
		return quota.MaxCost
	case l.Algorithm == quota.LeakyBucket:
		return l.Burst + 1
	case l.Algorithm == quota.TokenBucket && l.Burst > 0:
		return l.Burst
	}
	return l.Calls
}

// limits are the plan's limits with what was left out filled in.
func (p NewPlan) limits() []Limit {
	out := make([]Limit, len(p.Limits))
	for i, l := range p.Limits {
		l.Position, l.Algorithm, l.Scope = i, cmp.Or(l.Algorithm, quota.FixedWindow), cmp.Or(l.Scope, quota.PerApplication)
		l.Hard = l.Hard || !l.Quota || l.Prepaid
		if p.Sale == Anonymous {
			l.Scope = cmp.Or(p.Limits[i].Scope, quota.PerIP)
		}
		out[i] = l
	}
	return out
}

// LimitField names a field of the nth limit in an error: calls, window, scope,
// algorithm, burst, operation, surge, shrink, adapt or what SlotField gives.
func LimitField(n int, field string) string { return "limits." + strconv.Itoa(n) + "." + field }

// SlotField names a field of the nth declared time of a limit, for LimitField:
// from, to or percent.
func SlotField(n int, field string) string { return "schedule." + strconv.Itoa(n) + "." + field }

// checkLimits notes what is wrong, under the names that LimitField gives, or
// under limits where no single one is meant.
func (p NewPlan) checkLimits(v problem.Invalid) {
	v.Check(len(p.Limits) <= MaxLimits, "limits", "A plan has at most %d limits.", MaxLimits)
	quotas := 0
	for i, l := range p.limits() {
		check := func(ok bool, field, format string, args ...any) { v.Check(ok, LimitField(i, field), format, args...) }
		if l.Quota {
			quotas++
			check((l.Calls >= 1 || l.Prepaid) && l.Calls >= 0 && l.Calls <= MaxQuota, "calls", "Give a number of calls from 1 to 1,000,000,000,000.")
			check(!l.Prepaid || !l.CalendarMonth, "window", "A prepaid balance is not renewed.")
			check(quotas == 1, "window", "A plan has one quota.")
			check(l.Operation == "", "operation", "A quota counts all operations.")
			check(l.Adapt.Schedule == nil && l.Adapt.Surge == quota.Surge{} && l.Adapt.Shrink == quota.Shrink{}, "adapt", "A quota does not move: put this on a rate.")
			continue
		}
		l.check(check)
	}
	if p.Sale == Anonymous {
		p.checkAnonymous(v)
	}
}

// check notes what is wrong with a rate or a bound of calls under way.
func (l Limit) check(check func(ok bool, field, format string, args ...any)) {
	check(l.Calls >= 1 && l.Calls <= quota.MaxCalls, "calls", "Give a number of calls from 1 to 1,000,000,000.")
	check(l.Burst >= 0 && l.Burst <= quota.MaxCalls, "burst", "Give a number of calls from 0 to 1,000,000,000.")
	bucket := l.Algorithm == quota.TokenBucket || l.Algorithm == quota.LeakyBucket
	check(l.Burst == 0 || bucket, "burst", "Only the two buckets have a burst.")
	check(l.Concurrent || (l.Window >= time.Second && l.Window <= quota.MaxWindow && l.Window%time.Second == 0), "window", "Choose a window of whole seconds, at most 366 days.")
	a := l.Adapt
	check(a.Surge.Percent == 0 || (a.Surge.Percent >= 101 && a.Surge.Percent <= 1000), "surge", "A surge raises the limit to between 101 and 1,000 %%.")
	check((a.Surge.Percent == 0) == (a.Surge.For == 0) && a.Surge.For >= 0 && a.Surge.For <= 24*time.Hour, "surge", "Say to how much the limit is raised, and for how long: at most a day.")
	check(a.Shrink.Percent >= 0 && a.Shrink.Percent <= 99, "shrink", "An unwell upstream lowers the limit to between 1 and 99 %%.")
	check(a.Shrink.Errors >= 0 && a.Shrink.Errors <= 100 && a.Shrink.Latency >= 0, "shrink", "Errors are between 1 and 100 %%.")
	check((a.Shrink.Percent == 0) == (a.Shrink.Errors == 0 && a.Shrink.Latency == 0), "shrink", "Say to how much the limit is lowered, and from which errors or latency on.")
	check(!l.Concurrent || (a.Surge == quota.Surge{}), "surge", "Calls under way know no surge.")
	check(len(a.Schedule) <= MaxSlots, "adapt", "A limit changes at most %d times.", MaxSlots)
	for n, s := range a.Schedule {
		check(validTime(s.From), SlotField(n, "from"), "Give a time of day such as 08:30.")
		check(validTime(s.To), SlotField(n, "to"), "Give a time of day such as 18:00.")
		check(s.Percent >= 1 && s.Percent <= 1000, SlotField(n, "percent"), "Give 1 to 1,000 %%.")
	}
	_, err := quota.Prepare([]quota.Limit{l.Enforced()}) // whatever is left
	if err != nil {
		check(false, "calls", "%s", sentence(err))
	}
}

func validTime(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil
}

// checkAnonymous notes what keeps a plan from serving calls without a key:
// nobody could be charged, and only addresses tell callers apart.
func (p NewPlan) checkAnonymous(v problem.Invalid) {
	v.Check(p.RecurringFee == 0, "fee", "A plan without a key is free: nobody could be charged.")
	v.Check(p.Usage == nil, "model", "A plan without a key is free: nobody could be charged.")
	v.Check(p.PrivateTo == nil, "sale", "A plan without a key is for everybody.")
	perAddress := false
	for i, l := range p.limits() {
		v.Check(!l.Quota, LimitField(i, "window"), "A plan without a key has no quota: nobody subscribes to it. Give a rate per day.")
		v.Check(l.Scope == quota.PerIP || l.Scope == quota.PerOperation, LimitField(i, "scope"), "Without a key, calls are counted by address or by operation.")
		perAddress = perAddress || (!l.Quota && !l.Concurrent && l.Scope == quota.PerIP && l.Operation == "")
	}
	v.Check(perAddress, "limits", "A plan without a key needs a rate for each address, of all operations.")
}

// checkOperations refuses limits of operations that the product does not have,
// and those under which the heaviest call could never pass.
func checkOperations(ctx context.Context, tx *postgres.Tx, product uuid.UUID, limits []Limit) error {
	v := problem.Invalid{}
	for i, l := range limits {
		if l.Quota {
			continue
		}
		var known bool
		var heaviest int64
		err := tx.PGX.QueryRow(ctx, `
			SELECT count(*) > 0, coalesce(max(o.weight), 1) FROM product_versions p JOIN api_versions v ON v.id = p.version_id JOIN operations o ON o.version_id = v.id
			WHERE p.product_id = $1 AND v.lifecycle IN ('published', 'deprecated') AND ($2 = '' OR o.method || ' ' || o.path = $2)`, product, l.Operation).Scan(&known, &heaviest)
		if err != nil {
			return err
		}
		v.Check(l.Operation == "" || known, LimitField(i, "operation"), "The product has no such operation that is published.")
		if l.Algorithm == quota.LeakyBucket && l.holds() < heaviest {
			v.Check(false, LimitField(i, "burst"), "The heaviest operation weighs %d: with a burst under %d it could never be called.", heaviest, heaviest-1)
		} else {
			v.Check(l.holds() >= heaviest, LimitField(i, "calls"), "The heaviest operation weighs %d: it could never be called.", heaviest)
		}
	}
	return v.Err()
}

func insertLimits(ctx context.Context, tx *postgres.Tx, t Terms) error {
	for i, l := range t.Limits {
		_, err := tx.PGX.Exec(ctx, `
			INSERT INTO plan_limits (plan_version_id, position, kind, calls, window_seconds, hard, algorithm, scope, operation, burst, calendar_month, prepaid, adapt)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			t.VersionID, i, l.Kind(), l.Calls, int64(l.Window/time.Second), l.Hard, l.Algorithm, l.Scope, l.Operation, l.Burst, l.CalendarMonth, l.Prepaid, l.Adapt)
		if err != nil {
			return err
		}
	}
	return nil
}

// Kind is rate, concurrency or quota.
func (l Limit) Kind() string {
	switch {
	case l.Quota:
		return "quota"
	case l.Concurrent:
		return "concurrency"
	}
	return "rate"
}

func readLimits(ctx context.Context, tx *postgres.Tx, out map[uuid.UUID]Terms, versions []uuid.UUID) error {
	rows, err := tx.PGX.Query(ctx, `
		SELECT plan_version_id, position, kind = 'quota', kind = 'concurrency', calls, window_seconds, hard, algorithm, scope, operation, burst, calendar_month, prepaid, adapt
		FROM plan_limits WHERE plan_version_id = ANY($1) ORDER BY plan_version_id, position`, versions)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var l Limit
		var seconds int64
		if err := rows.Scan(&id, &l.Position, &l.Quota, &l.Concurrent, &l.Calls, &seconds, &l.Hard, &l.Algorithm, &l.Scope, &l.Operation, &l.Burst, &l.CalendarMonth, &l.Prepaid, &l.Adapt); err != nil {
			return err
		}
		l.Window = time.Duration(seconds) * time.Second
		t := out[id]
		t.Limits = append(t.Limits, l)
		out[id] = t
	}
	return rows.Err()
}
