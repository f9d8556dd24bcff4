package snapshot

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tollgate/internal/clock"
)

// keepEvery is how often the copy on disk is written at most.
const keepEvery = 5 * time.Second

// keeper keeps a copy of the view on disk. Writing takes at most a twentieth of
// its time, however large the view is.
type keeper struct {
	file   string
	logger *slog.Logger
	clock  *clock.Clock

	mu      sync.Mutex
	newest  *View // to be written; nil: it is
	current bool  // the newest is all that the database has
	due     time.Time
	writing sync.WaitGroup
	busy    bool
}

func newKeeper(file string, logger *slog.Logger) *keeper {
	left, _ := filepath.Glob(file + ".*") // a process was killed while it wrote
	for _, name := range left {
		_ = os.Remove(name)
	}
	return &keeper{file: file, logger: logger, clock: clock.New()}
}

// want notes that v is to be kept. One with routes that are older than its
// version is kept as of no version, so that a restart asks for all.
func (k *keeper) want(v *View, current bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.newest, k.current = v, current
}

// keep starts writing the newest view, if it is time.
func (k *keeper) keep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.newest == nil || k.busy || k.clock.Real().Before(k.due) {
		return
	}
	k.busy = true
	v, current := k.newest, k.current
	k.newest = nil
	k.writing.Go(func() { k.write(v, current) })
}

func (k *keeper) write(v *View, current bool) {
	started := k.clock.Real()
	d := v.rows()
	if !current {
		d.Version = 0
	}
	err := writeFile(k.file, d)
	if err != nil {
		k.logger.Warn("the view could not be kept on disk", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy = false
	if err != nil && k.newest == nil {
		k.newest, k.current = v, current
	}
	now := k.clock.Real()
	k.due = now.Add(max(keepEvery, 20*now.Sub(started)))
}

// finish waits for a copy that is being written, and writes the newest if it is
// newer still.
func (k *keeper) finish() {
	k.writing.Wait()
	k.mu.Lock()
	v, current := k.newest, k.current
	k.newest = nil
	k.mu.Unlock()
	if v != nil {
		k.write(v, current)
	}
}
