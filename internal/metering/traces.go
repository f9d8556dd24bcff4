package metering

import (
	"slices"

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
	last    map[uuid.UUID]*spool.Record
	ids     []uuid.UUID
	spent   map[int64]int64
	leases  []int64
	columns [6]array
}

var keyTypes = [6]uint32{oidUUID, oidUUID, oidTimestamptz, oidInt2, oidInt8, oidUUID}

func (t *traces) reset() {
	if t.last == nil {
		t.last, t.spent = map[uuid.UUID]*spool.Record{}, map[int64]int64{}
	}
	clear(t.last)
	clear(t.spent)
}

func (t *traces) add(r *spool.Record) {
	if last := t.last[r.Key]; last == nil || !r.At.Before(last.At) {
		t.last[r.Key] = r
	}
	if r.Lease != 0 {
		t.spent[r.Lease]++
	}
}

func (t *traces) keyParams() [][]byte {
	t.ids = t.ids[:0]
	for id := range t.last {
		t.ids = append(t.ids, id)
	}
	slices.SortFunc(t.ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	c := &t.columns
	for i := range c {
		c[i].reset(keyTypes[i])
	}
	for _, id := range t.ids {
		r := t.last[id]
		c[0].uuid(&r.Key)
		c[1].uuid(&r.Org)
		c[2].time(r.At)
		c[3].int2(int16(r.Status))
		c[4].int8(r.Duration.Microseconds())
		c[5].uuid(&r.RequestID)
	}
	return wires(c[:])
}

// leaseParams are nil when no lease was touched.
func (t *traces) leaseParams() [][]byte {
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
