// Package spool is the gateway's durable queue of usage on local disk: fixed
// slots in preallocated, memory-mapped segments. A record is written before its
// answer's last byte goes out and survives the death of the process. A segment
// is never appended to after a restart. Readers skip slots that were not
// finished.
package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrFull says that no record can be promised a place: the disk is full, or too
// many calls are under way.
var ErrFull = errors.New("the usage spool is full")

// Policy is what becomes of calls for which the spool has no place.
type Policy string

// The policies.
const (
	Refuse Policy = "refuse" // they are not forwarded
	Serve  Policy = "serve"  // they go on without a record, and are counted
)

// Config of a spool.
type Config struct {
	Dir          string
	SegmentSlots int64  // records per segment
	MaxSegments  int    // bound on disk use: this many segments
	Full         Policy // empty: Refuse
}

// Spool appends records of this process and hands out segments to ship. Reserve,
// Append and Release take no lock unless a segment runs out.
type Spool struct {
	cfg  Config
	lock *os.File
	wake chan struct{}

	active    atomic.Pointer[fill]
	_         [64]byte     // the counters below change with each call: they share no cache line
	free      atomic.Int64 // places not promised to anybody; far below zero once closed
	_         [64]byte
	asleep    atomic.Bool  // the shipper waits for Wake
	debt      atomic.Int64 // calls under way that no place was promised to (Serve)
	unmetered atomic.Int64

	growing sync.Mutex // one segment is made at a time
	makers  sync.WaitGroup

	mu     sync.Mutex
	ready  []*fill  // made, and not begun
	sealed []*fill  // nothing more is handed out in these; oldest first
	made   int64    // places in all segments of this process
	handed int64    // places that sealed segments of this process have given away
	stuck  error    // the last attempt to make a segment failed, and the next must wait
	failed error    // the last attempt to make a segment failed
	left   []string // files of segments that were shipped and could not be removed
	closed bool
}

const farBelow = 1 << 61

// fill is how far a segment has been handed out and finished.
type fill struct {
	*Segment
	_    [64]byte
	used atomic.Int64 // slots asked for; beyond Slots nobody got one
	_    [64]byte

	// Under the spool's lock.
	end    int64 // slots handed out, once sealed
	doneTo int64 // all slots below are finished or will never be
	listed int64 // doneTo as the shipper knows it
	synced int64 // all slots below have been handed to the disk, or need not be

	bad     []int64  // slots handed out that the disk did not take
	seen    [2]int64 // doneTo when Sync was called the last but one time, and the last
	shipped int64    // all slots below are in the database; see Unknown
}

func (f *fill) write(slot int64, r *Record) error {
	return faulted(func() {
		b := f.slot(slot)
		r.encode(b)
		commit(b)
	})
}

// faulted makes an error of a mapped page that the disk does not give or take,
// which would otherwise end the process.
func faulted(do func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		fault := recover()
		if _, ok := fault.(interface{ Addr() uintptr }); ok {
			err = fmt.Errorf("the disk under the usage spool fails: %v", fault)
		} else if fault != nil {
			panic(fault)
		}
	}()
	do()
	return nil
}

// handedOut is how many slots calls have got.
func (f *fill) handedOut() int64 { return min(f.used.Load(), f.Slots) }

// advance moves doneTo to the first slot below end that is not finished.
func (f *fill) advance(end int64) {
	_ = faulted(func() { // what cannot be looked at waits
		for f.data != nil && f.doneTo < end && (slices.Contains(f.bad, f.doneTo) || committed(f.slot(f.doneTo))) {
			f.doneTo++
		}
	})
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
		s.sealed = append(s.sealed, &fill{Segment: seg, end: seg.Slots, doneTo: seg.Slots, shipped: Unknown})
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

// Seal ends the active segment, so that it can be shipped and removed whole.
// Calls that are still under way keep the places that they were promised: then
// the segment stays open, and what is not shipped waits for the next process.
func (s *Spool) Seal() {
	s.shut()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight() > 0 {
		return
	}
	s.sealActive()
	for _, f := range s.ready {
		s.made -= f.Slots
		s.free.Add(-f.Slots)
		_ = f.Remove() // empty; a leftover file is recognized at the next start
	}
	s.ready = nil
}

// Close releases the folder. Unshipped segments stay for the next process.
// Segments with calls under way stay mapped: those calls are still recorded.
func (s *Spool) Close() error {
	s.shut()
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.lock.Close()}
	if s.inFlight() > 0 {
		return errors.Join(errs...)
	}
	s.sealActive()
	for _, f := range append(s.sealed[:len(s.sealed):len(s.sealed)], s.ready...) {
		if f.advance(f.end); f.doneTo >= f.end {
			errs = append(errs, f.Close())
		}
	}
	s.sealed, s.ready = nil, nil
	return errors.Join(errs...)
}

// shut ends Reserve and waits for a segment that is being made.
func (s *Spool) shut() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.free.Add(-farBelow)
	}
	s.mu.Unlock()
	s.makers.Wait()
}

// inFlight is how many calls have been promised a record and have not appended
// it. It needs the lock, and is exact once the spool is shut.
func (s *Spool) inFlight() int64 {
	free, handed := s.free.Load(), s.handed
	if s.closed {
		free += farBelow
	}
	if f := s.active.Load(); f != nil {
		handed += f.handedOut()
	}
	return s.made - free - handed + s.debt.Load()
}

// sealActive lets nothing more into the active segment. It needs the lock.
func (s *Spool) sealActive() {
	f := s.active.Load()
	if f == nil {
		return
	}
	s.active.Store(nil)
	f.end = min(f.used.Swap(f.Slots), f.Slots)
	s.handed += f.end
	s.sealed = append(s.sealed, f)
}
