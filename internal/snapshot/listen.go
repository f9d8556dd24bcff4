package snapshot

import (
	"context"
	"time"
)

const (
	pollEvery   = 500 * time.Millisecond // in case a notification was lost
	restBetween = 20 * time.Millisecond  // so that a stream of changes is taken in handfuls
	restAfter   = 5 * time.Second        // whole loads that are invalid
)

// Run renews the view when notified, and twice a second in case a notification
// was lost, until ctx ends. It then brings the copy on disk up to date.
func (h *Holder) Run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	listening := make(chan struct{})
	go func() { defer close(listening); h.listen(ctx, changed) }()
	defer h.copy.finish()
	defer func() { <-listening }()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	said := ""
	for {
		rest := restBetween
		if err := h.Refresh(ctx); err == nil {
			said = ""
		} else if ctx.Err() == nil {
			if said != err.Error() { // once, not twice a second
				h.logger.Warn("the view could not be renewed; the last good one stays", "error", err)
			}
			if said = err.Error(); h.lost() {
				rest = restAfter
			}
		}
		h.copy.keep()
		if !pause(ctx, rest) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// loadAll makes the next load a whole one.
func (h *Holder) loadAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.whole = true
}

// lost reports whether the next load must be a whole one.
func (h *Holder) lost() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.whole
}

// pause waits; false when ctx ends meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// listen passes the database's notifications on and reconnects after failures.
// What it then finds may be a standby that has taken over without the last
// changes: the same version need not mean the same rows, so all are loaded.
func (h *Holder) listen(ctx context.Context, changed chan<- struct{}) {
	for again := false; ctx.Err() == nil; again = true {
		err := h.listenOnce(ctx, changed, again)
		if ctx.Err() != nil {
			return
		}
		h.logger.Debug("listening for changes was interrupted", "error", err)
		pause(ctx, time.Second)
	}
}

func (h *Holder) listenOnce(ctx context.Context, changed chan<- struct{}, again bool) error {
	pooled, err := h.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // a listening connection does not go back to the pool
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN tollgate_view`); err != nil {
		return err
	}
	if again {
		h.loadAll() // with the next poll
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case changed <- struct{}{}:
		default: // a refresh is already due
		}
	}
}
