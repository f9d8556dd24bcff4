package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
)

func addApplication(t *testing.T, db *postgres.DB, org uuid.UUID) {
	t.Helper()
	err := db.InTx(postgres.AsStaff(context.Background()), func(_ context.Context, tx *postgres.Tx) error {
		if err := tx.Exec(`INSERT INTO organizations (id, name, created_at) VALUES (?, 'Acme', ?)`, org, time.Unix(0, 0)).Error; err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO applications (id, org_id, name, created_at) VALUES (?, ?, 'Default', ?)`, postgres.NewID(), org, time.Unix(0, 0)).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

func countApplications(t *testing.T, db *postgres.DB, ctx context.Context) (n int64) {
	t.Helper()
	err := db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT count(*) FROM applications`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRowsAreSeenByTheirTenantAlone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, other := postgres.NewID(), postgres.NewID()
	addApplication(t, db, mine)
	addApplication(t, db, other)
	for _, c := range []struct {
		name string
		ctx  context.Context
		want int64
	}{
		{"nobody sees nothing", context.Background(), 0},
		{"a member sees their own", postgres.AsMember(context.Background(), mine, uuid.Nil), 1},
		{"staff see all", postgres.AsStaff(context.Background()), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := countApplications(t, db, c.ctx); got != c.want {
				t.Errorf("saw %d applications, want %d", got, c.want)
			}
		})
	}
}

func TestEveryTableOfATenantHasRowLevelSecurity(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	err := db.InTx(postgres.AsStaff(context.Background()), func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `
			SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
			WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			t.Errorf("table %s has an org_id and no row-level security", name)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFailedUseCaseLeavesNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	staff := postgres.AsStaff(context.Background())
	boom := errors.New("boom")
	err := db.InTx(staff, func(ctx context.Context, tx *postgres.Tx) error {
		// the inner use case joins the outer one's transaction
		if err := db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
			return tx.Exec(`INSERT INTO organizations (id, name, created_at) VALUES (?, 'Acme', ?)`, postgres.NewID(), time.Unix(0, 0)).Error
		}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want boom", err)
	}
	var n int64
	if err := db.InTx(staff, func(ctx context.Context, tx *postgres.Tx) error { return tx.Table("organizations").Count(&n).Error }); err != nil || n != 0 {
		t.Errorf("%d rows left, error %v", n, err)
	}
}
