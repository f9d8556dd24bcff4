package snapshot

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"tollgate/internal/keys/token"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
)

// world is a database with the little that everything else refers to.
type world struct {
	db                    *pgxpool.Pool
	user                  uuid.UUID
	orgs, apps, products  []uuid.UUID
	apis, upstreams       []uuid.UUID
	versions, plans, subs []uuid.UUID
	terms, keys           []uuid.UUID
	n                     int // makes names
}

func (w *world) exec(t fataler, sql string, args ...any) {
	t.Helper()
	if _, err := w.db.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

var began = at("2026-05-01T00:00:00Z")

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := pool.Open(context.Background(), pgtest.URL(t), pool.Owner, 6)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	w := &world{db: db, user: uuid.New()}
	w.exec(t, `INSERT INTO users (id, email, password_hash, created_at) VALUES ($1, 'a@example.com', 'x', $2)`, w.user, began)
	for i := range 3 {
		org, app, product, api, up, version, plan := uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
		w.exec(t, `INSERT INTO organizations (id, name, created_at) VALUES ($1, 'Org', $2)`, org, began)
		w.exec(t, `INSERT INTO applications (id, org_id, name, created_at) VALUES ($1, $2, 'App', $3)`, app, org, began)
		w.exec(t, `INSERT INTO products (id, slug, name, created_at) VALUES ($1, $2, 'P', $3)`, product, fmt.Sprint("product-", i), began)
		w.exec(t, `INSERT INTO apis (id, slug, name, visibility, created_at) VALUES ($1, $2, 'A', 'public', $3)`, api, fmt.Sprint("api-", i), began)
		w.exec(t, `INSERT INTO upstreams (id, created_at) VALUES ($1, $2)`, up, began)
		w.exec(t, `INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 0, 'http://u.example')`, up)
		w.exec(t, `INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, path_prefix, title, format, document, operation_count, published_at)
			VALUES ($1, $2, $3, '1', 'published', $4, 'T', 'OpenAPI 3.1.0', '{}', 1, $5)`, version, api, up, fmt.Sprint("/v", i), began)
		w.exec(t, `INSERT INTO product_versions VALUES ($1, $2)`, product, version)
		w.exec(t, `INSERT INTO plans (id, product_id, slug, name, sale, position, created_at) VALUES ($1, $2, 'plan', 'Plan', 'self_serve', 0, $3)`, plan, product, began)
		w.orgs, w.apps, w.products, w.plans = append(w.orgs, org), append(w.apps, app), append(w.products, product), append(w.plans, plan)
		w.apis, w.upstreams, w.versions = append(w.apis, api), append(w.upstreams, up), append(w.versions, version)
		w.newTerms(t, i, 1)
		w.subscribe(t, i)
		w.newKey(t, i)
	}
	return w
}

// newTerms makes a plan version with a rate and a quota, in one transaction as
// the portal does.
func (w *world) newTerms(t fataler, i, number int) {
	id := uuid.New()
	w.exec(t, `WITH v AS (INSERT INTO plan_versions (id, plan_id, number, currency, recurring_fee, created_at) VALUES ($1, $2, $3, 'usd', 0, $4) RETURNING id)
		INSERT INTO plan_limits (plan_version_id, position, kind, calls, window_seconds, algorithm, scope, burst, prepaid)
		SELECT id, 0, 'rate', 10, 60, 'token_bucket', 'key', 20, false FROM v UNION ALL SELECT id, 1, 'quota', 1000, 0, 'fixed_window', 'application', 0, $5 FROM v`, id, w.plans[i], number, began, i == 2)
	w.terms = append(w.terms, id)
}

func (w *world) subscribe(t fataler, i int) {
	id := uuid.New()
	w.exec(t, `INSERT INTO subscriptions (id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, created_at)
		VALUES ($1, $2, $3, $4, $5, 'active', 1, $6, $7, $6)`, id, w.orgs[i], w.apps[i], w.terms[i], w.products[i], began, began.AddDate(0, 1, 0))
	w.subs = append(w.subs, id)
}

func (w *world) newKey(t fataler, i int) token.Hash {
	w.n++
	id, hash := uuid.New(), token.Sum([]byte("pepper"), fmt.Sprint("key ", w.n, uuid.New()))
	w.exec(t, `INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at) VALUES ($1, $2, $3, 'k', 'live', 'd', $4, $5)`, id, w.orgs[i], w.apps[i], hash[:], began)
	w.keys = append(w.keys, id)
	return hash
}

func (w *world) holder(t *testing.T) *Holder {
	t.Helper()
	return NewHolder(w.db, filepath.Join(t.TempDir(), "view"), slog.New(slog.DiscardHandler), nil)
}

func refresh(t fataler, h *Holder) {
	t.Helper()
	if err := h.Refresh(context.Background()); err != nil {
		t.Fatalf("%v", err)
	}
}

// whole is a view loaded anew.
func (w *world) whole(t fataler) *View {
	t.Helper()
	d, err := Load(context.Background(), w.db)
	if err != nil {
		t.Fatalf("%v", err)
	}
	v, err := Build(d)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return v
}

// changes are statements that may change what gateways decide on. $1 is a row
// of the named list, $2 a name or number that is new.
var changes = map[string]struct {
	of  func(*world) []uuid.UUID
	sql string
}{
	"revoke a key":           {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET revoked_at = '2026-05-02' WHERE id = $1 AND $2 <> ''`},
	"bring a key back":       {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET revoked_at = NULL WHERE id = $1 AND $2 <> ''`},
	"end a key later":        {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET expires_at = '2026-05-02 10:00:00.123456Z' WHERE id = $1 AND $2 <> ''`},
	"a key without end":      {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET expires_at = 'infinity', mode = 'test' WHERE id = $1 AND $2 <> ''`},
	"restrict a key":         {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET scopes = ARRAY['api-0', $2], networks = '{10.0.0.0/8,2001:db8::/32}' WHERE id = $1`},
	"restrict keys alike":    {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET scopes = '{api-1}', networks = '{}' WHERE id = $1 AND $2 <> ''`},
	"free a key":             {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET scopes = '{}', networks = '{}' WHERE id = $1 AND $2 <> ''`},
	"delete a key":           {func(w *world) []uuid.UUID { return w.keys }, `DELETE FROM keys WHERE id = $1 AND $2 <> ''`},
	"another hash":           {func(w *world) []uuid.UUID { return w.keys }, `UPDATE keys SET hash = sha256($2::text::bytea) WHERE id = $1`},
	"revoke all keys":        {func(w *world) []uuid.UUID { return w.keys[:1] }, `UPDATE keys SET revoked_at = '2026-05-02' WHERE id <> $1 AND $2 <> ''`},
	"an invoice is unpaid":   {func(w *world) []uuid.UUID { return w.subs }, `UPDATE subscriptions SET state = 'unpaid' WHERE id = $1 AND $2 <> ''`},
	"a subscription ends":    {func(w *world) []uuid.UUID { return w.subs }, `UPDATE subscriptions SET state = 'ended' WHERE id = $1 AND $2 <> ''`},
	"a subscription goes on": {func(w *world) []uuid.UUID { return w.subs }, `UPDATE subscriptions SET state = 'active' WHERE id = $1 AND $2 <> ''`},
	"a period begins":        {func(w *world) []uuid.UUID { return w.subs }, `UPDATE subscriptions SET period_start = period_end, period_end = period_end + interval '30 days', cancel_at_end = NOT cancel_at_end WHERE id = $1 AND $2 <> ''`},
	"an organization moves":  {func(w *world) []uuid.UUID { return w.orgs }, `UPDATE organizations SET time_zone = CASE time_zone WHEN 'UTC' THEN 'Asia/Tokyo' ELSE 'UTC' END WHERE id = $1 AND $2 <> ''`},
	"override a limit": {func(w *world) []uuid.UUID { return w.subs }, `INSERT INTO limit_overrides (id, org_id, subscription_id, plan_version_id, position, calls, reason, expires_at, created_by, created_at)
		SELECT gen_random_uuid(), org_id, id, plan_version_id, 0, 50 + length($2), 'asked', '2026-06-01', (SELECT id FROM users), '2026-05-01' FROM subscriptions WHERE id = $1
		ON CONFLICT (subscription_id, plan_version_id, position) WHERE revoked_at IS NULL DO UPDATE SET calls = limit_overrides.calls + 1`},
	"end an override":      {func(w *world) []uuid.UUID { return w.subs }, `UPDATE limit_overrides SET revoked_at = '2026-05-03' WHERE subscription_id = $1 AND $2 <> ''`},
	"grant a credit":       {func(w *world) []uuid.UUID { return w.subs }, `INSERT INTO prepaid_credits (id, org_id, subscription_id, calls, reason, granted_at) SELECT gen_random_uuid(), org_id, id, 50 + length($2), 'paid', '2026-05-01' FROM subscriptions WHERE id = $1`},
	"rename an API":        {func(w *world) []uuid.UUID { return w.apis }, `UPDATE apis SET slug = $2, cors = '{"origins": ["https://a.example"]}' WHERE id = $1`},
	"hide an API":          {func(w *world) []uuid.UUID { return w.apis }, `UPDATE apis SET visibility = CASE visibility WHEN 'public' THEN 'private' ELSE 'public' END WHERE id = $1 AND $2 <> ''`},
	"retire a version":     {func(w *world) []uuid.UUID { return w.versions }, `UPDATE api_versions SET lifecycle = 'retired' WHERE id = $1 AND $2 <> ''`},
	"publish a version":    {func(w *world) []uuid.UUID { return w.versions }, `UPDATE api_versions SET lifecycle = 'published' WHERE id = $1 AND $2 <> ''`},
	"move a version":       {func(w *world) []uuid.UUID { return w.versions }, `UPDATE api_versions SET path_prefix = '/' || $2, host = 'h.example' WHERE id = $1`},
	"add an operation":     {func(w *world) []uuid.UUID { return w.versions }, `INSERT INTO operations (id, version_id, slug, position, method, path, detail, search) VALUES (gen_random_uuid(), $1, $2, 1, 'GET', '/' || $2, '{}', '')`},
	"weigh operations":     {func(w *world) []uuid.UUID { return w.versions }, `UPDATE operations SET weight = weight + 1 WHERE version_id = $1 AND $2 <> ''`},
	"take units elsewhere": {func(w *world) []uuid.UUID { return w.versions }, `UPDATE operations SET units_from = 'header:' || $2 WHERE version_id = $1`},
	"drop operations":      {func(w *world) []uuid.UUID { return w.versions }, `DELETE FROM operations WHERE version_id = $1 AND $2 <> ''`},
	"sell no more":         {func(w *world) []uuid.UUID { return w.versions }, `DELETE FROM product_versions WHERE version_id = $1 AND $2 <> ''`},
	"sell elsewhere":       {func(w *world) []uuid.UUID { return w.versions }, `INSERT INTO product_versions SELECT p.id, $1 FROM products p WHERE $2 <> '' ON CONFLICT DO NOTHING`},
	"add a target":         {func(w *world) []uuid.UUID { return w.upstreams }, `INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT $1, m, 1 + coalesce((SELECT max(position) FROM upstream_targets WHERE upstream_id = $1 AND mode = m), 0), 'http://' || $2 || '.example' FROM unnest(ARRAY['live', 'test']) AS m`},
	"weigh targets":        {func(w *world) []uuid.UUID { return w.upstreams }, `UPDATE upstream_targets SET weight = 1 + weight % 1000 WHERE upstream_id = $1 AND $2 <> ''`},
	"drop targets":         {func(w *world) []uuid.UUID { return w.upstreams }, `DELETE FROM upstream_targets WHERE upstream_id = $1 AND position > 0 AND $2 <> ''`},
	"another policy":       {func(w *world) []uuid.UUID { return w.upstreams }, `UPDATE upstreams SET sign_identity = NOT sign_identity, policy = '{"balance": "least_requests"}' WHERE id = $1 AND $2 <> ''`},
	"rename a plan":        {func(w *world) []uuid.UUID { return w.plans }, `UPDATE plans SET name = $2 WHERE id = $1`},
	"open a plan":          {func(w *world) []uuid.UUID { return w.plans }, `UPDATE plans SET sale = CASE sale WHEN 'anonymous' THEN 'self_serve' ELSE 'anonymous' END WHERE id = $1 AND $2 <> ''`},
	"new terms":            {func(w *world) []uuid.UUID { return w.plans }, `INSERT INTO plan_versions (id, plan_id, number, currency, recurring_fee, created_at) SELECT gen_random_uuid(), $1, max(number) + 1, 'usd', length($2), '2026-05-01' FROM plan_versions WHERE plan_id = $1`},
	"rename a product":     {func(w *world) []uuid.UUID { return w.products }, `UPDATE products SET slug = $2 WHERE id = $1`},
	"move the clock":       {func(w *world) []uuid.UUID { return w.orgs }, `UPDATE business_clock SET offset_seconds = offset_seconds + length($2) WHERE $1::uuid IS NOT NULL`},
	"nothing that matters": {func(w *world) []uuid.UUID { return w.orgs }, `UPDATE organizations SET name = $2 WHERE id = $1`},
}

func TestAViewChangedByDeltasIsTheViewLoadedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var deltas int64
	rapid.Check(t, func(rt *rapid.T) {
		h := w.holder(t)
		refresh(rt, h)
		for range rapid.IntRange(1, 4).Draw(rt, "refreshes") {
			tx, err := w.db.Begin(context.Background())
			if err != nil {
				rt.Fatalf("%v", err)
			}
			w.changeSome(rt, tx)
			if rapid.Bool().Draw(rt, "another key") {
				w.newKey(rt, rapid.IntRange(0, 2).Draw(rt, "application"))
			}
			refresh(rt, h)
			same(rt, h.View(), w.whole(rt))
		}
		_, n := h.Loads()
		deltas += n
	})
	if deltas == 0 {
		t.Error("no delta was ever applied")
	}
}

// changeSome makes changes and commits them.
func (w *world) changeSome(t *rapid.T, tx pgx.Tx) {
	defer func() { _ = tx.Rollback(context.Background()) }() // of a failed property: it is run again
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		w.change(t, tx)
	}
	if err := tx.Commit(context.Background()); err != nil {
		t.Fatalf("%v", err)
	}
}

// change makes one change, and sometimes takes it back within the transaction.
func (w *world) change(t *rapid.T, tx pgx.Tx) {
	name := rapid.SampledFrom(names).Draw(t, "change")
	of := changes[name].of(w)
	id := of[rapid.IntRange(0, len(of)-1).Draw(t, "row")]
	w.n++
	ctx := context.Background()
	inner, err := tx.Begin(ctx)
	if err == nil {
		_, err = inner.Exec(ctx, changes[name].sql, id, fmt.Sprint("name-", w.n))
	}
	if err == nil && !rapid.Bool().Draw(t, "kept") {
		err = inner.Rollback(ctx)
	} else if err == nil {
		err = inner.Commit(ctx)
	} else if strings.Contains(err.Error(), "subscriptions_one_per_product") || strings.Contains(err.Error(), "api_versions_") {
		err = inner.Rollback(ctx) // the schema forbids this one
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

var names = func() (out []string) {
	for name := range changes {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}()

func TestWhatGatewaysDoNotDecideOnOpensNoVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.whole(t).Version
	for _, sql := range []string{
		`UPDATE keys SET name = 'other'`, `UPDATE organizations SET name = 'other', billing_email = 'b@example.com'`, `UPDATE subscriptions SET checkout_session_id = 'x'`,
		`UPDATE apis SET name = 'other', summary = 's'`, `UPDATE api_versions SET title = 'other'`, `UPDATE upstreams SET sign_identity = sign_identity`,
		`INSERT INTO sessions (token_hash, data, expires_at) VALUES ('\x01', '\x01', '2027-01-01')`,
		`INSERT INTO key_usage (key_id, org_id, last_used_at, last_status, last_duration_us, last_request_id) SELECT id, org_id, '2026-05-01', 200, 1, gen_random_uuid() FROM keys`,
		`INSERT INTO quota_grants (subscription_id, period_start, granted) SELECT id, period_start, 5 FROM subscriptions`,
		`DELETE FROM keys WHERE false`,
	} {
		w.exec(t, sql)
		if after := w.whole(t).Version; after != before {
			t.Fatalf("%s opened a version", sql)
		}
	}
}

func TestOneTransactionOpensOneVersionAndARolledBackOneNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.whole(t).Version
	tx, err := w.db.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`UPDATE keys SET expires_at = '2027-01-01'`, `SAVEPOINT s`, `UPDATE apis SET visibility = 'private'`, `ROLLBACK TO s`, `UPDATE keys SET expires_at = '2027-01-02'`} {
		if _, err := tx.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	var kinds string
	if err := w.db.QueryRow(context.Background(), `SELECT string_agg(kind, ',') FROM view_changes WHERE version > $1`, before).Scan(&kinds); err != nil {
		t.Fatal(err)
	}
	if after := w.whole(t).Version; after != before+1 || kinds != "key,key,key" {
		t.Errorf("version %d after %d, changes %s", after, before, kinds)
	}
	tx, err = w.db.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), `UPDATE keys SET expires_at = NULL`); err != nil {
		t.Fatal(err)
	}
	_ = tx.Rollback(context.Background())
	if after := w.whole(t).Version; after != before+1 {
		t.Error("a transaction that was rolled back opened a version")
	}
}

func TestAGapInTheLogIsFilledByAWholeLoad(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]string{
		"log was pruned":     `WITH d AS (DELETE FROM view_changes) UPDATE view_version SET log_from = version`,
		"too much at once":   `INSERT INTO view_changes SELECT version, 'all', '00000000-0000-0000-0000-000000000000' FROM view_version`,
		"database went back": `UPDATE view_version SET version = version - 10`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			h := w.holder(t)
			refresh(t, h)
			hash := w.newKey(t, 0)
			w.exec(t, cut)
			refresh(t, h)
			if whole, deltas := h.Loads(); whole != 2 || deltas != 0 || h.View().Lookup(hash) == nil {
				t.Errorf("%d whole loads and %d deltas", whole, deltas)
			}
			same(t, h.View(), w.whole(t))
		})
	}
}

func TestTheLogKeepsItsLastHundredThousandRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(t, `INSERT INTO view_changes SELECT n / 1000, 'key', gen_random_uuid() FROM generate_series(0, 149999) AS n`)
	w.exec(t, `UPDATE view_version SET version = 1023`)
	h := w.holder(t)
	refresh(t, h)
	w.newKey(t, 0) // opens version 1024
	var rows, from int64
	if err := w.db.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM view_changes WHERE version <> 1024), log_from FROM view_version`).Scan(&rows, &from); err != nil {
		t.Fatal(err)
	}
	if rows > 100_000 || rows < 98_000 || from < 48 {
		t.Errorf("%d rows are left, from version %d on", rows, from)
	}
	refresh(t, h)
	if _, deltas := h.Loads(); deltas != 1 {
		t.Error("a gateway that is up to date had to load all")
	}
}

func TestInvalidRoutesAreRefusedWholeAndDoNotHoldUpRevocations(t *testing.T) {
	t.Parallel()
	for name, push := range map[string]string{
		"an upstream that is no address": `UPDATE upstream_targets SET url = 'file:///etc' WHERE upstream_id = $1`,
		"a version without upstream":     `DELETE FROM upstream_targets WHERE upstream_id = $1`,
		"settings that cannot be read":   `UPDATE upstreams SET policy = '{"balance": 7}' WHERE id = $1`,
		"settings out of range":          `UPDATE upstreams SET policy = '{"retry": {"attempts": 1000}}' WHERE id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			h := w.holder(t)
			refresh(t, h)
			hash := w.newKey(t, 0)
			refresh(t, h)
			w.exec(t, push, w.upstreams[0])
			w.exec(t, `UPDATE apis SET slug = 'renamed' WHERE id = $1`, w.apis[1])
			w.exec(t, `UPDATE keys SET revoked_at = '2026-05-02'`)
			if h.Refresh(context.Background()) == nil || h.Err() == nil {
				t.Error("the bad push was not told")
			}
			if h.View().Lookup(hash) != nil {
				t.Error("a revoked key is still known")
			}
			for i, api := range []string{"api-0", "api-1", "api-2"} {
				if r, _ := h.View().Route("", fmt.Sprint("/v", i)); r == nil || r.API != api || r.LiveGroup.Status(began)[0].URL != "http://u.example" {
					t.Errorf("route of %s: %+v", api, r)
				}
			}
			if h.Refresh(context.Background()) == nil {
				t.Error("the refusal is forgotten though nothing has changed")
			}
			w.exec(t, `DELETE FROM upstream_targets WHERE upstream_id = $1`, w.upstreams[0])
			w.exec(t, `INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 0, 'http://mended.example')`, w.upstreams[0])
			w.exec(t, `UPDATE upstreams SET policy = '{}'`)
			refresh(t, h)
			same(t, h.View(), w.whole(t))
		})
	}
}

func TestAGatewayStartsFromItsCopyAndAsksForWhatChangedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.holder(t)
	refresh(t, h)
	h.copy.finish()
	hash := w.newKey(t, 1)
	again := NewHolder(w.db, h.copy.file, slog.New(slog.DiscardHandler), nil)
	if again.View() == nil || again.View().Version != h.View().Version {
		t.Fatal("the copy was not taken")
	}
	refresh(t, again)
	if _, deltas := again.Loads(); deltas != 1 || again.View().Lookup(hash) == nil {
		t.Errorf("%d deltas", deltas)
	}
	same(t, again.View(), w.whole(t))
}

func TestTheStateOfTargetsOutlivesViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.holder(t)
	refresh(t, h)
	r, _ := h.View().Route("", "/v0")
	w.exec(t, `INSERT INTO upstream_targets (upstream_id, mode, position, url) VALUES ($1, 'live', 1, 'http://second.example')`, w.upstreams[0])
	refresh(t, h)
	after, _ := h.View().Route("", "/v0")
	if after.LiveGroup != r.LiveGroup || len(after.LiveGroup.Status(time.Time{})) != 2 {
		t.Error("another target made another group")
	}
	w.exec(t, `UPDATE api_versions SET lifecycle = 'retired' WHERE id = $1`, w.versions[0])
	refresh(t, h)
	if len(h.Groups().All()) != 2 {
		t.Errorf("%d groups for two routes", len(h.Groups().All()))
	}
}
