package metering

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/metering/spool"
)

const upsertKeys = `
	INSERT INTO key_usage AS k (key_id, org_id, last_used_at, last_status, last_duration_us, last_request_id)
	SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::smallint[], $5::bigint[], $6::uuid[])
	ON CONFLICT (key_id) DO UPDATE SET last_used_at = excluded.last_used_at, last_status = excluded.last_status,
		last_duration_us = excluded.last_duration_us, last_request_id = excluded.last_request_id
	WHERE k.last_used_at <= excluded.last_used_at`

// updateLeases locks its rows in order, as the other statements do. What is
// spent of a lease that was written off was given back then: it is taken from
// the quota now. It affects as many rows as there are quotas with such calls.
const updateLeases = `
	WITH spent AS (
		SELECT q.id, s.calls, CASE WHEN q.written_off_at IS NULL THEN 0 ELSE s.calls END AS late
		FROM unnest($1::bigint[], $2::bigint[]) AS s (id, calls) JOIN quota_leases q USING (id) ORDER BY q.id FOR UPDATE OF q
	), counted AS (
		UPDATE quota_leases q SET spent = q.spent + s.calls, late = q.late + s.late FROM spent s WHERE q.id = s.id
		RETURNING q.subscription_id, q.period_start, s.late)
	UPDATE quota_grants g SET granted = g.granted + l.calls
	FROM (SELECT subscription_id, period_start, sum(late)::bigint AS calls FROM counted WHERE late > 0 GROUP BY 1, 2) l
	WHERE g.subscription_id = l.subscription_id AND g.period_start = l.period_start`

// traces are what calls leave on keys and quota leases: a key's last use, and
// what was spent of a lease, so that a dead gateway's rest can be given back.
type traces struct {
	keys    []*sums // one row for each key, the one with its last use
	spent   map[int64]int64
	leases  []int64
	columns [6]array
}

// use is one use of a key.
type use struct {
	at       time.Time
	request  uuid.UUID
	duration time.Duration
	status   uint16
}

var keyTypes = [6]uint32{oidUUID, oidUUID, oidTimestamptz, oidInt2, oidInt8, oidUUID}

func (t *traces) reset() {
	if t.spent == nil {
		t.spent = map[int64]int64{}
	}
	clear(t.spent)
}

// add notes a call in the row that it is summed up in. Calls of a row come from
// the same key, and mostly from the same lease.
func (t *traces) add(r *spool.Record, row *sums) {
	if !r.At.Before(row.last.at) {
		row.last = use{r.At, r.RequestID, r.Duration, r.Status}
	}
	if r.Lease != row.lease {
		t.count(row)
		row.lease = r.Lease
	}
	row.spent++
}

// count adds up what a row has spent of its lease.
func (t *traces) count(row *sums) {
	if row.lease != 0 {
		t.spent[row.lease] += row.spent
	}
	row.spent = 0
}

// keyParams are each key's last use, in the order of the keys.
func (t *traces) keyParams(rows []sums) [][]byte {
	t.keys = t.keys[:0]
	for i := range rows {
		t.keys = append(t.keys, &rows[i])
	}
	slices.SortFunc(t.keys, func(a, b *sums) int {
		return cmp.Or(slices.Compare(a.key[:], b.key[:]), b.last.at.Compare(a.last.at))
	})
	t.keys = slices.CompactFunc(t.keys, func(a, b *sums) bool { return a.key == b.key })
	c := &t.columns
	for i := range c {
		c[i].reset(keyTypes[i])
	}
	for _, row := range t.keys {
		c[0].uuid(&row.key)
		c[1].uuid(&row.org)
		c[2].time(row.last.at)
		c[3].int2(int16(row.last.status))
		c[4].int8(row.last.duration.Microseconds())
		c[5].uuid(&row.last.request)
	}
	return wires(c[:])
}

// leaseParams are nil when no lease was touched.
func (t *traces) leaseParams(rows []sums) [][]byte {
	for i := range rows {
		t.count(&rows[i])
	}
	if len(t.spent) == 0 {
		return nil
	}
	t.leases = t.leases[:0]
	for id := range t.spent {
		t.leases = append(t.leases, id)
	}
	slices.Sort(t.leases)
	c := t.columns[:2]
	c[0].reset(oidInt8)
	c[1].reset(oidInt8)
	for _, id := range t.leases {
		c[0].int8(id)
		c[1].int8(t.spent[id])
	}
	return wires(c)
}
