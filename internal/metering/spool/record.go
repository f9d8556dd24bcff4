package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/google/uuid"
)

// SlotSize is the bytes that one record takes.
const SlotSize = 256

// MaxPath is how many bytes of a path a record keeps.
const MaxPath = 70

// Flags of a record.
const (
	FlagTest     = 1 << iota // made with a test key
	FlagBillable             // counts towards the bill
	FlagAborted              // the client did not get the whole answer
)

// Record is one forwarded call. Its strings may alias memory that is used again
// after Append: what is kept of them is copied.
type Record struct {
	RequestID    uuid.UUID
	At           time.Time // when the call arrived, business time, nanoseconds
	Org          uuid.UUID
	Application  uuid.UUID
	Subscription uuid.UUID
	Key          uuid.UUID
	Version      uuid.UUID
	Operation    uuid.UUID
	Lease        int64 // quota lease that it was spent from; 0: none
	Method       string
	Path         string // cut to MaxPath bytes
	Status       uint16
	Flags        uint8
	Units        uint32 // by the operation's weight or as the answer said, at most 2³²−1
	BytesIn      uint64
	BytesOut     uint64
	Duration     time.Duration // whole call, microseconds kept
	Upstream     time.Duration // until the upstream's first byte, microseconds kept
}

// Slot layout, little endian. The commit word is last to be written and is only
// believed together with the checksum over all before it.
const (
	offRequest  = 0
	offIDs      = 16 // org, application, subscription, key, version, operation
	offAt       = 112
	offLease    = 120
	offBytesIn  = 128
	offBytesOut = 136
	offDuration = 144
	offUpstream = 148
	offUnits    = 152
	offStatus   = 156
	offFlags    = 158
	offMethod   = 159
	offPathLen  = 167
	offPath     = 168
	offSum      = 244
	offCommit   = 248

	methodLen  = 8
	commitWord = 0x31454741_4c4c4f54 // "TOLLAGE1"
)

var (
	// ErrEmpty says that a slot was never written.
	ErrEmpty = errors.New("slot is empty")
	// ErrDamaged says that a slot was begun and not finished, or was changed later.
	ErrDamaged = errors.New("slot is damaged")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	// commitStored is the commit word as this machine stores it, so that its
	// bytes on disk are the same everywhere.
	commitStored = binary.NativeEndian.Uint64(binary.LittleEndian.AppendUint64(nil, commitWord))

	methods = map[string]string{"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE", "OPTIONS": "OPTIONS", "QUERY": "QUERY"}
)

// encode writes all of r but the commit word into slot, which must be SlotSize
// zero bytes.
func (r *Record) encode(slot []byte) {
	copy(slot[offRequest:], r.RequestID[:])
	for i, id := range []*uuid.UUID{&r.Org, &r.Application, &r.Subscription, &r.Key, &r.Version, &r.Operation} {
		copy(slot[offIDs+16*i:], id[:])
	}
	le := binary.LittleEndian
	le.PutUint64(slot[offAt:], uint64(r.At.UnixNano()))
	le.PutUint64(slot[offLease:], uint64(r.Lease))
	le.PutUint64(slot[offBytesIn:], r.BytesIn)
	le.PutUint64(slot[offBytesOut:], r.BytesOut)
	le.PutUint32(slot[offDuration:], micros(r.Duration))
	le.PutUint32(slot[offUpstream:], micros(r.Upstream))
	le.PutUint32(slot[offUnits:], r.Units)
	le.PutUint16(slot[offStatus:], r.Status)
	slot[offFlags] = r.Flags
	copy(slot[offMethod:offMethod+methodLen], r.Method)
	slot[offPathLen] = byte(copy(slot[offPath:offPath+MaxPath], r.Path))
	le.PutUint32(slot[offSum:], crc32.Checksum(slot[:offSum], castagnoli))
}

// commit makes an encoded slot count: what was written before it is seen by
// whoever sees it.
func commit(slot []byte) { atomic.StoreUint64(commitAddr(slot), commitStored) }

func committed(slot []byte) bool { return atomic.LoadUint64(commitAddr(slot)) == commitStored }

func commitAddr(slot []byte) *uint64 {
	return (*uint64)(unsafe.Pointer(&slot[offCommit])) //nolint:gosec // slots of a mapping are aligned to 256 bytes
}

// Decode reads one slot. The record's path aliases the slot.
func Decode(slot []byte) (Record, error) {
	if len(slot) != SlotSize {
		return Record{}, ErrDamaged
	}
	le := binary.LittleEndian
	if le.Uint64(slot[offCommit:]) != commitWord {
		if isZero(slot) {
			return Record{}, ErrEmpty
		}
		return Record{}, ErrDamaged
	}
	if crc32.Checksum(slot[:offSum], castagnoli) != le.Uint32(slot[offSum:]) || slot[offPathLen] > MaxPath {
		return Record{}, ErrDamaged
	}
	r := Record{
		At:       time.Unix(0, int64(le.Uint64(slot[offAt:]))).UTC(),
		Lease:    int64(le.Uint64(slot[offLease:])),
		BytesIn:  le.Uint64(slot[offBytesIn:]),
		BytesOut: le.Uint64(slot[offBytesOut:]),
		Duration: time.Duration(le.Uint32(slot[offDuration:])) * time.Microsecond,
		Upstream: time.Duration(le.Uint32(slot[offUpstream:])) * time.Microsecond,
		Units:    le.Uint32(slot[offUnits:]),
		Status:   le.Uint16(slot[offStatus:]),
		Flags:    slot[offFlags],
		Method:   methodOf(slot[offMethod : offMethod+methodLen]),
	}
	if n := int(slot[offPathLen]); n > 0 {
		r.Path = unsafe.String(&slot[offPath], n) //nolint:gosec // no copy for each record that is shipped
	}
	copy(r.RequestID[:], slot[offRequest:])
	for i, id := range []*uuid.UUID{&r.Org, &r.Application, &r.Subscription, &r.Key, &r.Version, &r.Operation} {
		copy(id[:], slot[offIDs+16*i:])
	}
	return r, nil
}

func micros(d time.Duration) uint32 {
	return uint32(min(max(d.Microseconds(), 0), 1<<32-1))
}

func methodOf(b []byte) string {
	n := bytes.IndexByte(b, 0)
	if n < 0 {
		n = len(b)
	}
	if known, ok := methods[string(b[:n])]; ok {
		return known
	}
	return string(b[:n])
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
