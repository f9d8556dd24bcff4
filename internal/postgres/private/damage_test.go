package private

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// stopped is a cluster that has run and been stopped, with one table.
func stopped(t *testing.T) (dir, table string) {
	t.Helper()
	dir = folder(t)
	c := start(t, dir)
	exec1(t, c, `CREATE TABLE kept (n int)`)
	conn, err := pgx.Connect(context.Background(), c.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(context.Background(), `SELECT pg_relation_filepath('kept')`).Scan(&table); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(context.Background())
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, table)
}

func saysWayOut(t *testing.T, err error, dir, want string) {
	t.Helper()
	for _, part := range []string{want, dir, "move", "afresh"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Fatalf("got %v, without %q", err, part)
		}
	}
}

func TestAMissingTableFileIsExplained(t *testing.T) {
	t.Parallel()
	dir, table := stopped(t)
	if err := os.Remove(table); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), config(dir))
	saysWayOut(t, err, dir, "is damaged")
}

func TestOnlyDamageIsExplained(t *testing.T) {
	t.Parallel()
	c := &Cluster{Dir: "/data/postgres"}
	saysWayOut(t, c.Explain(fmt.Errorf("migrate: %w", &pgconn.PgError{Code: "XX001"})), c.Dir, "is damaged")
	for _, other := range []error{nil, errors.New("of another kind"), &pgconn.PgError{Code: "42P01"}, &pgconn.PgError{Code: "53100"}} {
		if got := c.Explain(other); !errors.Is(got, other) || (got != nil && got.Error() != other.Error()) {
			t.Errorf("%v was changed to %v", other, got)
		}
	}
}

func TestAnEmptiedDatabaseHoldsNothing(t *testing.T) {
	t.Parallel()
	c := start(t, folder(t))
	exec1(t, c, `CREATE TABLE kept (n int)`)
	if err := c.Empty(context.Background()); err != nil {
		t.Fatal(err)
	}
	exec1(t, c, `CREATE TABLE kept (n int)`)
}

func TestAServerThatLetsNobodyInIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	dir, _ := stopped(t)
	if err := os.WriteFile(passwordFile(dir), []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), config(dir))
	saysWayOut(t, err, dir, "does not accept the password")

	dir, table := stopped(t)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(table)), "*", "2662")) // an index of pg_class, in every database
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	caches, _ := filepath.Glob(filepath.Join(dir, "base", "*", "pg_internal.init"))
	for _, f := range append(files, caches...) {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Start(context.Background(), config(dir))
	saysWayOut(t, err, dir, "is damaged")
}

func TestAClusterMovedAwayAndBackOpens(t *testing.T) {
	t.Parallel()
	dir, _ := stopped(t)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := start(t, dir).Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	exec1(t, start(t, dir), `INSERT INTO kept VALUES (1)`)
}
