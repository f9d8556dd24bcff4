package upstream

import "time"

// buckets is how finely a window forgets.
const buckets = 10

// window counts calls over a sliding length of time, in buckets.
type window struct {
	width int64 // nanoseconds of one bucket
	ring  [buckets]bucket
}

type bucket struct {
	number    int64 // of the bucket since the group's start
	calls     int32
	failures  int32
	answered  int32 // calls of which the time to the first byte is known
	firstByte time.Duration
}

// at is the bucket of now, emptied if it is an old one.
func (w *window) at(now int64) *bucket {
	n := now / w.width
	b := &w.ring[n%buckets]
	if b.number != n {
		*b = bucket{number: n}
	}
	return b
}

// sum adds up what is younger than the window.
func (w *window) sum(now int64) (total bucket) {
	newest := now / w.width
	for i := range w.ring {
		if b := &w.ring[i]; b.number > newest-buckets && b.number <= newest {
			total.calls += b.calls
			total.failures += b.failures
			total.answered += b.answered
			total.firstByte += b.firstByte
		}
	}
	return total
}

func (w *window) clear() { w.ring = [buckets]bucket{} }
