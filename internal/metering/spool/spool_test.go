package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	for _, p := range s.Pending() {
		records, _, _, err := p.Segment.Read(0, p.To)
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
	records, damaged, empty, err := seg.Read(0, seg.Slots)
	if err != nil || len(records) != 2 || damaged != 1 || empty != 5 {
		t.Errorf("%d records, %d damaged, %d empty, %v; want 2, 1, 5", len(records), damaged, empty, err)
	}
}

// TestMain doubles as the child that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_CHILD"); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child appends for ever and says so on standard output after each record.
func child(dir string) {
	s, err := New(Config{Dir: dir, SegmentSlots: 256, MaxSegments: 1000})
	if err != nil {
		panic(err)
	}
	for {
		id := uuid.New()
		if s.Reserve() == nil && s.Append(&Record{RequestID: id}) == nil {
			fmt.Println(id)
		}
	}
}

func TestNothingAppendedIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	promised := map[uuid.UUID]bool{}
	for range 5 {
		for id := range runAndKill(t, dir, 300) {
			promised[id] = true
		}
	}
	found := readAll(t, open(t, dir, 256, 1000))
	for id := range promised {
		if found[id] != 1 {
			t.Errorf("record %s found %d times", id, found[id])
		}
	}
	if len(promised) < 5*300 {
		t.Errorf("only %d records were promised", len(promised))
	}
}

// runAndKill starts a child, kills it after it has promised at least n records,
// and returns all that it promised.
func runAndKill(t *testing.T, dir string, n int) map[uuid.UUID]bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SPOOL_CHILD="+dir)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const line = 37
	for deadline := time.Now().Add(time.Minute); ; {
		if fi, err := out.Stat(); err == nil && fi.Size() >= int64(n*line) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the child promised too little")
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	data, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[uuid.UUID]bool{}
	for ; len(data) >= line; data = data[line:] {
		ids[uuid.MustParse(string(data[:line-1]))] = true
	}
	return ids
}

func FuzzDecode(f *testing.F) {
	var slot [SlotSize]byte
	(&Record{Method: "GET"}).encode(slot[:])
	f.Add(slot[:])
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = Decode(b) })
}

func BenchmarkAppend(b *testing.B) {
	s, err := New(Config{Dir: b.TempDir(), SegmentSlots: 1 << 16, MaxSegments: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		appendOne(b, s, uuid.UUID{})
	}
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
	records, _, _, err := pending[0].Segment.Read(0, pending[0].To)
	if err != nil || len(records) != 1 || records[0].RequestID != late.RequestID {
		t.Errorf("the next process finds %v, %v", records, err)
	}
}
