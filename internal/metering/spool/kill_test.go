package spool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestMain doubles as the child that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_CHILD"); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child appends for ever, from several goroutines, and says so on standard
// output after each record.
func child(dir string) {
	s, err := New(Config{Dir: dir, SegmentSlots: 256, MaxSegments: 1000})
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				id := uuid.New()
				if s.Reserve() == nil && s.Append(&Record{RequestID: id}) == nil {
					fmt.Println(id)
				}
			}
		})
	}
	wg.Wait()
}

// It runs before the parallel tests: between fork and exec a child holds their locks.
func TestNothingAppendedIsLostWhenTheProcessIsKilled(t *testing.T) { //nolint:paralleltest // see above
	dir := t.TempDir()
	promised := map[uuid.UUID]bool{}
	const kills = 20
	for range kills {
		for id := range runAndKill(t, dir, rand.IntN(400)) {
			promised[id] = true
		}
	}
	found := readAll(t, open(t, dir, 256, 1000))
	for id := range promised {
		if found[id] != 1 {
			t.Errorf("record %s found %d times", id, found[id])
		}
	}
	if beyond := len(found) - len(promised); beyond < 0 || beyond > 4*kills {
		t.Errorf("%d records were promised and %d found: each of 4 goroutines may die between the two once a kill", len(promised), len(found))
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
