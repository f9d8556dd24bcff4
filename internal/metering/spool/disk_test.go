package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestADiskThatFailsUnderASegmentCostsItsRecordAlone cuts a segment's file, so
// that its further pages cannot be written, as when a disk fails or a file
// system cannot keep what it has promised.
func TestADiskThatFailsUnderASegmentCostsItsRecordAlone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 64, 4)
	defer func() { _ = s.Close() }()
	const whole = 4096 / SlotSize // in the page that stays
	want := map[uuid.UUID]int{}
	record := func() {
		t.Helper()
		id := uuid.New()
		appendOne(t, s, id)
		want[id] = 1
	}
	for range whole {
		record()
	}
	if err := os.Truncate(s.active.Load().Path, headerSize+4096); err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(&Record{RequestID: uuid.New()}); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("recorded where there is no disk: %v", err)
	}
	for range 100 { // in segments that follow
		record()
	}
	found := readAll(t, s)
	if len(found) != len(want) {
		t.Errorf("%d of %d records are found", len(found), len(want))
	}
	for id := range want {
		if found[id] != 1 {
			t.Errorf("%s is found %d times", id, found[id])
		}
	}
	s.mu.Lock()
	inFlight := s.inFlight()
	s.mu.Unlock()
	if inFlight != 0 {
		t.Errorf("%d calls are believed to be under way", inFlight)
	}
}

func TestAFileThatCannotBeRemovedIsRemovedOnceItCan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 64, 4)
	defer func() { _ = s.Close() }()
	appendOne(t, s, uuid.New())
	path := s.active.Load().Path
	s.Seal()
	aside := filepath.Join(dir, "aside")
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil { // for root a folder's mode stops nothing
		t.Fatal(err)
	}
	for _, p := range s.Pending() {
		if err := s.Forget(p.Segment); err == nil {
			t.Error("removed what cannot be removed")
		}
	}
	if err := os.Remove(filepath.Join(path, "in the way")); err != nil {
		t.Fatal(err)
	}
	if left := s.Pending(); len(left) != 0 {
		t.Errorf("%d segments are to be shipped again", len(left))
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
