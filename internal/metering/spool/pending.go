package spool

import (
	"errors"
	"os"
	"slices"
)

// Wake receives once records were appended that Pending has not listed. Ask
// anew before each wait.
func (s *Spool) Wake() <-chan struct{} {
	s.asleep.Store(true)
	s.mu.Lock()
	f := s.active.Load()
	news := f != nil && f.handedOut() > f.listed
	for _, f := range s.sealed {
		news = news || f.listed < f.end
	}
	s.mu.Unlock()
	if news {
		s.rouse()
	}
	return s.wake
}

// rouse wakes the shipper if it sleeps: while it is at work a record costs one
// look at a flag.
func (s *Spool) rouse() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Pending is a segment with the slots that may be read: all below To are
// finished or will never be.
type Pending struct {
	Segment *Segment
	From    int64 // all slots below are in the database; Unknown before Shipped has said so
	To      int64
	Sealed  bool // nothing will be added
}

// Unknown is how far a segment is shipped before anybody asked the database.
const Unknown = -1

// Pending lists what may be shipped, oldest first, the active segment last.
func (s *Spool) Pending() []Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookAgain()
	if f := s.active.Load(); f != nil && f.used.Load() >= f.Slots {
		s.sealActive()
	}
	out := make([]Pending, 0, len(s.sealed)+1)
	for _, f := range s.sealed {
		f.advance(f.end)
		f.listed = f.doneTo
		if f.doneTo >= f.end { // every record in it is finished: the rest stays empty
			out = append(out, Pending{Segment: f.Segment, From: f.shipped, To: f.Slots, Sealed: true})
		} else {
			out = append(out, Pending{Segment: f.Segment, From: f.shipped, To: f.doneTo})
		}
	}
	if f := s.active.Load(); f != nil {
		f.advance(f.handedOut())
		f.listed = f.doneTo
		out = append(out, Pending{Segment: f.Segment, From: f.shipped, To: f.doneTo})
	}
	return out
}

// lookAgain tries what the disk has refused. It needs the lock.
func (s *Spool) lookAgain() {
	s.stuck = nil
	switch {
	case s.failed == nil:
	case s.free.Load() > s.low():
		s.failed = nil // calls have given places back
	default:
		s.makeAhead()
	}
	s.left = slices.DeleteFunc(s.left, func(path string) bool {
		err := os.Remove(path)
		return err == nil || errors.Is(err, os.ErrNotExist)
	})
}

// Sync brings records to the disk itself that have waited through the two calls
// of Sync before this one and are not shipped. Without it a record outlives the
// process; with it, also a power cut. What was shipped is safe in the database.
func (s *Spool) Sync() error {
	var errs []error
	for _, u := range s.unsynced() {
		errs = append(errs, u.sync(u.from, u.to))
	}
	return errors.Join(errs...)
}

// span is a run of finished slots.
type span struct {
	*Segment
	from, to int64
}

func (s *Spool) unsynced() (out []span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.sealed[:len(s.sealed):len(s.sealed)]
	if f := s.active.Load(); f != nil {
		all = append(all, f)
	}
	for _, f := range all {
		if f.data == nil {
			continue // of an earlier process
		}
		end := f.end
		if end == 0 {
			end = f.handedOut()
		}
		f.advance(end)
		due := f.seen[0]
		f.seen[0], f.seen[1] = f.seen[1], f.doneTo
		if f.synced = max(f.synced, f.shipped); f.synced < due {
			out = append(out, span{f.Segment, f.synced, due})
			f.synced = due
		}
	}
	return out
}

// Shipped says that the slots of a segment below to are in the database, or that
// this is Unknown.
func (s *Spool) Shipped(seg *Segment, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.sealed {
		if f.Segment == seg {
			f.shipped = to
			return
		}
	}
	if f := s.active.Load(); f != nil && f.Segment == seg {
		f.shipped = to
	}
}

// Forget removes a sealed segment after all of it was shipped. A file that
// cannot be removed is removed once it can.
func (s *Spool) Forget(seg *Segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, known := range s.sealed {
		if known.Segment == seg {
			s.sealed = append(s.sealed[:i:i], s.sealed[i+1:]...)
			s.stuck = nil
			err := seg.Remove()
			if err != nil {
				s.left = append(s.left, seg.Path)
			}
			return err
		}
	}
	return nil
}
