package metering

import (
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"tollgate/internal/metering/spool"
)

// insertEvents stores the calls themselves: one statement over arrays, as fast
// as COPY, which row-level security does not allow. The arrays unfold in a
// select list: in FROM each would be written to a store of its own first, which
// costs as much as the rows do. Who called what ($2 to $7) is sent once for all
// calls of a row of the roll-up, and each call says which row is its own.
const insertEvents = `
	INSERT INTO usage_events (batch_id, request_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path,
		status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
	SELECT $1::bigint, request_id, at, ($2::uuid[])[caller], ($3::uuid[])[caller], ($4::uuid[])[caller], ($5::uuid[])[caller], ($6::uuid[])[caller], ($7::uuid[])[caller],
		CASE WHEN test THEN 'test' ELSE 'live' END, method, path, status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us
	FROM (SELECT unnest($8::integer[]) AS caller, unnest($9::uuid[]) AS request_id, unnest($10::timestamptz[]) AS at, unnest($11::boolean[]) AS test,
		unnest($12::text[]) AS method, unnest($13::text[]) AS path, unnest($14::smallint[]) AS status, unnest($15::boolean[]) AS billable,
		unnest($16::boolean[]) AS complete, unnest($17::bigint[]) AS units, unnest($18::bigint[]) AS bytes_in, unnest($19::bigint[]) AS bytes_out,
		unnest($20::bigint[]) AS duration_us, unnest($21::bigint[]) AS upstream_us) AS calls`

// eventColumns are records turned on their side, in the statement's order: who
// called what, and the calls.
type eventColumns struct {
	callers [6]array
	calls   [14]array
}

var callTypes = [14]uint32{
	oidInt4, oidUUID, oidTimestamptz, oidBool, oidText, oidText, oidInt2, oidBool, oidBool, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8,
}

func (c *eventColumns) reset() {
	for i := range c.callers {
		c.callers[i].reset(oidUUID)
	}
	for i := range c.calls {
		c.calls[i].reset(callTypes[i])
	}
}

// add adds a call that is summed up in that row.
func (c *eventColumns) add(r *spool.Record, row int) {
	if row == int(c.callers[0].n) {
		c.addCaller(r)
	}
	w := &c.calls
	w[0].int4(int32(row) + 1) // PostgreSQL counts from 1
	w[1].uuid(&r.RequestID)
	w[2].time(r.At)
	w[3].bool(r.Flags&spool.FlagTest != 0)
	w[4].text(clean(r.Method))
	w[5].text(clean(r.Path))
	w[6].int2(int16(r.Status))
	w[7].bool(r.Flags&spool.FlagBillable != 0)
	w[8].bool(r.Flags&spool.FlagAborted == 0)
	w[9].int8(int64(r.Units))
	w[10].int8(int64(r.BytesIn))
	w[11].int8(int64(r.BytesOut))
	w[12].int8(r.Duration.Microseconds())
	w[13].int8(r.Upstream.Microseconds())
}

func (c *eventColumns) addCaller(r *spool.Record) {
	for i, id := range [...]*uuid.UUID{&r.Org, &r.Application, &r.Subscription, &r.Key, &r.Version, &r.Operation} {
		c.callers[i].uuid(id)
	}
}

func (c *eventColumns) params(batch int64) [][]byte {
	out := append([][]byte{int8Bytes(batch)}, wires(c.callers[:])...)
	return append(out, wires(c.calls[:])...)
}

// clean makes bytes from the wire a text that PostgreSQL takes: a path may be
// cut within a character.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}
