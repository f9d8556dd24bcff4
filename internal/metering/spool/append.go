package spool

import (
	"errors"
	"fmt"
)

// Reserve promises a place to one record, or says that there is none. Each
// success must be followed by one Append or Release.
func (s *Spool) Reserve() error {
	for {
		free := s.free.Load()
		if free <= 0 {
			if err := s.grow(0); err != nil {
				return s.full(err)
			}
			continue
		}
		if s.free.CompareAndSwap(free, free-1) {
			if free == s.low() {
				s.growAhead()
			}
			return nil
		}
	}
}

// Release gives a reservation back: the call was not forwarded.
func (s *Spool) Release() {
	if !s.payDebt() {
		s.free.Add(1)
	}
}

// Append writes r into the place that Reserve promised, without a system call.
// When it returns nil, r survives the death of this process.
func (s *Spool) Append(r *Record) error {
	for {
		f := s.active.Load()
		if f != nil {
			if slot := f.used.Add(1) - 1; slot < f.Slots {
				if err := f.write(slot, r); err != nil {
					s.retire(f, slot)
					return err
				}
				s.rouse()
				return nil
			}
		}
		if more, err := s.roll(f); !more {
			return err
		}
	}
}

// retire lets nothing more into a segment of which the disk did not take a slot.
func (s *Spool) retire(f *fill, slot int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.bad = append(f.bad, slot)
	if s.active.Load() != f {
		return
	}
	s.sealActive()
	lost := f.Slots - f.end
	s.made -= lost
	s.free.Add(-lost)
	s.makeAhead()
}

// roll puts the next segment in the place of one that has run out, and says
// whether to try again.
func (s *Spool) roll(full *fill) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active.Load() != full {
		return true, nil // somebody was faster
	}
	if len(s.ready) > 0 {
		s.sealActive()
		s.active.Store(s.ready[0])
		s.ready = s.ready[1:]
		return true, nil
	}
	if s.payDebt() {
		s.unmetered.Add(1)
		return false, nil
	}
	return false, fmt.Errorf("%w: a record came without a reservation", ErrFull)
}

// full answers a call that no place can be promised to, as the policy says.
func (s *Spool) full(err error) error {
	if s.cfg.Full != Serve {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return err
	}
	s.debt.Add(1)
	return nil
}

func (s *Spool) payDebt() bool {
	for {
		debt := s.debt.Load()
		if debt <= 0 {
			return false
		}
		if s.debt.CompareAndSwap(debt, debt-1) {
			return true
		}
	}
}

// low is how many free places are left when the next segment is begun.
func (s *Spool) low() int64 { return max(s.cfg.SegmentSlots/4, 1) }

// growAhead makes a segment in the background, so that calls need not wait.
func (s *Spool) growAhead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeAhead()
}

// makeAhead is growAhead for who has the lock.
func (s *Spool) makeAhead() {
	if !s.closed {
		s.makers.Go(func() { _ = s.grow(s.low()) }) // a failure raises the alarm, and shows when places run out
	}
}

// grow makes a segment if at most that many places are free.
func (s *Spool) grow(atMost int64) error {
	s.growing.Lock()
	defer s.growing.Unlock()
	if s.free.Load() > atMost {
		return nil
	}
	if err := s.mayGrow(); err != nil {
		return err
	}
	seg, err := create(s.cfg.Dir, s.cfg.SegmentSlots)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed = err
		s.stuck = fmt.Errorf("%w: %w", ErrFull, err)
		return s.stuck
	}
	s.failed = nil
	if s.closed {
		return errors.Join(fmt.Errorf("%w: it is closed", ErrFull), seg.Remove())
	}
	s.ready = append(s.ready, &fill{Segment: seg, shipped: Unknown})
	s.made += seg.Slots
	s.free.Add(seg.Slots)
	return nil
}

// mayGrow says why no further segment may be made. After a failure the disk is
// only tried again once the shipper has looked.
func (s *Spool) mayGrow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("%w: it is closed", ErrFull)
	case s.stuck != nil:
		return s.stuck
	case s.segments() >= s.cfg.MaxSegments:
		return fmt.Errorf("%w: %d segments wait to be shipped", ErrFull, len(s.sealed))
	}
	return nil
}

// segments counts files of the folder. It needs the lock.
func (s *Spool) segments() int {
	n := len(s.sealed) + len(s.ready) + len(s.left)
	if s.active.Load() != nil {
		n++
	}
	return n
}
