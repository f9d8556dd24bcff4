package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tollgate/internal/keys/token"
	"tollgate/internal/postgres"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
	"tollgate/migrations"
)

// olderDatabase is one that lacks the migrations after version.
func olderDatabase(t *testing.T, version int64) (url string) {
	t.Helper()
	url = pgtest.EmptyURL(t)
	if version == 0 {
		return url
	}
	p, err := pool.Open(context.Background(), url, pool.Owner, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	db := stdlib.OpenDBFromPool(p)
	defer func() { _ = db.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(context.Background(), version); err != nil {
		t.Fatal(err)
	}
	return url
}

func TestAGatewayThatComesBeforeItsMigrationsSaysSoAndWaitsForThem(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]int64{"nothing is migrated": 0, "the last migration is missing": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := &diary{}
			b := prepare(t, olderDatabase(t, version), 30*time.Second, logging(said))
			b.run(b.cfg)
			if got := b.call("GET", "/readyz", ""); got.status != 503 {
				t.Errorf("ready without a view: %d", got.status)
			}
			if got := b.call("GET", "/shop/things", token.Mint(token.Live)); got.status != 503 {
				t.Errorf("a call without a view: %d %s", got.status, got.code)
			}
			if !said.says("portal migrate") || !strings.Contains(b.private("/health/details"), "portal migrate") {
				t.Errorf("nobody is told what to do: %s", b.private("/health/details"))
			}
			if n, err := postgres.Migrate(context.Background(), b.cfg.DatabaseURL); err != nil || n == 0 {
				t.Fatalf("%d migrations applied, %v", n, err)
			}
			b.fixtures()
			b.eventually("the gateway is ready", func() bool { return b.call("GET", "/readyz", "").status == 200 })
			b.eventually("the API is known", func() bool { return b.call("GET", "/shop/things", "").code == "missing-key" })
			if got := b.call("GET", "/shop/things", b.goodKey()); got.status != 200 {
				t.Errorf("%d %s", got.status, got.code)
			}
			b.metered(1)
		})
	}
}

// TestCallsGoOnWhileAMigrationLocksTheirTables holds the locks that a migration
// takes, until all that a gateway does beside calls waits for them.
func TestCallsGoOnWhileAMigrationLocksTheirTables(t *testing.T) {
	t.Parallel()
	b := setupWith(t, 30*time.Second, func(b *bundle) { b.cfg.SpoolSegmentSlots = 4096 })
	b.subscribe(b.app, "active", 0, 1_000_000)
	key, doomed := b.key(b.app, token.Live), b.key(b.app, token.Live)
	calls, end := b.load(key)
	b.answersMore(calls, 100, 200)
	conn, err := pgx.Connect(context.Background(), b.cfg.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	do := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	tables := []string{"view_version", "usage_segments", "usage_batches", "usage_events", "usage_hourly", "keys", "subscriptions", "quota_grants", "quota_leases", "gateways"}
	do(`BEGIN`)
	for _, table := range tables {
		do(`LOCK TABLE ` + table + ` IN ACCESS EXCLUSIVE MODE`)
	}
	b.eventually("shipping, the view and the heartbeat wait", func() bool {
		var waiting int
		err := conn.QueryRow(context.Background(), `SELECT count(DISTINCT relation) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting)
		return err == nil && waiting >= 3
	})
	b.answersMore(calls, 500, 200)
	for _, table := range tables {
		do(`ALTER TABLE ` + table + ` ADD COLUMN of_the_next_version text NOT NULL DEFAULT 'new'`)
	}
	hash := token.Sum([]byte(pepper), doomed)
	if _, err := conn.Exec(context.Background(), `UPDATE keys SET revoked_at = now() WHERE hash = $1`, hash[:]); err != nil {
		t.Fatal(err)
	}
	do(`COMMIT`)
	b.eventually("what changed meanwhile has arrived", func() bool { return b.call("GET", "/shop/no-such-operation", doomed).code == "invalid-key" })
	b.metered(calls.count(200))
	b.answersMore(calls, 100, 200)
	end()
	calls.noneBut(t, 200)
	b.settle(calls)
}
