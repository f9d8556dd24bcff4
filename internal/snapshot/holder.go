package snapshot

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Holder keeps the present view and renews it when the database says so.
type Holder struct {
	pool   *pgxpool.Pool
	file   string // copy on disk, so that a restart does not need the database
	logger *slog.Logger
	view   atomic.Pointer[View]
	onSwap func(*View)
	err    atomic.Pointer[error] // of the last load; nil when it worked
}

// NewHolder starts from the copy on disk, if there is a good one. onSwap is
// called with each new view.
func NewHolder(pool *pgxpool.Pool, file string, logger *slog.Logger, onSwap func(*View)) *Holder {
	h := &Holder{pool: pool, file: file, logger: logger, onSwap: onSwap}
	d, err := readFile(file)
	if err == nil {
		err = h.swap(d)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		logger.Warn("the view on disk cannot be used", "error", err)
	}
	return h
}

// View is the present view; nil before the first one.
func (h *Holder) View() *View { return h.view.Load() }

// Err is why the last load failed; nil when it worked.
func (h *Holder) Err() error {
	if p := h.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Refresh loads a new view if the database has one. A failed or invalid load
// keeps the last good view.
func (h *Holder) Refresh(ctx context.Context) error {
	err := h.refresh(ctx)
	if err != nil {
		h.err.Store(&err)
	} else {
		h.err.Store(nil)
	}
	return err
}

func (h *Holder) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	version, err := CurrentVersion(ctx, h.pool)
	if err != nil {
		return fmt.Errorf("ask for the view's version: %w", err)
	}
	if v := h.view.Load(); v != nil && v.Version == version {
		return nil
	}
	d, err := Load(ctx, h.pool)
	if err != nil {
		return err
	}
	if err := h.swap(d); err != nil {
		return err
	}
	if err := writeFile(h.file, d); err != nil {
		h.logger.Warn("the view could not be kept on disk", "error", err)
	}
	return nil
}

func (h *Holder) swap(d *Data) error {
	v, err := Build(d)
	if err != nil {
		return err
	}
	h.view.Store(v)
	if h.onSwap != nil {
		h.onSwap(v)
	}
	return nil
}

// Run renews the view when notified, and every second in case a notification
// was lost, until ctx ends.
func (h *Holder) Run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	go h.listen(ctx, changed)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := h.Refresh(ctx); err != nil && ctx.Err() == nil {
			h.logger.Warn("the view could not be renewed; the last good one stays", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// listen passes the database's notifications on and reconnects after failures.
func (h *Holder) listen(ctx context.Context, changed chan<- struct{}) {
	for ctx.Err() == nil {
		err := h.listenOnce(ctx, changed)
		if ctx.Err() != nil {
			return
		}
		h.logger.Debug("listening for changes was interrupted", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (h *Holder) listenOnce(ctx context.Context, changed chan<- struct{}) error {
	pooled, err := h.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // a listening connection does not go back to the pool
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN tollgate_view`); err != nil {
		return err
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

func readFile(name string) (*Data, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	d := &Data{}
	if err := gob.NewDecoder(f).Decode(d); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return d, nil
}

// writeFile replaces the copy on disk in one step.
func writeFile(name string, d *Data) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(gob.NewEncoder(f).Encode(d), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
