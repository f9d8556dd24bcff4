package quota

import "sync/atomic"

// Seat is where whoever counts for a caller keeps what was found for it last, so
// that it need not search at each call. The zero value, and nil, are empty.
type Seat struct{ kept atomic.Value }

// Kept is what was kept last; nil if nothing was.
func (s *Seat) Kept() any {
	if s == nil {
		return nil
	}
	return s.kept.Load()
}

// Keep remembers v, which must be of one type each time.
func (s *Seat) Keep(v any) {
	if s != nil {
		s.kept.Store(v)
	}
}
