package metering

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Types of array elements, by PostgreSQL's numbers.
const (
	oidBool        = 16
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidTimestamptz = 1184
	oidUUID        = 2950
)

// array is a PostgreSQL array in its binary form, written element by element
// into memory that is used again: a batch is sent without an allocation for
// each of its records.
type array struct {
	buf []byte
	n   uint32
}

const arrayHeader = 20 // dimensions, nulls, type, length, lower bound

func (a *array) reset(oid uint32) {
	a.n = 0
	a.buf = append(a.buf[:0], make([]byte, arrayHeader)...)
	be := binary.BigEndian
	be.PutUint32(a.buf[0:], 1)
	be.PutUint32(a.buf[8:], oid)
	be.PutUint32(a.buf[16:], 1)
}

// wire is the finished array, valid until the next reset.
func (a *array) wire() []byte {
	binary.BigEndian.PutUint32(a.buf[12:], a.n)
	return a.buf
}

func (a *array) begin(size int) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(size))
}

func (a *array) uuid(v *uuid.UUID) {
	a.begin(len(v))
	a.buf = append(a.buf, v[:]...)
}

func (a *array) int8(v int64) {
	a.begin(8)
	a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(v))
}

func (a *array) int4(v int32) {
	a.begin(4)
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(v))
}

func (a *array) int2(v int16) {
	a.begin(2)
	a.buf = binary.BigEndian.AppendUint16(a.buf, uint16(v))
}

func (a *array) bool(v bool) {
	a.begin(1)
	if v {
		a.buf = append(a.buf, 1)
	} else {
		a.buf = append(a.buf, 0)
	}
}

func (a *array) text(v []byte) {
	a.begin(len(v))
	a.buf = append(a.buf, v...)
}

var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func (a *array) time(v time.Time) { a.int8(v.UnixMicro() - postgresEpoch) }

// int8Bytes is a single bigint in binary form.
func int8Bytes(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
