package quota

// history is the moments of calls, oldest first. Calls at one moment share an
// entry, so that it is bounded by the limit, or by logSize. A nil history is empty.
type history struct {
	entries []moment
	head    int // entries before it have expired
}

type moment struct{ at, cost int64 }

// expire drops what happened at or before until and reports how much it was.
func (h *history) expire(until int64) (cost int64) {
	if h == nil {
		return 0
	}
	for h.head < len(h.entries) && h.entries[h.head].at <= until {
		cost += h.entries[h.head].cost
		h.head++
	}
	if h.head == len(h.entries) {
		h.entries, h.head = h.entries[:0], 0
	}
	return cost
}

// add appends; at is never before the newest.
func (h *history) add(at, cost int64) {
	if n := len(h.entries); n > h.head && h.entries[n-1].at == at {
		h.entries[n-1].cost += cost
		return
	}
	if len(h.entries) == cap(h.entries) && h.head > 0 { // make room in place before growing
		h.entries = h.entries[:copy(h.entries, h.entries[h.head:])]
		h.head = 0
	}
	h.entries = append(h.entries, moment{at, cost})
}

// freed is the moment of the entry with whose end at least cost is free again.
func (h *history) freed(cost int64) int64 {
	for _, m := range h.entries[h.head:] {
		if cost -= m.cost; cost <= 0 {
			return m.at
		}
	}
	return h.entries[len(h.entries)-1].at
}
