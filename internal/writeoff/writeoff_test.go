package writeoff_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/clock"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/quota/lease"
	"tollgate/internal/writeoff"
)

func TestWritingOffAGatewayIsAuditedAndSparesOthers(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, now := context.Background(), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	take := func(gateway string, at time.Time) {
		t.Helper()
		s := &lease.Postgres{Pool: db.StaffPool(), Gateway: gateway, Process: uuid.New(), Now: func() time.Time { return at }}
		if _, err := s.Take(ctx, lease.Account{Subscription: uuid.New(), Start: now, End: now.AddDate(0, 1, 0)}, 100, 0); err != nil {
			t.Fatal(err)
		}
	}
	take("gone", now.Add(-3*time.Hour))
	take("gone", now.Add(-2*time.Hour))
	take("gone", now.Add(-time.Minute)) // not expired
	take("other", now.Add(-2*time.Hour))
	s := writeoff.New(db, clock.Fixed(now))
	if all, err := s.Expired(ctx); err != nil || len(all) != 3 {
		t.Fatalf("%d expired, %v", len(all), err)
	}
	off, err := s.WriteOffGateway(ctx, uuid.Nil, "gone")
	if err != nil || len(off) != 2 || off[0].Granted != 5 {
		t.Fatalf("%+v, %v", off, err)
	}
	if _, err := s.WriteOff(ctx, uuid.Nil, off[0].Lease); err == nil {
		t.Error("a lease was written off twice")
	}
	if left, err := s.Expired(ctx); err != nil || len(left) != 1 || left[0].Gateway != "other" {
		t.Errorf("left %+v, %v", left, err)
	}
	if done, err := s.WrittenOff(ctx, time.Hour); err != nil || len(done) != 2 {
		t.Errorf("written off %+v, %v", done, err)
	}
	err = db.InTx(postgres.AsStaff(ctx), func(ctx context.Context, tx *postgres.Tx) error {
		for _, l := range off {
			noted, err := audit.Of(ctx, tx, "quota_lease", strconv.FormatInt(l.Lease, 10))
			if err != nil || len(noted) != 1 || noted[0].Details["calls"] != "5" || noted[0].Details["gateway"] != "gone" {
				t.Errorf("noted %+v, %v", noted, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
