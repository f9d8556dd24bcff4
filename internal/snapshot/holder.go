package snapshot

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/upstream"
)

// Holder keeps the present view and renews it when the database says so.
type Holder struct {
	pool   *pgxpool.Pool
	logger *slog.Logger
	view   atomic.Pointer[View]
	onSwap func(*View)
	err    atomic.Pointer[error] // of the last load; nil when it worked
	copy   *keeper

	mu      sync.Mutex // one refresh at a time
	builder *builder
	whole   bool  // the builder is not the view's any more: load all
	refused error // why the newest routes were not taken

	wholes, deltas atomic.Int64
}

// NewHolder starts from the copy on disk, if there is a good one. onSwap is
// called with each new view.
func NewHolder(pool *pgxpool.Pool, file string, logger *slog.Logger, onSwap func(*View)) *Holder {
	h := &Holder{pool: pool, logger: logger, onSwap: onSwap, builder: newBuilder(), copy: newKeeper(file, logger)}
	d, err := readFile(file)
	if err == nil {
		err = h.load(loaded{all: d})
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		logger.Warn("the view on disk cannot be used", "error", err)
	}
	return h
}

// View is the present view; nil before the first one.
func (h *Holder) View() *View { return h.view.Load() }

// Groups are the targets of all upstreams with their state, which outlives views.
func (h *Holder) Groups() *upstream.Groups { return h.builder.groups }

// Loads counts the views that were loaded whole and those that were changed by
// a delta.
func (h *Holder) Loads() (whole, deltas int64) { return h.wholes.Load(), h.deltas.Load() }

// Err is why the last load failed, or why the newest routes were refused; nil
// when all is well.
func (h *Holder) Err() error {
	if p := h.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Refresh brings the view up to date. A failed or invalid load keeps the last
// good view. Routes that are invalid are refused whole: the last good ones stay,
// while keys and subscriptions change, so that a bad push does not hold up
// revocations.
func (h *Holder) Refresh(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.refresh(ctx)
	if err != nil {
		h.err.Store(&err)
	} else {
		h.err.Store(nil)
	}
	return err
}

func (h *Holder) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	since := int64(0)
	if v := h.view.Load(); v != nil && !h.whole {
		since = v.Version
	}
	l, err := read(ctx, h.pool, since, h.builder.stale)
	if err != nil {
		return err
	}
	if l.all == nil && l.delta == nil {
		return h.refused
	}
	err = h.load(l)
	if l.delta == nil || !h.whole {
		return err
	}
	if l, err = read(ctx, h.pool, 0, nil); err != nil { // the delta did not fit
		return err
	}
	return h.load(l)
}

// load makes and swaps in a view. After an error the next load is a whole one.
func (h *Holder) load(l loaded) (err error) {
	var v *View
	if l.all != nil {
		v, h.refused, err = h.builder.build(l.all, h.view.Load())
	} else {
		v, h.refused, err = h.builder.apply(h.view.Load(), l.delta)
	}
	if h.whole = err != nil; h.whole {
		return err
	}
	if l.all != nil {
		h.wholes.Add(1)
	} else {
		h.deltas.Add(1)
	}
	h.view.Store(v)
	h.copy.want(v, h.refused == nil)
	h.builder.forget(v)
	if h.onSwap != nil {
		h.onSwap(v)
	}
	return h.refused
}
