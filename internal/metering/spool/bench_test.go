package spool

import (
	"os"
	"testing"

	"github.com/google/uuid"
)

// BenchmarkAppend is one call's share of the spool, against the write(2) of the
// same bytes that it replaces.
func BenchmarkAppend(b *testing.B) {
	record := &Record{RequestID: uuid.New(), Method: "GET", Path: "/things/42"}
	b.Run("mapped", func(b *testing.B) {
		s := benchSpool(b)
		b.ReportAllocs()
		for b.Loop() {
			if s.free.Load() == s.low()+1 { // the next segment is made in the background, at another rate
				b.StopTimer()
				nextSegment(b, s)
				b.StartTimer()
			}
			if err := s.Reserve(); err != nil {
				b.Fatal(err)
			}
			if err := s.Append(record); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("making and removing segments, each place", func(b *testing.B) {
		dir := b.TempDir()
		for n := 0; b.Loop(); n += 1 {
			if n%(1<<16) == 0 {
				seg, err := create(dir, 1<<16)
				if err != nil {
					b.Fatal(err)
				}
				if err := seg.Remove(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("baseline write", func(b *testing.B) {
		f, err := os.Create(b.TempDir() + "/f")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for n := int64(0); b.Loop(); n++ {
			var slot [SlotSize]byte
			record.encode(slot[:])
			commit(slot[:])
			if _, err := f.WriteAt(slot[:], n%(1<<18)*SlotSize); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchSpool(b *testing.B) *Spool {
	b.Helper()
	s, err := New(Config{Dir: b.TempDir(), SegmentSlots: 1 << 16, MaxSegments: 16})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// nextSegment ends the active segment, removes it and makes another.
func nextSegment(b *testing.B, s *Spool) {
	b.Helper()
	s.mu.Lock()
	f := s.active.Load()
	rest := f.Slots - f.handedOut()
	s.sealActive()
	s.handed += rest
	s.mu.Unlock()
	s.free.Add(-rest)
	if err := s.Forget(f.Segment); err != nil {
		b.Fatal(err)
	}
	if err := s.grow(0); err != nil {
		b.Fatal(err)
	}
}
