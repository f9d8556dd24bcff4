package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"tollgate/internal/upstream"
)

// manyChanges is from how many changed rows on loading all is cheaper.
const manyChanges = 20_000

// loaded is what was read at one moment: all rows, or what changed.
type loaded struct {
	all   *Data
	delta *Delta
}

// read reads what changed after a version of the view, everything if that is
// not known or too much, and nothing if it is the newest. since 0 reads
// everything; with are versions to read again beside those that changed.
func read(ctx context.Context, pool *pgxpool.Pool, since int64, with []uuid.UUID) (out loaded, err error) {
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, pool, opts, func(tx pgx.Tx) error {
		var version, logged, offset int64
		err := tx.QueryRow(ctx, `SELECT version, log_from, (SELECT offset_seconds FROM business_clock) FROM view_version`).Scan(&version, &logged, &offset)
		if err != nil || version == since {
			return err
		}
		d := Data{Version: version, ClockOffset: time.Duration(offset) * time.Second}
		if since > logged && since < version {
			delta := &Delta{Data: d}
			if enough, err := delta.readIDs(ctx, tx, since); err != nil {
				return err
			} else if enough {
				delta.VersionIDs = ids(append(delta.VersionIDs, with...))
				out.delta = delta
				return delta.readRows(ctx, tx)
			}
		}
		out.all = &d
		return d.readAll(ctx, tx)
	})
	if err != nil {
		return loaded{}, fmt.Errorf("load the gateway's view: %w", explain(err))
	}
	return out, nil
}

// ErrOlder says that the database has not been migrated for this program.
var ErrOlder = errors.New("the database lacks migrations that this gateway needs: run “portal migrate”, the gateway goes on by itself then")

// explain recognizes that something of the schema is missing.
func explain(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && slices.Contains([]string{"42P01", "42703", "22023"}, pg.Code) { // a table, a column, the role to connect in
		return fmt.Errorf("%w (%w)", ErrOlder, err)
	}
	return err
}

// Load reads the whole view as of one moment.
func Load(ctx context.Context, pool *pgxpool.Pool) (*Data, error) {
	out, err := read(ctx, pool, 0, nil)
	return out.all, err
}

// readIDs reads which rows changed; false when that is not told or too much.
func (d *Delta) readIDs(ctx context.Context, tx pgx.Tx, since int64) (bool, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT kind, id FROM view_changes WHERE version > $1 LIMIT $2`, since, manyChanges+1)
	if err != nil {
		return false, err
	}
	var kind string
	var id uuid.UUID
	known, n := true, 0
	_, err = pgx.ForEachRow(rows, []any{&kind, &id}, func() error {
		n++
		switch kind {
		case "key":
			d.KeyIDs = append(d.KeyIDs, id)
		case "subscription":
			d.SubscriptionIDs = append(d.SubscriptionIDs, id)
		case "version":
			d.VersionIDs = append(d.VersionIDs, id)
		case "plan":
			d.PlanIDs = append(d.PlanIDs, id)
		case "clock":
		default:
			known = false
		}
		return nil
	})
	return known && n <= manyChanges, err
}

func (d *Delta) readRows(ctx context.Context, tx pgx.Tx) error {
	for _, part := range []struct {
		ids  []uuid.UUID
		read func(context.Context, pgx.Tx, filter) error
	}{{d.KeyIDs, d.readKeys}, {d.VersionIDs, d.readVersions}, {d.PlanIDs, d.readPlans}, {d.SubscriptionIDs, d.readSubscriptions}} {
		if len(part.ids) == 0 {
			continue
		}
		if err := part.read(ctx, tx, filter{part.ids}); err != nil {
			return err
		}
	}
	return nil
}

func (d *Data) readAll(ctx context.Context, tx pgx.Tx) error {
	for _, read := range []func(context.Context, pgx.Tx, filter) error{d.readKeys, d.readVersions, d.readPlans, d.readSubscriptions} {
		if err := read(ctx, tx, filter{}); err != nil {
			return err
		}
	}
	return nil
}

// filter restricts a query to some ids; nil: none.
type filter struct{ ids []uuid.UUID }

// on completes a query whose WHERE has begun.
func (f filter) on(column string) string {
	if f.ids == nil {
		return ""
	}
	return " AND " + column + " = ANY($1)"
}

func (f filter) args() []any {
	if f.ids == nil {
		return nil
	}
	return []any{f.ids}
}

const served = ` JOIN api_versions v ON v.id = x.version_id WHERE v.lifecycle IN ('published', 'deprecated')`

func (d *Data) readVersions(ctx context.Context, tx pgx.Tx, f filter) error {
	rows, err := tx.Query(ctx, `
		SELECT v.id, a.slug, v.host, v.path_prefix, u.sign_identity, a.visibility = 'private', u.id, u.policy::text, a.cors::text
		FROM api_versions v JOIN apis a ON a.id = v.api_id JOIN upstreams u ON u.id = v.upstream_id
		WHERE v.lifecycle IN ('published', 'deprecated')`+f.on("v.id")+` ORDER BY v.id`, f.args()...)
	if err != nil {
		return err
	}
	if d.Versions, err = pgx.CollectRows(rows, scanVersion); err != nil {
		return err
	}
	at := make(map[uuid.UUID]*Version, len(d.Versions))
	for i := range d.Versions {
		at[d.Versions[i].ID] = &d.Versions[i]
	}
	var id, product uuid.UUID
	var mode string
	var t upstream.Target
	if err := each(ctx, tx, f, `SELECT v.id, t.mode, t.url, t.weight FROM upstream_targets t JOIN api_versions v ON v.upstream_id = t.upstream_id
		WHERE v.lifecycle IN ('published', 'deprecated')`+f.on("v.id")+` ORDER BY v.id, t.mode, t.position`, []any{&id, &mode, &t.URL, &t.Weight}, func() {
		if mode == "test" {
			at[id].TestTargets = append(at[id].TestTargets, t)
		} else {
			at[id].LiveTargets = append(at[id].LiveTargets, t)
		}
	}); err != nil {
		return err
	}
	if err := each(ctx, tx, f, `SELECT x.version_id, x.product_id FROM product_versions x`+served+f.on("x.version_id")+` ORDER BY x.version_id, x.product_id`,
		[]any{&id, &product}, func() { at[id].Products = append(at[id].Products, product) }); err != nil {
		return err
	}
	var o Operation
	return each(ctx, tx, f, `SELECT x.id, x.version_id, x.slug, x.method, x.path, x.weight, x.units_from FROM operations x`+served+f.on("x.version_id")+` ORDER BY x.version_id, x.position, x.id`,
		[]any{&o.ID, &o.Version, &o.Slug, &o.Method, &o.Path, &o.Weight, &o.UnitsFrom}, func() { at[o.Version].Operations = append(at[o.Version].Operations, o) })
}

// each runs a query and calls visit after scanning each row into into.
func each(ctx context.Context, tx pgx.Tx, f filter, sql string, into []any, visit func()) error {
	rows, err := tx.Query(ctx, sql, f.args()...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, into, func() error { visit(); return nil })
	return err
}

// scanVersion reads a version; settings that cannot be read are its fault, to be
// reported with its other faults.
func scanVersion(row pgx.CollectableRow) (v Version, err error) {
	var policy, cors string
	err = row.Scan(&v.ID, &v.API, &v.Host, &v.PathPrefix, &v.SignIdentity, &v.Private, &v.Upstream, &policy, &cors)
	if err != nil {
		return v, err
	}
	for text, into := range map[string]any{policy: &v.Policy, cors: &v.CORS} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			v.fault = err.Error()
		}
	}
	return v, nil
}

func (d *Data) readPlans(ctx context.Context, tx pgx.Tx, f filter) error {
	rows, err := tx.Query(ctx, `
		SELECT pv.id, p.id, p.product_id, p.name, r.slug, pv.number, p.position, p.sale = 'anonymous', pv.billed_classes
		FROM plan_versions pv JOIN plans p ON p.id = pv.plan_id JOIN products r ON r.id = p.product_id
		WHERE true`+f.on("pv.id"), f.args()...)
	if err != nil {
		return err
	}
	d.Plans, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Terms, err error) {
		return t, row.Scan(&t.ID, &t.Plan, &t.Product, &t.Name, &t.ProductSlug, &t.Number, &t.Order, &t.Anonymous, &t.Billed)
	})
	if err != nil {
		return err
	}
	at := make(map[uuid.UUID]*Terms, len(d.Plans))
	for i := range d.Plans {
		at[d.Plans[i].ID] = &d.Plans[i]
	}
	rows, err = tx.Query(ctx, `
		SELECT plan_version_id, position, kind, calls, window_seconds, hard, algorithm, scope, operation, burst, calendar_month, prepaid, adapt
		FROM plan_limits WHERE true`+f.on("plan_version_id")+` ORDER BY plan_version_id, position`, f.args()...)
	if err != nil {
		return err
	}
	limits, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Limit])
	for _, l := range limits {
		at[l.Plan].Limits = append(at[l.Plan].Limits, l)
	}
	return err
}

func (d *Data) readSubscriptions(ctx context.Context, tx pgx.Tx, f filter) error {
	rows, err := tx.Query(ctx, `
		SELECT s.id, s.org_id, s.application_id, s.product_id, s.plan_version_id, s.state, s.period_start, s.period_end, s.anchor_day, o.time_zone, s.cancel_at_end
		FROM subscriptions s JOIN organizations o ON o.id = s.org_id
		WHERE s.state IN ('active', 'unpaid')`+f.on("s.id"), f.args()...)
	if err != nil {
		return err
	}
	d.Subscriptions, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Subscription, err error) {
		return s, row.Scan(&s.ID, &s.Org, &s.Application, &s.Product, &s.PlanVersion, &s.State, &s.PeriodStart, &s.PeriodEnd, &s.AnchorDay, &s.TimeZone, &s.CancelAtEnd)
	})
	if err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `
		SELECT o.subscription_id, o.plan_version_id, o.position, o.calls, o.burst, o.expires_at
		FROM limit_overrides o JOIN subscriptions s ON s.id = o.subscription_id
		WHERE o.revoked_at IS NULL AND s.state IN ('active', 'unpaid')`+f.on("o.subscription_id")+` ORDER BY o.subscription_id, o.plan_version_id, o.position`, f.args()...)
	if err != nil {
		return err
	}
	overrides, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Override])
	bySubscription := map[uuid.UUID][]Override{}
	for _, o := range overrides {
		bySubscription[o.Subscription] = append(bySubscription[o.Subscription], o)
	}
	if err != nil {
		return err
	}
	credits := map[uuid.UUID]int64{}
	var id uuid.UUID
	var calls int64
	if err := each(ctx, tx, f, `SELECT c.subscription_id, sum(c.calls)::bigint FROM prepaid_credits c JOIN subscriptions s ON s.id = c.subscription_id
		WHERE s.state IN ('active', 'unpaid')`+f.on("c.subscription_id")+` GROUP BY c.subscription_id`, []any{&id, &calls}, func() { credits[id] = calls }); err != nil {
		return err
	}
	for i := range d.Subscriptions {
		s := &d.Subscriptions[i]
		s.Overrides, s.Credits = bySubscription[s.ID], credits[s.ID]
	}
	return nil
}
