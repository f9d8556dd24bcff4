package snapshot

import (
	"github.com/google/uuid"
)

// shardBits makes 1,024 shards: with a million rows a change copies about a
// thousand of them, and the heads of the shards (48 KB).
const (
	shardBits  = 10
	shardCount = 1 << shardBits
)

// table is an immutable hash table. A change makes a new table that shares
// the shards which stay as they were.
type table[K keyed, E any, P row[K, E]] struct {
	shards [shardCount]shard[E] // in place: one step less between a key and its row
	size   int
}

// shard has its rows side by side, and open addressing over their numbers.
type shard[E any] struct {
	rows  []E
	slots []uint32 // a power of two of them, at most 3/4 full; see slot
}

// keyed is what a row is found by.
type keyed interface {
	comparable
	sum() uint64 // spread over all bits
}

// row is what a table holds.
type row[K, E any] interface {
	*E
	key() K
	is(k K) bool
	ident() uuid.UUID
}

func shardOf(sum uint64) uint16 { return uint16(sum >> (64 - shardBits)) }

// A slot is the number of a row, from 1, and some bits of its key's sum, so that
// hardly ever a row is looked at in vain. 0 is free.
const (
	rowBits = 18
	rowMask = 1<<rowBits - 1
	maxRows = shardCount << (rowBits - 1) // of a table: a shard has about its share
)

// tag is the part of a slot that comes from the sum: bits which choose neither
// shard nor slot.
func tag(sum uint64) uint32 { return uint32(sum>>(32-shardBits)) &^ rowMask }

// find returns the row of k, nil if there is none.
func (t *table[K, E, P]) find(k K) *E {
	sum := k.sum()
	s := &t.shards[shardOf(sum)]
	if len(s.slots) == 0 {
		return nil
	}
	mask, want := uint64(len(s.slots)-1), tag(sum)
	for i := sum & mask; ; i = (i + 1) & mask {
		n := s.slots[i]
		if n == 0 {
			return nil
		}
		if n&^rowMask == want {
			if e := &s.rows[n&rowMask-1]; P(e).is(k) {
				return e
			}
		}
	}
}

// newTable makes a table of rows, and where each row's shard is found by its id.
func newTable[K keyed, E any, P row[K, E]](rows []E) (*table[K, E, P], map[uuid.UUID]uint16) {
	t := &table[K, E, P]{size: len(rows)}
	var counts [shardCount]int
	for i := range rows {
		counts[shardOf(P(&rows[i]).key().sum())]++
	}
	for n, count := range counts {
		if count > 0 {
			t.shards[n].rows = make([]E, 0, count)
		}
	}
	places := make(map[uuid.UUID]uint16, len(rows))
	for i := range rows {
		n := shardOf(P(&rows[i]).key().sum())
		t.shards[n].rows = append(t.shards[n].rows, rows[i])
		places[P(&rows[i]).ident()] = n
	}
	for n := range t.shards {
		if s := &t.shards[n]; len(s.rows) > 0 {
			index[K, E, P](s)
		}
	}
	return t, places
}

// index fills a shard's slots from its rows.
func index[K keyed, E any, P row[K, E]](s *shard[E]) {
	size := 4
	for size*3 < len(s.rows)*4 || size <= len(s.rows) {
		size *= 2
	}
	s.slots = make([]uint32, size)
	for n := range s.rows {
		sum := P(&s.rows[n]).key().sum()
		i := int(sum) & (size - 1)
		for s.slots[i] != 0 {
			i = (i + 1) & (size - 1)
		}
		s.slots[i] = uint32(n+1) | tag(sum)
	}
}

// with makes a table without the rows of the changed ids and with rows put in.
// It brings places up to date.
func (t *table[K, E, P]) with(places map[uuid.UUID]uint16, changed []uuid.UUID, rows []E) *table[K, E, P] {
	gone := make(map[uuid.UUID]bool, len(changed))
	touched := map[uint16][]E{} // rows that come into a shard
	for _, id := range changed {
		if n, ok := places[id]; ok {
			gone[id] = true
			touched[n] = nil
			delete(places, id)
		}
	}
	for i := range rows {
		n := shardOf(P(&rows[i]).key().sum())
		touched[n] = append(touched[n], rows[i])
		places[P(&rows[i]).ident()] = n
	}
	next := *t
	for n, come := range touched {
		next.shards[n] = t.shards[n].with(gone, come, func(e *E) uuid.UUID { return P(e).ident() })
		index[K, E, P](&next.shards[n])
	}
	next.size = len(places)
	return &next
}

// with copies a shard without the rows that are gone and with those that come.
func (s *shard[E]) with(gone map[uuid.UUID]bool, come []E, ident func(*E) uuid.UUID) (next shard[E]) {
	next.rows = make([]E, 0, len(s.rows)+len(come))
	for i := range s.rows {
		if len(gone) == 0 || !gone[ident(&s.rows[i])] {
			next.rows = append(next.rows, s.rows[i])
		}
	}
	next.rows = append(next.rows, come...)
	return next
}

// all calls visit with each row.
func (t *table[K, E, P]) all(visit func(*E)) {
	for n := range t.shards {
		rows := t.shards[n].rows
		for i := range rows {
			visit(&rows[i])
		}
	}
}
