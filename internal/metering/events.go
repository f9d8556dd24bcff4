package metering

import (
	"strings"
	"unicode/utf8"

	"tollgate/internal/metering/spool"
)

// insertEvents stores the calls themselves: one statement over arrays, as fast
// as COPY, which row-level security does not allow. The arrays unfold in the
// select list: in FROM each would be written to a store of its own first, which
// costs as much as the rows do.
const insertEvents = `
	INSERT INTO usage_events (batch_id, request_id, at, org_id, application_id, subscription_id, key_id, version_id, operation_id, mode, method, path,
		status, billable, complete, units, bytes_in, bytes_out, duration_us, upstream_us)
	SELECT $1::bigint, unnest($2::uuid[]), unnest($3::timestamptz[]), unnest($4::uuid[]), unnest($5::uuid[]), unnest($6::uuid[]), unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::uuid[]), unnest($10::text[]), unnest($11::text[]), unnest($12::text[]),
		unnest($13::smallint[]), unnest($14::boolean[]), unnest($15::boolean[]), unnest($16::bigint[]), unnest($17::bigint[]), unnest($18::bigint[]), unnest($19::bigint[]), unnest($20::bigint[])`

// eventColumns are records turned on their side, in the statement's order.
type eventColumns [19]array

var eventTypes = [19]uint32{
	oidUUID, oidTimestamptz, oidUUID, oidUUID, oidUUID, oidUUID, oidUUID, oidUUID, oidText, oidText, oidText,
	oidInt2, oidBool, oidBool, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8,
}

func (c *eventColumns) reset() {
	for i := range c {
		c[i].reset(eventTypes[i])
	}
}

func (c *eventColumns) add(r *spool.Record) {
	c[0].uuid(&r.RequestID)
	c[1].time(r.At)
	c[2].uuid(&r.Org)
	c[3].uuid(&r.Application)
	c[4].uuid(&r.Subscription)
	c[5].uuid(&r.Key)
	c[6].uuid(&r.Version)
	c[7].uuid(&r.Operation)
	c[8].text(mode(r))
	c[9].text(clean(r.Method))
	c[10].text(clean(r.Path))
	c[11].int2(int16(r.Status))
	c[12].bool(r.Flags&spool.FlagBillable != 0)
	c[13].bool(r.Flags&spool.FlagAborted == 0)
	c[14].int8(int64(r.Units))
	c[15].int8(int64(r.BytesIn))
	c[16].int8(int64(r.BytesOut))
	c[17].int8(r.Duration.Microseconds())
	c[18].int8(r.Upstream.Microseconds())
}

func (c *eventColumns) params(batch int64) [][]byte {
	out := make([][]byte, 0, len(c)+1)
	out = append(out, int8Bytes(batch))
	for i := range c {
		out = append(out, c[i].wire())
	}
	return out
}

func mode(r *spool.Record) string {
	if r.Flags&spool.FlagTest != 0 {
		return "test"
	}
	return "live"
}

// clean makes bytes from the wire a text that PostgreSQL takes: a path may be
// cut within a character.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}
