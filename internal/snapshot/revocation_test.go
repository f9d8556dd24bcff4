package snapshot

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tollgate/internal/keys/token"
)

// TestTwoHundredRevocationsUnderLoadReachTheGateway revokes keys one by one
// while others are made and looked up. It prints how long that took to arrive;
// nobody asserts times. Once the database tells nobody of changes, as if each
// notification were lost.
func TestTwoHundredRevocationsUnderLoadReachTheGateway(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"notified": false, "notifications lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if silent {
				w.silence(t)
			}
			w.exec(t, `INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at)
				SELECT gen_random_uuid(), $1, $2, 'k', 'live', 'd', sha256(n::text::bytea), '2026-05-01' FROM generate_series(1, 20000) AS n`, w.orgs[0], w.apps[0])
			hashes := make([]token.Hash, 200)
			for i := range hashes {
				hashes[i] = w.newKey(t, 0)
			}
			h := w.holder(t)
			refresh(t, h)
			ctx, stop := context.WithCancel(t.Context())
			var background sync.WaitGroup
			background.Go(func() { h.Run(ctx) })
			background.Go(func() { w.lookUp(ctx, h) })
			took := w.revokeAll(t, h, hashes)
			stop()
			background.Wait()
			slices.Sort(took)
			whole, deltas := h.Loads()
			t.Logf("median %s, longest %s, in %d deltas and %d whole loads", took[len(took)/2], took[len(took)-1], deltas, whole)
			if whole != 1 || deltas == 0 {
				t.Errorf("%d whole loads and %d deltas", whole, deltas)
			}
			same(t, h.View(), w.whole(t))
		})
	}
}

// revokeAll revokes keys while it makes others, and measures from the commit
// until the gateway does not know the key any more.
func (w *world) revokeAll(t *testing.T, h *Holder, hashes []token.Hash) []time.Duration {
	took := make([]time.Duration, len(hashes))
	var arrivals sync.WaitGroup
	for i, hash := range hashes {
		if h.View().Lookup(hash) == nil {
			t.Fatal("a key is gone before it was revoked")
		}
		w.exec(t, `UPDATE keys SET revoked_at = '2026-05-02' WHERE hash = $1`, hash[:])
		revoked := time.Now()
		arrivals.Go(func() {
			for h.View().Lookup(hash) != nil {
				<-time.After(time.Millisecond)
			}
			took[i] = time.Since(revoked)
		})
		if i%10 == 0 {
			w.newKey(t, 1)
		}
	}
	arrivals.Wait()
	return took
}

// lookUp asks the present view for keys without end.
func (w *world) lookUp(ctx context.Context, h *Holder) {
	for n := 0; ctx.Err() == nil; n++ {
		h.View().Lookup(token.Hash{byte(rand.IntN(256))})
		if n%1000 == 0 {
			<-time.After(time.Millisecond)
		}
	}
}

// silence makes the database notify nobody.
func (w *world) silence(t *testing.T) {
	t.Helper()
	var source string
	if err := w.db.QueryRow(context.Background(), `SELECT pg_get_functiondef('open_view_version'::regproc)`).Scan(&source); err != nil {
		t.Fatal(err)
	}
	const notify = "PERFORM pg_notify('tollgate_view', '');"
	if !strings.Contains(source, notify) {
		t.Fatal("the schema notifies in another way")
	}
	w.exec(t, strings.Replace(source, notify, "", 1))
}
