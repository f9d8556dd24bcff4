// Package pgtest gives each test a migrated PostgreSQL database of its own: one
// private cluster per test binary, one template, one clone per test.
package pgtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pool"
	"tollgate/internal/postgres/private"
)

var (
	once    sync.Once
	cluster *private.Cluster
	startup error
	number  atomic.Int64
)

// New clones the template and opens it. No database means failure, not a skip.
func New(t testing.TB) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), URL(t))
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(db.Close)
	return db
}

// StaffPool clones the template and opens plain pgx connections to it in the
// staff role.
func StaffPool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	p, err := pool.Open(context.Background(), URL(t), pool.Staff, 8)
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// URL clones the template and returns the clone's address, as its owner.
func URL(t testing.TB) string { return create(t, `TEMPLATE tollgate STRATEGY file_copy`) }

// EmptyURL makes a database without a schema, for tests of migration itself.
func EmptyURL(t testing.TB) string { return create(t, ``) }

func create(t testing.TB, how string) string {
	t.Helper()
	once.Do(func() { startup = start() })
	if startup != nil {
		t.Fatalf("test database: %v", startup)
	}
	name := fmt.Sprintf("test_%d", number.Add(1))
	if err := admin(`CREATE DATABASE ` + name + ` ` + how); err != nil {
		t.Fatalf("clone test database: %v", err)
	}
	return strings.Replace(cluster.URL, "/"+private.Database+"?", "/"+name+"?", 1)
}

func start() error {
	removeStale()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("tollgate-test-%d", os.Getpid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var err error
	cluster, err = private.Start(context.Background(), private.Config{Dir: filepath.Join(dir, "pg"), Fast: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = postgres.Migrate(context.Background(), cluster.URL)
	return err
}

func admin(sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, strings.Replace(cluster.URL, "/"+private.Database+"?", "/postgres?", 1))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// removeStale deletes the clusters of test binaries that have ended: each dies
// with its binary, but leaves its files.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "tollgate-test-*"))
	for _, d := range dirs {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(d), "tollgate-test-%d", &pid); err == nil && syscall.Kill(pid, 0) != nil {
			_ = os.RemoveAll(d)
		}
	}
}
