package metering

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/metering/spool"
)

const upsertHourly = `
	INSERT INTO usage_hourly AS u (hour, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, status,
		calls, billable_calls, billable_units, billable_bytes_in, billable_bytes_out, billable_ms, units, bytes_in, bytes_out, duration_us)
	SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::smallint[],
		$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
	ON CONFLICT (subscription_id, hour, key_id, operation_id, mode, status) DO UPDATE SET
		calls = u.calls + excluded.calls, billable_calls = u.billable_calls + excluded.billable_calls, billable_units = u.billable_units + excluded.billable_units,
		billable_bytes_in = u.billable_bytes_in + excluded.billable_bytes_in, billable_bytes_out = u.billable_bytes_out + excluded.billable_bytes_out,
		billable_ms = u.billable_ms + excluded.billable_ms, units = u.units + excluded.units,
		bytes_in = u.bytes_in + excluded.bytes_in, bytes_out = u.bytes_out + excluded.bytes_out, duration_us = u.duration_us + excluded.duration_us`

// sumKey is what an hourly roll-up is kept by.
type sumKey struct {
	subscription, key, operation uuid.UUID
	hour                         int64 // seconds since 1970
	status                       int16
	test                         bool
}

// sums is one row of the roll-up.
type sums struct {
	sumKey
	org, application, version uuid.UUID
	counts                    [10]int64 // in the statement's order

	last  use   // of the key
	lease int64 // of the last calls, and how many they are
	spent int64
}

// rollUp adds calls up by hour. Its memory is used again.
type rollUp struct {
	at      map[sumKey]int
	rows    []sums
	order   []int32 // of rows, as sorted left it
	columns [19]array
}

var hourlyTypes = [19]uint32{
	oidTimestamptz, oidUUID, oidUUID, oidUUID, oidUUID, oidUUID, oidUUID, oidText, oidInt2,
	oidInt8, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8,
}

func (u *rollUp) reset() {
	if u.at == nil {
		u.at = map[sumKey]int{}
	}
	clear(u.at)
	u.rows = u.rows[:0]
}

// add adds a call up, and returns the place of its row.
func (u *rollUp) add(r *spool.Record) int {
	seconds := r.At.Unix()
	k := sumKey{r.Subscription, r.Key, r.Operation, seconds - seconds%3600, int16(r.Status), r.Flags&spool.FlagTest != 0}
	i, known := u.at[k]
	if !known {
		i = len(u.rows)
		u.at[k] = i
		u.rows = append(u.rows, sums{sumKey: k, org: r.Org, application: r.Application, version: r.Version})
	}
	c := &u.rows[i].counts
	c[0]++
	if r.Flags&spool.FlagBillable != 0 {
		c[1]++
		c[2] += int64(r.Units)
		c[3] += int64(r.BytesIn)
		c[4] += int64(r.BytesOut)
		c[5] += (r.Duration.Microseconds() + 999) / 1000 // whole milliseconds of each call, rounded up
	}
	c[6] += int64(r.Units)
	c[7] += int64(r.BytesIn)
	c[8] += int64(r.BytesOut)
	c[9] += r.Duration.Microseconds()
	return i
}

// sorted names the rows in the order in which they are locked, so that two
// gateways cannot wait for each other.
func (u *rollUp) sorted() []int32 {
	u.order = u.order[:0]
	for i := range u.rows {
		u.order = append(u.order, int32(i))
	}
	slices.SortFunc(u.order, func(i, j int32) int {
		a, b := &u.rows[i], &u.rows[j]
		return cmp.Or(bytes.Compare(a.subscription[:], b.subscription[:]), cmp.Compare(a.hour, b.hour), bytes.Compare(a.key[:], b.key[:]),
			bytes.Compare(a.operation[:], b.operation[:]), compareBool(a.test, b.test), cmp.Compare(a.status, b.status))
	})
	return u.order
}

// params are the rows in that order.
func (u *rollUp) params(order []int32) [][]byte {
	c := &u.columns
	for i := range c {
		c[i].reset(hourlyTypes[i])
	}
	for _, i := range order {
		row := &u.rows[i]
		c[0].time(time.Unix(row.hour, 0))
		for n, id := range [...]*uuid.UUID{&row.org, &row.application, &row.subscription, &row.key, &row.version, &row.operation} {
			c[1+n].uuid(id)
		}
		c[7].text([]byte(modes[row.test]))
		c[8].int2(row.status)
		for n, count := range row.counts {
			c[9+n].int8(count)
		}
	}
	return wires(c[:])
}

var modes = map[bool]string{false: "live", true: "test"}

func compareBool(a, b bool) int { return cmp.Compare(modes[a], modes[b]) }

func wires(c []array) [][]byte {
	out := make([][]byte, len(c))
	for i := range c {
		out[i] = c[i].wire()
	}
	return out
}
