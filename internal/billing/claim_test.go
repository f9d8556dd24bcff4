package billing_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/invoices"
)

func TestMoreInvoicesThanConnectionsAreCollectedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	for range 20 {
		b.pass()
	}
	var ids []uuid.UUID
	for _, i := range b.list() {
		if i.State == invoices.Review {
			b.must(b.Approve(b.staff, b.who.User, i.ID))
			ids = append(ids, i.ID)
		}
	}
	if most := int(b.db.StaffPool().Config().MaxConns); len(ids) <= most {
		t.Fatalf("%d invoices for %d connections", len(ids), most)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			if err := b.Collect(ctx, id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if want := 4900 * (len(ids) + 1); b.charged() != want {
		t.Errorf("charged %d, want %d", b.charged(), want)
	}
}

func TestTheClaimOfAProcessThatDiedRunsOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe(good)
	b.pass()
	draft := b.newest()
	b.must(b.Approve(b.staff, b.who.User, draft.ID))
	for _, c := range []struct {
		left time.Duration
		want string
	}{{time.Minute, invoices.Approved}, {-time.Minute, invoices.Paid}} {
		b.exec(`UPDATE invoices SET collecting_until = $2 WHERE id = $1`, draft.ID, b.clock.Real().Add(c.left))
		b.must(b.Collect(context.Background(), draft.ID))
		if d := b.newest(); d.State != c.want {
			t.Errorf("claimed for another %v, the invoice is %s", c.left, d.State)
		}
	}
}
