package tollgate

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/app/portal"
	"tollgate/internal/demo"
	"tollgate/internal/postgres/pgtest"
)

// given is a database of DATABASE_URL after the SQL was run on it as its owner.
func given(t *testing.T, url string, sql ...string) *database {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, s := range sql {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, Config{Portal: portal.Config{DatabaseURL: url}})
}

func open(t *testing.T, cfg Config) *database {
	t.Helper()
	db, err := openDatabase(t.Context(), cfg, slog.New(slog.DiscardHandler), newProgress(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.stop() })
	return db
}

const (
	ofADemo = `UPDATE installation SET demo = true, pepper_check = '\x01'`
	person  = `INSERT INTO users (id, email, password_hash, created_at) VALUES (gen_random_uuid(), 'dev@acme.example', '', '2026-01-01')`
	last    = `INSERT INTO users (id, email, password_hash, created_at) VALUES (gen_random_uuid(), '` + demo.Last + `', '', '2026-01-01')`
)

func TestADatabaseThatTheDemoMustNotUseIsRefusedWithTheWayOutAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	kept := newState()
	kept.fresh = false
	check := portal.PepperCheck(kept.Pepper)
	for name, c := range map[string]struct {
		sql  []string
		st   *state
		want string
	}{
		"no demo.json":      {[]string{ofADemo, person, last}, newState(), "demo.json is missing"},
		"another demo.json": {[]string{ofADemo, person, last}, kept, "does not belong to this database"},
		"not a demo":        {[]string{person}, kept, "not a demo's"},
		"half made":         {[]string{ofADemo, `UPDATE installation SET pepper_check = '\x` + hex.EncodeToString(check) + `'`, person}, kept, "only in part"},
	} {
		dir := t.TempDir()
		err := given(t, pgtest.URL(t), c.sql...).prepare(t.Context(), dir, c.st, newProgress(io.Discard))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "set DATABASE_URL to an empty database") {
			t.Errorf("%s: got %v", name, err)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Errorf("%s: %v was written", name, files)
		}
	}
}

func TestWhetherThereIsSampleDataFollowsFromTheDatabase(t *testing.T) {
	t.Parallel()
	dir, st := t.TempDir(), newState()
	empty := given(t, pgtest.EmptyURL(t))
	if err := empty.prepare(t.Context(), dir, st, newProgress(io.Discard)); err != nil || empty.found.whole {
		t.Fatalf("an empty database: %v, %+v", err, empty.found)
	}
	stored, err := loadState(dir)
	if err != nil || stored.fresh || stored.Pepper != st.Pepper {
		t.Fatalf("the secrets were not kept: %v", err)
	}
	full := given(t, pgtest.URL(t), ofADemo, `UPDATE installation SET pepper_check = '\x`+hex.EncodeToString(portal.PepperCheck(st.Pepper))+`'`, person, last)
	if err := full.prepare(t.Context(), dir, stored, newProgress(io.Discard)); err != nil || !full.found.whole {
		t.Fatalf("a full database: %v, %+v", err, full.found)
	}
	if full.home == empty.home {
		t.Error("two databases share what belongs to one")
	}
}

func TestAnInterruptedFirstStartIsStartedOver(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tollgate-interrupted-") // the postgres user can walk to it, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	st, cfg := newState(), Config{DataDir: dir}
	db := open(t, cfg)
	if err := db.prepare(t.Context(), dir, st, newProgress(io.Discard)); err != nil {
		t.Fatal(err)
	}
	interrupted := db.home
	check := hex.EncodeToString(portal.PepperCheck(st.Pepper))
	half := given(t, db.url, `UPDATE installation SET demo = true, pepper_check = '\x`+check+`'`, person)
	half.cluster, st.fresh = db.cluster, false
	if err := half.prepare(t.Context(), dir, st, newProgress(io.Discard)); err != nil || half.found.people {
		t.Fatalf("got %v, %+v", err, half.found)
	}
	if _, err := os.Stat(interrupted); !os.IsNotExist(err) || half.home == interrupted {
		t.Errorf("what belonged to the interrupted start is still there: %v", err)
	}
	lived := given(t, db.url, `UPDATE installation SET demo = true, pepper_check = '\x`+check+`'`, person,
		`INSERT INTO sessions (token_hash, data, expires_at) VALUES ('\x01', '\x01', '2030-01-01')`)
	lived.cluster = db.cluster
	if err := lived.prepare(t.Context(), dir, st, newProgress(io.Discard)); err == nil || !strings.Contains(err.Error(), "move "+filepath.Join(dir, "postgres")+" away") {
		t.Errorf("a database that somebody used: %v", err)
	}
}
