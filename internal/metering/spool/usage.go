package spool

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// alarmAt is the share of the bound in percent from which an operator is told.
const alarmAt = 70

// Usage is how many bytes of records wait in the spool, and how many may.
func (s *Spool) Usage() (used, limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.sealed {
		used += f.Slots * SlotSize
	}
	if f := s.active.Load(); f != nil {
		used += f.handedOut() * SlotSize
	}
	return used, int64(s.cfg.MaxSegments) * s.cfg.SegmentSlots * SlotSize
}

// Unmetered is how many calls went on without a record since the start (Serve).
func (s *Spool) Unmetered() int64 { return s.unmetered.Load() }

// Alarm says what an operator must do something about before calls are refused
// or go unmetered; empty when all is well.
func (s *Spool) Alarm() string {
	used, limit := s.Usage()
	if used*100 >= limit*alarmAt {
		return fmt.Sprintf("the usage spool holds %d of %d MiB: see whether the database can be reached", used>>20, limit>>20)
	}
	if err := s.failure(); err != nil {
		return "the usage spool cannot grow: " + err.Error()
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(s.cfg.Dir, &fs); err != nil {
		return "the usage spool's folder cannot be looked at: " + err.Error()
	}
	free, segment := int64(fs.Bavail)*fs.Bsize, headerSize+s.cfg.SegmentSlots*SlotSize
	if used+free < limit && free < 4*segment {
		return fmt.Sprintf("the disk under the usage spool has only %d MiB left: make room", free>>20)
	}
	return ""
}

// failure is why the last attempt to make a segment failed; nil when it did not.
func (s *Spool) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}
