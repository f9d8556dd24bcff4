package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrFull says that no record can be promised a place: the disk is full, or too
// many calls are under way.
var ErrFull = errors.New("the usage spool is full")

// Config of a spool.
type Config struct {
	Dir          string
	SegmentSlots int64 // records per segment
	MaxSegments  int   // bound on disk use: this many segments
}

// Spool appends records of this process and hands out segments to ship.
type Spool struct {
	cfg  Config
	lock *os.File

	mu       sync.Mutex
	active   *fill
	standby  *Segment // made before the active one runs out
	inFlight int64    // reservations not yet appended
	sealed   []*fill  // nothing more is handed out in these; oldest first
	wake     chan struct{}
	closed   bool
}

// fill is how far a segment has been handed out and finished.
type fill struct {
	*Segment
	used   int64  // slots handed out
	done   []bool // finished slots; nil for a segment of an earlier process
	doneTo int64  // all slots below are finished or will never be
	synced int64  // all slots below have been handed to the disk
}

func newFill(seg *Segment) *fill { return &fill{Segment: seg, done: make([]bool, seg.Slots)} }

func (f *fill) finish(slot int64) {
	f.done[slot] = true
	for f.doneTo < f.used && f.done[f.doneTo] {
		f.doneTo++
	}
}

// New opens the spool in cfg.Dir. Segments of earlier processes are offered for
// shipping as they are. A second process in the same folder is refused.
func New(cfg Config) (*Spool, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool folder: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{cfg: cfg, lock: lock, wake: make(chan struct{}, 1)}
	paths, err := filepath.Glob(filepath.Join(cfg.Dir, "*.seg"))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	for _, p := range paths {
		seg, err := Open(p)
		if errors.Is(err, ErrNotSegment) {
			continue // killed while making it: nothing was ever promised a place there
		}
		if err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		s.sealed = append(s.sealed, &fill{Segment: seg, used: seg.Slots, doneTo: seg.Slots})
	}
	return s, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another gateway uses the spool in %s: give each its own folder", dir), f.Close())
	}
	return f, nil
}

// Reserve promises a place to one record, or says that there is none. Each
// success must be followed by one Append or Release.
func (s *Spool) Reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrFull
	}
	if s.active == nil {
		seg, err := s.newSegment()
		if err != nil {
			return err
		}
		s.active = newFill(seg)
	}
	free := s.active.Slots - s.active.used - s.inFlight
	if s.standby != nil {
		free += s.standby.Slots
	} else if free <= s.active.Slots/8 {
		seg, err := s.newSegment()
		if err == nil {
			s.standby = seg
			free += seg.Slots
		} else if free <= 0 {
			return err
		}
	}
	if free <= 0 {
		return ErrFull
	}
	s.inFlight++
	return nil
}

func (s *Spool) newSegment() (*Segment, error) {
	if len(s.sealed)+2 > s.cfg.MaxSegments {
		return nil, fmt.Errorf("%w: %d segments wait to be shipped", ErrFull, len(s.sealed))
	}
	seg, err := create(s.cfg.Dir, s.cfg.SegmentSlots)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFull, err)
	}
	return seg, nil
}

// Release gives a reservation back: the call was not forwarded.
func (s *Spool) Release() {
	s.mu.Lock()
	s.inFlight--
	s.mu.Unlock()
}

// Append writes r into the place that Reserve promised. When it returns nil, r
// survives the death of this process.
func (s *Spool) Append(r *Record) error {
	s.mu.Lock()
	s.inFlight--
	if s.active.used == s.active.Slots {
		s.sealed = append(s.sealed, s.active)
		s.active, s.standby = newFill(s.standby), nil
	}
	seg, slot := s.active, s.active.used
	seg.used++
	s.mu.Unlock()

	err := seg.write(slot, r)

	s.mu.Lock()
	seg.finish(slot) // also when the write failed: the reader skips it, the shipper must not wait for it
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return err
}

// Wake receives after records were appended.
func (s *Spool) Wake() <-chan struct{} { return s.wake }

// Pending is a segment with the slots that may be read: all below To are
// finished or will never be.
type Pending struct {
	Segment *Segment
	To      int64
	Sealed  bool // nothing will be added
}

// Pending lists what may be shipped, oldest first, the active segment last.
func (s *Spool) Pending() []Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Pending, 0, len(s.sealed)+1)
	for _, f := range s.sealed {
		if f.doneTo == f.used { // every record in it is finished: the rest stays empty
			out = append(out, Pending{Segment: f.Segment, To: f.Slots, Sealed: true})
		} else {
			out = append(out, Pending{Segment: f.Segment, To: f.doneTo})
		}
	}
	if s.active != nil {
		out = append(out, Pending{Segment: s.active.Segment, To: s.active.doneTo})
	}
	return out
}

// Sync brings what was appended to the disk itself. Without it a record
// outlives the process; with it, also a power cut.
func (s *Spool) Sync() error {
	s.mu.Lock()
	var open []*Segment
	for _, f := range append(s.sealed[:len(s.sealed):len(s.sealed)], s.active) {
		if f != nil && f.synced < f.doneTo && f.done != nil {
			f.synced = f.doneTo
			open = append(open, f.Segment)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, seg := range open {
		if err := seg.file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // closed: it was shipped meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Forget removes a sealed segment after all of it was shipped.
func (s *Spool) Forget(seg *Segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, known := range s.sealed {
		if known.Segment == seg {
			s.sealed = append(s.sealed[:i:i], s.sealed[i+1:]...)
			return seg.Remove()
		}
	}
	return nil
}

// Seal ends the active segment, so that it can be shipped and removed whole.
// Calls that are still under way keep the places that they were promised: then
// the segment stays open, and what is not shipped waits for the next process.
func (s *Spool) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.inFlight > 0 {
		return
	}
	if s.active != nil {
		s.sealed = append(s.sealed, s.active)
		s.active = nil
	}
	if s.standby != nil {
		_ = s.standby.Remove() // empty; a leftover file is recognized at the next start
		s.standby = nil
	}
}

// Close releases the folder. Unshipped segments stay for the next process.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, seg := range s.sealed {
		errs = append(errs, seg.Close())
	}
	if s.active != nil {
		errs = append(errs, s.active.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
