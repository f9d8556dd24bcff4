package snapshot

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestADatabaseThatTookOverWithTheSameVersionIsLoadedWhole gives the database
// other rows under the version that the gateway knows, as when a standby takes
// over without the last change and then has one of its own.
func TestADatabaseThatTookOverWithTheSameVersionIsLoadedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hash := w.newKey(t, 0)
	h := w.holder(t)
	refresh(t, h)
	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() { h.Run(ctx) })
	defer background.Wait()
	defer stop()
	const listeners = `FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN tollgate_view'`
	for n := 0; n == 0; <-time.After(time.Millisecond) {
		if err := w.db.QueryRow(ctx, `SELECT count(*) `+listeners).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := w.db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE keys SET revoked_at = '2026-05-02'`,
		`UPDATE view_version SET version = version - 1`,
		`SET ROLE NONE`, // to end a session of the owner's
		`SELECT pg_terminate_backend(pid) ` + listeners,
		`RESET ROLE`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); h.View().Lookup(hash) != nil; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a key that the new database has revoked goes on")
		}
	}
	same(t, h.View(), w.whole(t))
}
