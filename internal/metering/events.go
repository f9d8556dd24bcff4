package metering

import (
	"slices"
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

// eventColumns are a batch's calls, and who made them, in the statement's order.
type eventColumns struct {
	calls   []event
	texts   []byte  // methods and paths
	order   []int32 // of calls, as sort left it
	callers [6]array
	columns [14]array
}

// event is what is stored of a call beside who made it.
type event struct {
	request                      uuid.UUID
	at, units, bytesIn, bytesOut int64
	duration, upstream           int64
	row                          int32 // of the roll-up
	text                         int32 // where its method begins in texts, and behind it its path
	method, path                 uint16
	status                       int16
	test, billable, complete     bool
}

var columnTypes = [14]uint32{
	oidInt4, oidUUID, oidTimestamptz, oidBool, oidText, oidText, oidInt2, oidBool, oidBool, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8,
}

func (c *eventColumns) reset() {
	c.calls, c.texts = c.calls[:0], c.texts[:0]
	for i := range c.callers {
		c.callers[i].reset(oidUUID)
	}
}

// add adds a call that is summed up in that row.
func (c *eventColumns) add(r *spool.Record, row int) {
	if row == int(c.callers[0].n) {
		c.addCaller(r)
	}
	method, path := clean(r.Method), clean(r.Path)
	c.calls = append(c.calls, event{
		request: r.RequestID, at: r.At.UnixMicro(), units: int64(r.Units), bytesIn: int64(r.BytesIn), bytesOut: int64(r.BytesOut),
		duration: r.Duration.Microseconds(), upstream: r.Upstream.Microseconds(),
		row: int32(row), text: int32(len(c.texts)), method: uint16(len(method)), path: uint16(len(path)), status: int16(r.Status),
		test: r.Flags&spool.FlagTest != 0, billable: r.Flags&spool.FlagBillable != 0, complete: r.Flags&spool.FlagAborted == 0,
	})
	c.texts = append(append(c.texts, method...), path...)
}

func (c *eventColumns) addCaller(r *spool.Record) {
	for i, id := range [...]*uuid.UUID{&r.Org, &r.Application, &r.Subscription, &r.Key, &r.Version, &r.Operation} {
		c.callers[i].uuid(id)
	}
}

// params are the calls in the order of the roll-up's rows: neighbours in the
// table are then neighbours in its indexes, where storing them costs less.
func (c *eventColumns) params(batch int64, rows []int32) [][]byte {
	c.sort(rows)
	for i := range c.columns {
		c.columns[i].reset(columnTypes[i])
	}
	for _, i := range c.order {
		c.turn(&c.calls[i])
	}
	out := append([][]byte{int8Bytes(batch)}, wires(c.callers[:])...)
	return append(out, wires(c.columns[:])...)
}

// sort puts calls in the order of rows, those of one row as they came.
func (c *eventColumns) sort(rows []int32) {
	next := make([]int32, len(rows)) // where a row's next call goes
	for i := range c.calls {
		next[c.calls[i].row]++
	}
	total := int32(0)
	for _, row := range rows {
		total, next[row] = total+next[row], total
	}
	c.order = slices.Grow(c.order[:0], len(c.calls))[:len(c.calls)]
	for i := range c.calls {
		row := c.calls[i].row
		c.order[next[row]] = int32(i)
		next[row]++
	}
}

// turn adds a call to each column.
func (c *eventColumns) turn(e *event) {
	w := &c.columns
	text := c.texts[e.text:]
	w[0].int4(e.row + 1) // PostgreSQL counts from 1
	w[1].uuid(&e.request)
	w[2].int8(e.at - postgresEpoch)
	w[3].bool(e.test)
	w[4].text(text[:e.method])
	w[5].text(text[e.method:][:e.path])
	w[6].int2(e.status)
	w[7].bool(e.billable)
	w[8].bool(e.complete)
	w[9].int8(e.units)
	w[10].int8(e.bytesIn)
	w[11].int8(e.bytesOut)
	w[12].int8(e.duration)
	w[13].int8(e.upstream)
}

// clean makes bytes from the wire a text that PostgreSQL takes: a path may be
// cut within a character.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}
