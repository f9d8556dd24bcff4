package tollgate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/app/portal"
	"tollgate/internal/demo"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/private"
)

// database is what the demo runs on, and what it found there.
type database struct {
	url     string
	cluster *private.Cluster // nil with DATABASE_URL
	found   found
	home    string // folder of what belongs to this database: the gateway's, simulated Stripe's
}

// found is what a database holds when the demo comes to it.
type found struct {
	id     string // of the database itself, wherever it is
	used   bool   // somebody's installation, a demo's or another
	demo   bool
	pepper []byte // see portal.PepperCheck
	people bool
	whole  bool // all of the sample data is there
	lived  bool // somebody signed in, or a call was made
}

// openDatabase uses DATABASE_URL, or runs a private cluster, and looks at what
// it holds.
func openDatabase(ctx context.Context, cfg Config, logger *slog.Logger, say *progress) (*database, error) {
	db := &database{url: cfg.Portal.DatabaseURL}
	if db.url != "" {
		say.step("using the database of DATABASE_URL")
	} else {
		say.step("starting a private PostgreSQL")
		cluster, err := private.Start(ctx, private.Config{Dir: filepath.Join(cfg.DataDir, "postgres"), Port: cfg.PostgresPort, Logger: logger})
		if err != nil {
			return nil, err
		}
		db.url, db.cluster = cluster.URL, cluster
	}
	if err := db.look(ctx); err != nil {
		return nil, errors.Join(db.explain(err), db.stop())
	}
	return db, nil
}

func (db *database) stop() error {
	if db.cluster == nil {
		return nil
	}
	return db.cluster.Stop()
}

// explain says what to do about an error that comes from a damaged cluster.
func (db *database) explain(err error) error {
	if db.cluster == nil {
		return err
	}
	return db.cluster.Explain(err)
}

// wayOut is how to go on with another database.
func (db *database) wayOut() string {
	if db.cluster == nil {
		return "set DATABASE_URL to an empty database"
	}
	return fmt.Sprintf("move %s away to start with fresh sample data", db.cluster.Dir)
}

// look finds out what the database holds. It changes nothing.
func (db *database) look(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, db.url)
	if err != nil {
		return fmt.Errorf("the demo's database (DATABASE_URL, if it is set): %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	db.found = found{}
	f, migrated := &db.found, false
	err = conn.QueryRow(ctx, `
		SELECT s.system_identifier || '-' || d.oid, to_regclass('installation') IS NOT NULL
		FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()`).Scan(&f.id, &migrated)
	if err == nil && migrated {
		err = conn.QueryRow(ctx, `
			SELECT demo, pepper_check, EXISTS (SELECT FROM users), EXISTS (SELECT FROM users WHERE email = $1),
			  EXISTS (SELECT FROM sessions) OR EXISTS (SELECT FROM usage_events)
			FROM installation`, demo.Last).Scan(&f.demo, &f.pepper, &f.people, &f.whole, &f.lived)
	}
	f.used = f.pepper != nil || f.people
	if err != nil {
		return fmt.Errorf("look at the demo's database: %w", err)
	}
	return nil
}

// prepare makes the database ready for the demo with the secrets in st, or says
// why it cannot be used. What it writes, it writes after that.
func (db *database) prepare(ctx context.Context, dir string, st *state, say *progress) error {
	if err := db.check(dir, st); err != nil {
		return err
	}
	if db.halfMade() {
		if err := db.empty(ctx, dir, say); err != nil {
			return err
		}
	}
	if st.fresh {
		if err := st.save(dir); err != nil {
			return err
		}
	}
	if err := db.makeHome(dir); err != nil {
		return err
	}
	applied, err := postgres.Migrate(ctx, db.url)
	if err != nil {
		return err
	}
	say.step("database ready, %d migrations applied", applied)
	return nil
}

// home is the folder of what belongs to one database and would do harm beside
// another: usage on its way, the copy of the view, simulated Stripe's state.
func home(dir, id string) string { return filepath.Join(dir, "databases", id) }

func (db *database) makeHome(dir string) error {
	db.home = home(dir, db.found.id)
	if err := os.MkdirAll(db.home, 0o700); err != nil {
		return fmt.Errorf("make the folder of what belongs to the database: %w", err)
	}
	return nil
}

// check says why the demo must not use what the database holds.
func (db *database) check(dir string, st *state) error {
	f := db.found
	switch {
	case !f.used:
		return nil
	case !f.demo:
		return fmt.Errorf("this database is not a demo's: somebody's installation is in it. To try Tollgate, %s", db.wayOut())
	case st.fresh:
		return fmt.Errorf("%s is missing: it holds the secrets and passwords that this database's sample data was made with. Put it back, or %s", stateFile(dir), db.wayOut())
	case f.pepper != nil && !bytes.Equal(f.pepper, portal.PepperCheck(st.Pepper)):
		return fmt.Errorf("%s does not belong to this database: its sample data was made with other secrets. Put the file back that does, or %s", stateFile(dir), db.wayOut())
	case db.halfMade() && (f.lived || db.cluster == nil):
		return fmt.Errorf("the sample data of this database was made only in part, because the first start was interrupted. To go on, %s", db.wayOut())
	}
	return nil
}

// halfMade reports whether a start was interrupted while it made sample data.
func (db *database) halfMade() bool { return db.found.people && !db.found.whole }

// empty starts over where nobody has signed in nor called yet.
func (db *database) empty(ctx context.Context, dir string, say *progress) error {
	say.step("starting over: the first start was interrupted")
	if err := os.RemoveAll(home(dir, db.found.id)); err != nil {
		return fmt.Errorf("remove what belongs to the interrupted start: %w", err)
	}
	if err := db.cluster.Empty(ctx); err != nil {
		return err
	}
	return db.look(ctx)
}
