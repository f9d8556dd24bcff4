package proxy

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// newID makes a UUIDv7 (RFC 9562, section 5.7). Ids must be unique, not secret.
func newID(now time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|7<<12|rand.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], 1<<63|rand.Uint64()>>2)
	return id
}

// appendID writes id in its usual form.
func appendID(b []byte, id uuid.UUID) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
}

// sampler lets a few of many events through to the log.
type sampler struct{ state atomic.Int64 } // second << 8 | events in it

const samplesPerSecond = 20

// take reports whether the event at now is one of the first of its second.
func (s *sampler) take(now time.Time) bool {
	second := now.Unix() << 8
	for {
		old := s.state.Load()
		next := second + 1
		if old&^0xff == second {
			if old&0xff >= samplesPerSecond {
				return false
			}
			next = old + 1
		}
		if s.state.CompareAndSwap(old, next) {
			return true
		}
	}
}
