package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func open(t *testing.T, dir string, slots int64, segments int) *Spool {
	t.Helper()
	s, err := New(Config{Dir: dir, SegmentSlots: slots, MaxSegments: segments})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func appendOne(t testing.TB, s *Spool, id uuid.UUID) {
	t.Helper()
	if err := s.Reserve(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(&Record{RequestID: id, Method: "GET"}); err != nil {
		t.Fatal(err)
	}
}

// readAll counts how often each record is found.
func readAll(t *testing.T, s *Spool) map[uuid.UUID]int {
	t.Helper()
	found := map[uuid.UUID]int{}
	var reader Reader
	for _, p := range s.Pending() {
		records, _, _, err := reader.Read(p.Segment, 0, p.To)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			found[r.RequestID]++
		}
	}
	return found
}

func TestARecordComesBackAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := func(label string) (u uuid.UUID) {
			copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
			return u
		}
		want := Record{
			RequestID: id("request"), At: time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "at")).UTC(),
			Org: id("org"), Application: id("application"), Subscription: id("subscription"), Key: id("key"), Version: id("version"), Operation: id("operation"),
			Lease: rapid.Int64().Draw(t, "lease"), Method: rapid.SampledFrom([]string{"GET", "POST", "OPTIONS"}).Draw(t, "method"),
			Path: rapid.StringMatching(`/[a-z/]{0,60}`).Draw(t, "path"), Status: rapid.Uint16().Draw(t, "status"), Flags: rapid.Byte().Draw(t, "flags"),
			Units: rapid.Uint32().Draw(t, "units"), BytesIn: rapid.Uint64().Draw(t, "in"), BytesOut: rapid.Uint64().Draw(t, "out"),
			Duration: time.Duration(rapid.Uint32().Draw(t, "duration")) * time.Microsecond, Upstream: time.Duration(rapid.Uint32().Draw(t, "upstream")) * time.Microsecond,
		}
		var slot [SlotSize]byte
		want.encode(slot[:])
		commit(slot[:])
		got, err := Decode(slot[:])
		if err != nil || got != want {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
	})
}

func TestAnyFlippedBitIsNoticed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var slot [SlotSize]byte
		(&Record{RequestID: uuid.New(), Method: "GET", Path: "/x"}).encode(slot[:])
		commit(slot[:])
		bit := rapid.IntRange(0, SlotSize*8-1).Draw(t, "bit")
		slot[bit/8] ^= 1 << (bit % 8)
		if _, err := Decode(slot[:]); err == nil {
			t.Fatalf("bit %d flipped unnoticed", bit)
		}
	})
}

func TestConcurrentAppendsAreEachFoundOnceAcrossSegments(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 64, 100)
	const workers, each = 8, 200
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				appendOne(t, s, uuid.New())
			}
		})
	}
	wg.Wait()
	found := readAll(t, s)
	if len(found) != workers*each {
		t.Errorf("found %d records, want %d", len(found), workers*each)
	}
	for id, n := range found {
		if n != 1 {
			t.Errorf("%s found %d times", id, n)
		}
	}
}

func TestAFullSpoolPromisesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 8, 2)
	n := 0
	for ; n < 100; n++ {
		if err := s.Reserve(); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatalf("got %v, want ErrFull", err)
			}
			break
		}
	}
	if n == 0 || n > 16 {
		t.Fatalf("promised %d places in 16", n)
	}
	for range n {
		if err := s.Append(&Record{RequestID: uuid.New()}); err != nil {
			t.Fatalf("a promise was broken: %v", err)
		}
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, 8, 2)
	if _, err := New(Config{Dir: dir, SegmentSlots: 8, MaxSegments: 2}); err == nil {
		t.Error("two spools opened one folder")
	}
}

func TestASlotInTheMiddleThatWasNotFinishedIsSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 8, 2)
	for range 3 {
		appendOne(t, s, uuid.New())
	}
	seg := s.Pending()[0].Segment
	if _, err := seg.file.WriteAt(bytes.Repeat([]byte{7}, 40), headerSize+SlotSize); err != nil {
		t.Fatal(err)
	}
	records, damaged, empty, err := new(Reader).Read(seg, 0, seg.Slots)
	if err != nil || len(records) != 2 || damaged != 1 || empty != 5 {
		t.Errorf("%d records, %d damaged, %d empty, %v; want 2, 1, 5", len(records), damaged, empty, err)
	}
}

func FuzzDecode(f *testing.F) {
	var slot [SlotSize]byte
	(&Record{Method: "GET"}).encode(slot[:])
	commit(slot[:])
	f.Add(slot[:])
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = Decode(b) })
}

func TestACallThatOutlivesTheSealIsStillRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := New(Config{Dir: dir, SegmentSlots: 64, MaxSegments: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve(); err != nil {
		t.Fatal(err)
	}
	s.Seal()
	if err := s.Reserve(); !errors.Is(err, ErrFull) {
		t.Errorf("a sealed spool promises a place: %v", err)
	}
	late := &Record{RequestID: uuid.New(), Method: "GET", Path: "/late"}
	if err := s.Append(late); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := New(Config{Dir: dir, SegmentSlots: 64, MaxSegments: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close() }()
	pending := next.Pending()
	records, _, _, err := new(Reader).Read(pending[0].Segment, 0, pending[0].To)
	if err != nil || len(records) != 1 || records[0].RequestID != late.RequestID {
		t.Errorf("the next process finds %v, %v", records, err)
	}
}

func TestALeftOverSegmentIsShippedAndNotAppendedTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir, 64, 8)
	appendOne(t, first, uuid.New())
	before := first.Pending()[0].Segment.ID
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir, 64, 8)
	appendOne(t, second, uuid.New())
	var active uuid.UUID
	for _, p := range second.Pending() {
		if !p.Sealed {
			active = p.Segment.ID
		}
	}
	if active == before || active == uuid.Nil {
		t.Errorf("the new process appends to %s, which the first one left", active)
	}
	if found := readAll(t, second); len(found) != 2 {
		t.Errorf("found %d records, want both", len(found))
	}
}

func TestAFullSpoolServesAndCountsIfToldTo(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Dir: t.TempDir(), SegmentSlots: 8, MaxSegments: 2, Full: Serve})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := s.Reserve(); err != nil {
			t.Fatal(err)
		}
	}
	s.Release()
	for range 19 {
		if err := s.Append(&Record{RequestID: uuid.New()}); err != nil {
			t.Fatal(err)
		}
	}
	if found := readAll(t, s); len(found) != 16 || s.Unmetered() != 3 {
		t.Errorf("%d records and %d unmetered calls, want 16 and 3", len(found), s.Unmetered())
	}
	s.Seal()
	if err := s.Reserve(); !errors.Is(err, ErrFull) {
		t.Errorf("a sealed spool takes a call on: %v", err)
	}
}

func TestAnAlarmTellsBeforeTheSpoolIsFull(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 10, 10)
	for range 69 {
		appendOne(t, s, uuid.New())
	}
	if alarm := s.Alarm(); alarm != "" {
		t.Errorf("an alarm at 69 of 100 records: %s", alarm)
	}
	appendOne(t, s, uuid.New())
	if s.Alarm() == "" {
		t.Error("no alarm at 70 of 100 records")
	}
	if used, limit := s.Usage(); used != 70*SlotSize || limit != 100*SlotSize {
		t.Errorf("%d of %d bytes are used, want 70 of 100 records", used, limit)
	}
}

func TestPlacesThatCannotBeMadeAreNotPromised(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, 8, 4)
	if err := os.RemoveAll(dir); err != nil { // as good as a read-only or full disk: nothing can be made there
		t.Fatal(err)
	}
	if err := s.Reserve(); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Reserve(); !errors.Is(err, ErrFull) {
		t.Errorf("the disk was tried again for a call: %v", err)
	}
	s.Pending() // the shipper comes by
	appendOne(t, s, uuid.New())
}

func TestTheShipperIsWokenForWhatItHasNotSeen(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 4, 16)
	woken := func() bool {
		select {
		case <-s.Wake():
			return true
		default:
			return false
		}
	}
	for n := range 12 {
		s.Pending()
		if woken() {
			t.Fatalf("woken without news after %d records", n)
		}
		appendOne(t, s, uuid.New())
		if !woken() {
			t.Fatalf("not woken for record %d", n)
		}
		s.Pending()
		appendOne(t, s, uuid.New()) // while it is awake
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if !woken() {
			t.Fatalf("not woken for a record that came while it was at work, after %d", n)
		}
	}
}

// Whatever the order of promises, appends, shipping and forgetting, each record
// that was appended is read once and the bound on segments holds.
func TestEveryAppendedRecordIsReadOnceWhateverTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		slots, most := rapid.Int64Range(1, 9).Draw(rt, "slots"), rapid.IntRange(2, 5).Draw(rt, "segments")
		s, err := New(Config{Dir: dir, SegmentSlots: slots, MaxSegments: most})
		if err != nil {
			rt.Fatal(err)
		}
		promised, appended, read, from := 0, map[uuid.UUID]bool{}, map[uuid.UUID]int{}, map[uuid.UUID]int64{}
		var reader Reader
		ship := func() {
			for _, p := range s.Pending() {
				records, _, _, err := reader.Read(p.Segment, from[p.Segment.ID], p.To)
				if err != nil {
					rt.Fatal(err)
				}
				for _, r := range records {
					read[r.RequestID]++
				}
				if from[p.Segment.ID] = p.To; p.Sealed {
					if err := s.Forget(p.Segment); err != nil {
						rt.Fatal(err)
					}
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"reserve": func(*rapid.T) {
				if s.Reserve() == nil {
					promised++
				}
			},
			"release": func(rt *rapid.T) {
				if promised == 0 {
					rt.Skip()
				}
				promised--
				s.Release()
			},
			"append": func(rt *rapid.T) {
				if promised == 0 {
					rt.Skip()
				}
				promised--
				id := uuid.New()
				if err := s.Append(&Record{RequestID: id}); err != nil {
					rt.Fatalf("a promise was broken: %v", err)
				}
				appended[id] = true
			},
			"ship": func(*rapid.T) { ship() },
			"": func(rt *rapid.T) {
				if files, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(files) > most {
					rt.Fatalf("%d segments, at most %d", len(files), most)
				}
			},
		})
		for ; promised > 0; promised-- {
			s.Release()
		}
		s.Seal()
		ship()
		for id := range appended {
			if read[id] != 1 {
				rt.Errorf("record %s was read %d times", id, read[id])
			}
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(files) != 0 || len(read) != len(appended) {
			rt.Errorf("%d segments are left, %d records read of %d", len(files), len(read), len(appended))
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestWhatTheDatabaseDoesNotHaveInTimeIsBroughtToTheDisk(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), 64, 16)
	rounds := func(n int) (synced int64) {
		for range n {
			for _, u := range s.unsynced() {
				synced += u.to - u.from
			}
		}
		return synced
	}
	for range 3 {
		appendOne(t, s, uuid.New())
	}
	if early, due, again := rounds(2), rounds(1), rounds(3); early != 0 || due != 3 || again != 0 {
		t.Errorf("%d records were brought to the disk early, %d in time, %d again", early, due, again)
	}
	for range 5 {
		appendOne(t, s, uuid.New())
	}
	s.Shipped(s.Pending()[0].Segment, 7)
	if due := rounds(4); due != 1 {
		t.Errorf("%d records were brought to the disk, want the one that was not shipped", due)
	}
}
