-- The gateway engine: limits of every kind, changes told one by one, several
-- targets per upstream, raw calls in daily partitions, more meters.

-- +goose Up

-- Limits ----------------------------------------------------------------------

ALTER TABLE plan_limits
  DROP CONSTRAINT plan_limits_kind_check,
  ADD CONSTRAINT plan_limits_kind_check CHECK (kind IN ('rate', 'quota', 'concurrency')),
  ADD COLUMN algorithm text NOT NULL DEFAULT 'fixed_window' CHECK (algorithm IN ('fixed_window', 'sliding_window', 'sliding_log', 'token_bucket', 'leaky_bucket')),
  ADD COLUMN scope text NOT NULL DEFAULT 'application' CHECK (scope IN ('application', 'key', 'ip', 'organization', 'operation')),
  ADD COLUMN operation text NOT NULL DEFAULT '', -- method and path template; empty: every operation
  ADD COLUMN burst bigint NOT NULL DEFAULT 0 CHECK (burst >= 0), -- of the buckets; 0: a token bucket holds as many as calls, a leaky one lets none run ahead
  ADD COLUMN calendar_month boolean NOT NULL DEFAULT false, -- of a quota: the calendar month in the organization's zone, not the billing period
  ADD COLUMN adapt jsonb NOT NULL DEFAULT '{}'; -- schedule, surge, shrink

-- An anonymous plan is subscribed to by nobody: it is for calls without a key.
ALTER TABLE plans
  DROP CONSTRAINT plans_sale_check,
  ADD CONSTRAINT plans_sale_check CHECK (sale IN ('self_serve', 'on_request', 'anonymous'));

CREATE TABLE limit_overrides ( -- another amount for one customer, for a while
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  subscription_id uuid NOT NULL REFERENCES subscriptions,
  plan_version_id uuid NOT NULL,
  position int NOT NULL, -- of the limit
  calls bigint NOT NULL CHECK (calls > 0),
  burst bigint NOT NULL DEFAULT 0 CHECK (burst >= 0),
  reason text NOT NULL CHECK (reason <> ''),
  expires_at timestamptz NOT NULL,
  created_by uuid NOT NULL REFERENCES users,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz,
  FOREIGN KEY (plan_version_id, position) REFERENCES plan_limits
);
CREATE UNIQUE INDEX limit_overrides_one ON limit_overrides (subscription_id, plan_version_id, position) WHERE revoked_at IS NULL;
CREATE INDEX limit_overrides_org ON limit_overrides (org_id);

-- Keys ------------------------------------------------------------------------

ALTER TABLE keys
  ADD COLUMN scopes text[] NOT NULL DEFAULT '{}', -- APIs ("shop") and operations ("shop/list-things") that it may call; none: all
  ADD COLUMN networks cidr[] NOT NULL DEFAULT '{}', -- addresses that it may be used from; none: all
  ADD COLUMN replaced boolean NOT NULL DEFAULT false; -- rotated: expires_at is the end of the overlap
UPDATE keys SET replaced = true WHERE expires_at IS NOT NULL; -- until now only rotation let keys expire

-- Upstreams -------------------------------------------------------------------

CREATE TABLE upstream_targets (
  upstream_id uuid NOT NULL REFERENCES upstreams,
  mode text NOT NULL CHECK (mode IN ('live', 'test')), -- without a test target test calls are refused
  position int NOT NULL,
  url text NOT NULL CHECK (url <> ''),
  weight int NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
  PRIMARY KEY (upstream_id, mode, position)
);
INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT id, 'live', 0, live_url FROM upstreams;
INSERT INTO upstream_targets (upstream_id, mode, position, url) SELECT id, 'test', 0, test_url FROM upstreams WHERE test_url <> '';
ALTER TABLE upstreams
  DROP COLUMN live_url,
  DROP COLUMN test_url,
  ADD COLUMN policy jsonb NOT NULL DEFAULT '{}'; -- balance, health, breaker, timeouts, retries
ALTER TABLE apis ADD COLUMN cors jsonb NOT NULL DEFAULT '{}';
ALTER TABLE gateways ADD COLUMN parts jsonb NOT NULL DEFAULT '[]'; -- health by part and by target, as last reported

-- What gateways must know, change by change ---------------------------------------

ALTER TABLE view_version
  ADD COLUMN log_from bigint NOT NULL DEFAULT 0; -- view_changes is complete for the versions after this one
UPDATE view_version SET log_from = version;

-- What changed under each version of the view. A gateway reads what is newer
-- than its own view and asks for those rows; one that is not there is gone.
CREATE TABLE view_changes (
  version bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('key', 'subscription', 'version', 'plan', 'clock', 'all')), -- all: too much to tell one by one
  id uuid NOT NULL,
  PRIMARY KEY (version, kind, id)
);

-- Opens a version of the view for this transaction, once, and tells listeners.
-- The row's lock makes such transactions commit in the order of their versions.
-- The log keeps about its last 100,000 rows.
-- +goose StatementBegin
CREATE FUNCTION open_view_version() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  opened bigint;
  floor bigint;
BEGIN
  UPDATE view_version SET version = version + 1, bumped_by = txid_current() WHERE bumped_by <> txid_current() RETURNING version INTO opened;
  IF opened IS NULL THEN
    SELECT version INTO opened FROM view_version;
    RETURN opened;
  END IF;
  PERFORM pg_notify('tollgate_view', '');
  IF opened % 256 = 0 THEN
    SELECT version INTO floor FROM view_changes ORDER BY version DESC OFFSET 100000 LIMIT 1;
    IF floor IS NOT NULL THEN
      DELETE FROM view_changes WHERE version <= floor;
      UPDATE view_version SET log_from = floor;
    END IF;
  END IF;
  RETURN opened;
END $$;
-- +goose StatementEnd

-- Notes what a statement changed. Arguments: the kind; the columns that matter;
-- a query of the ids over "changed", the rows in which one of them is different.
-- +goose StatementBegin
CREATE FUNCTION note_view_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  changed text;
  ids uuid[];
BEGIN
  changed := format(CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT %1$s FROM new_rows'
    WHEN 'DELETE' THEN 'SELECT %1$s FROM old_rows'
    ELSE '(SELECT %1$s FROM new_rows EXCEPT SELECT %1$s FROM old_rows) UNION (SELECT %1$s FROM old_rows EXCEPT SELECT %1$s FROM new_rows)' END, TG_ARGV[1]);
  EXECUTE format('WITH changed AS (%s) SELECT array_agg(DISTINCT i) FROM (%s) AS ids(i)', changed, TG_ARGV[2]) INTO ids;
  IF ids IS NULL THEN
    RETURN NULL;
  END IF;
  IF cardinality(ids) > 10000 THEN
    INSERT INTO view_changes VALUES (open_view_version(), 'all', '00000000-0000-0000-0000-000000000000') ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO view_changes SELECT opened, TG_ARGV[0], i FROM open_view_version() AS opened, unnest(ids) AS i ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd

-- Sessions, last uses and leases are not among these: they change nothing that
-- gateways decide on.
-- +goose StatementBegin
DO $$
DECLARE
  t record;
  own text := 'SELECT id FROM changed';
  of_upstream text := 'SELECT v.id FROM api_versions v JOIN changed c ON c.upstream_id = v.upstream_id';
BEGIN
  FOR t IN SELECT * FROM (VALUES
    ('keys', 'key', 'id, org_id, application_id, mode, hash, expires_at, revoked_at, scopes, networks', own),
    ('subscriptions', 'subscription', 'id, org_id, application_id, plan_version_id, product_id, state, anchor_day, period_start, period_end, cancel_at_end', own),
    ('limit_overrides', 'subscription', 'id, subscription_id, plan_version_id, position, calls, burst, expires_at, revoked_at', 'SELECT subscription_id FROM changed'),
    ('organizations', 'subscription', 'id, time_zone', 'SELECT s.id FROM subscriptions s JOIN changed c ON c.id = s.org_id WHERE s.state IN (''active'', ''unpaid'')'),
    ('apis', 'version', 'id, slug, visibility, cors', 'SELECT v.id FROM api_versions v JOIN changed c ON c.id = v.api_id'),
    ('api_versions', 'version', 'id, api_id, lifecycle, host, path_prefix, upstream_id', own),
    ('operations', 'version', 'id, version_id, slug, method, path, weight, units_from', 'SELECT version_id FROM changed'),
    ('upstreams', 'version', 'id AS upstream_id, sign_identity, policy', of_upstream),
    ('upstream_targets', 'version', 'upstream_id, mode, position, url, weight', of_upstream),
    ('product_versions', 'version', 'product_id, version_id', 'SELECT version_id FROM changed'),
    ('plan_versions', 'plan', 'id, plan_id', own),
    ('plan_limits', 'plan', 'plan_version_id, position', 'SELECT plan_version_id FROM changed'),
    ('plans', 'plan', 'id, product_id, name, sale, position', 'SELECT p.id FROM plan_versions p JOIN changed c ON c.id = p.plan_id'),
    ('products', 'plan', 'id, slug', 'SELECT v.id FROM plan_versions v JOIN plans p ON p.id = v.plan_id JOIN changed c ON c.id = p.product_id'),
    ('business_clock', 'clock', 'offset_seconds', 'SELECT ''00000000-0000-0000-0000-000000000000''::uuid FROM changed')
  ) AS t(name, kind, columns, ids) LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS view ON %I', t.name);
    EXECUTE format('CREATE TRIGGER view_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_view_changes(%L, %L, %L)', t.name, t.kind, t.columns, t.ids);
    EXECUTE format('CREATE TRIGGER view_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_view_changes(%L, %L, %L)', t.name, t.kind, t.columns, t.ids);
    EXECUTE format('CREATE TRIGGER view_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_view_changes(%L, %L, %L)', t.name, t.kind, t.columns, t.ids);
  END LOOP;
END $$;
-- +goose StatementEnd
DROP FUNCTION bump_view_version();

REVOKE ALL ON view_changes FROM tollgate_app, tollgate_staff;
GRANT SELECT ON view_changes TO tollgate_staff;

-- Usage -----------------------------------------------------------------------

-- Single calls live in partitions, one per UTC day, so that a day goes without a
-- scan. There is no default partition: a row of a day that nobody prepared is an
-- error that the shipper answers by preparing it.
ALTER TABLE usage_events RENAME TO usage_events_whole;
ALTER INDEX usage_events_pkey RENAME TO usage_events_whole_pkey;
ALTER INDEX usage_events_subscription RENAME TO usage_events_whole_subscription;
ALTER INDEX usage_events_org RENAME TO usage_events_whole_org;
CREATE TABLE usage_events (LIKE usage_events_whole INCLUDING COMMENTS, PRIMARY KEY (request_id, at)) PARTITION BY RANGE (at);
CREATE INDEX usage_events_subscription ON usage_events (subscription_id, at);
CREATE INDEX usage_events_org ON usage_events (org_id, at DESC);

-- A day's partition is made apart and then attached: neither calls that are
-- being stored nor readers wait for it. It is read through its parent alone,
-- whose row-level security holds: it has no policy and grants nothing.
-- +goose StatementBegin
CREATE FUNCTION usage_events_add_day(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  part text := 'usage_events_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass(part) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('usage_events_add_day', 0));
  -- asked of the table: names that were looked up before are remembered
  IF EXISTS (SELECT FROM pg_class WHERE relname = part AND relnamespace = 'public'::regnamespace) THEN
    RETURN; -- another gateway was faster
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE usage_events INCLUDING DEFAULTS INCLUDING INDEXES)', part);
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
  EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, tollgate_app, tollgate_staff', part);
  EXECUTE format('ALTER TABLE usage_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
    day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;

-- Drops a day's calls and notes it. Whoever asks has stored what invoices need.
CREATE FUNCTION usage_events_drop_day(day date, noted_at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  part text := 'usage_events_' || to_char(day, 'YYYYMMDD');
BEGIN
  SET LOCAL lock_timeout = '2s'; -- shipping waits for as long as this waits
  IF to_regclass(part) IS NOT NULL THEN
    EXECUTE format('DROP TABLE %I', part);
    INSERT INTO usage_dropped_days VALUES (day, noted_at) ON CONFLICT DO NOTHING;
  END IF;
END $$;

-- The days whose calls are stored singly, oldest first.
CREATE FUNCTION usage_events_days() RETURNS SETOF date LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT to_date(right(c.relname, 8), 'YYYYMMDD') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'usage_events'::regclass ORDER BY 1
$$;

DO $$
DECLARE
  d date;
BEGIN
  FOR d IN SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM usage_events_whole LOOP
    PERFORM usage_events_add_day(d);
  END LOOP;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION usage_events_add_day, usage_events_drop_day, usage_events_days FROM PUBLIC, tollgate_app;
INSERT INTO usage_events SELECT * FROM usage_events_whole;
DROP TABLE usage_events_whole;

ALTER TABLE usage_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON usage_events FOR SELECT TO tollgate_app USING (org_id = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON usage_events TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE INSERT, UPDATE, DELETE ON usage_events FROM tollgate_app;

CREATE TABLE usage_dropped_days ( -- days whose single calls are gone
  day date PRIMARY KEY,
  dropped_at timestamptz NOT NULL
);
REVOKE INSERT, UPDATE, DELETE ON usage_dropped_days FROM tollgate_app;

CREATE TABLE usage_kept ( -- what an invoice line counted on a day, once the day's single calls may go
  line_id uuid NOT NULL REFERENCES invoice_lines ON DELETE CASCADE,
  org_id uuid NOT NULL REFERENCES organizations,
  day date NOT NULL, -- UTC
  version_id uuid NOT NULL,
  key_id uuid NOT NULL,
  calls bigint NOT NULL,
  quantity bigint NOT NULL, -- on the line's meter
  hash text NOT NULL, -- SHA-256 over the request ids in order, as the line's own
  PRIMARY KEY (line_id, day, version_id, key_id)
);
CREATE INDEX usage_kept_org ON usage_kept (org_id);
ALTER TABLE usage_kept ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON usage_kept FOR SELECT TO tollgate_app USING (org_id = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON usage_kept TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE INSERT, UPDATE, DELETE ON usage_kept FROM tollgate_app;

-- Meters ----------------------------------------------------------------------

ALTER TABLE price_components
  DROP CONSTRAINT price_components_meter_check,
  ADD CONSTRAINT price_components_meter_check CHECK (meter IN ('requests', 'units', 'bytes_in', 'bytes_out', 'bytes', 'duration'));
ALTER TABLE plan_versions
  ADD COLUMN billed_classes smallint[] NOT NULL DEFAULT '{2,3,4}' CHECK (billed_classes <@ '{1,2,3,4,5}'); -- of answers' status
ALTER TABLE operations
  ADD COLUMN units_from text NOT NULL DEFAULT '' CHECK (units_from ~ '^(|header:[A-Za-z0-9-]+|json:.+)$'); -- where an answer says its units; empty: weight

CREATE TABLE usage_kept_periods ( -- what was counted of a billing period on a day, once the day's single calls are gone
  subscription_id uuid NOT NULL,
  period_start timestamptz NOT NULL,
  org_id uuid NOT NULL,
  day date NOT NULL, -- UTC
  received bigint NOT NULL,
  billable bigint NOT NULL,
  test bigint NOT NULL,
  unanswered bigint NOT NULL,
  PRIMARY KEY (subscription_id, period_start, day)
);
ALTER TABLE usage_kept_periods ENABLE ROW LEVEL SECURITY;
CREATE POLICY staff ON usage_kept_periods TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE ALL ON usage_kept_periods FROM tollgate_app;

-- Every meter can be rated from the hours: what is billed of each is added up apart.
ALTER TABLE usage_hourly
  ADD COLUMN billable_bytes_in bigint NOT NULL DEFAULT 0,
  ADD COLUMN billable_bytes_out bigint NOT NULL DEFAULT 0,
  ADD COLUMN billable_ms bigint NOT NULL DEFAULT 0, -- whole milliseconds of each call, rounded up
  SET (fillfactor = 70); -- its rows are added to again and again
ALTER TABLE key_usage SET (fillfactor = 70);
UPDATE usage_hourly u SET billable_bytes_in = e.bytes_in, billable_bytes_out = e.bytes_out, billable_ms = e.ms
FROM (
  SELECT subscription_id, date_trunc('hour', at, 'UTC') AS hour, key_id, operation_id, mode, status,
    sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out, sum((duration_us + 999) / 1000) AS ms
  FROM usage_events WHERE billable GROUP BY 1, 2, 3, 4, 5, 6) e
WHERE (u.subscription_id, u.hour, u.key_id, u.operation_id, u.mode, u.status) = (e.subscription_id, e.hour, e.key_id, e.operation_id, e.mode, e.status);

-- Quota leases ------------------------------------------------------------------

-- A gateway stops spending a lease before it expires and gives back what is
-- left of it. What a gateway never gave back counts as spent until its spool is
-- shipped or an operator writes the lease off.
ALTER TABLE quota_leases
  DROP CONSTRAINT quota_leases_granted_check,
  ADD CONSTRAINT quota_leases_granted_check CHECK (granted >= 0), -- all of it may be given back
  ADD COLUMN period_end timestamptz NOT NULL DEFAULT 'infinity',
  ADD COLUMN expires_at timestamptz, -- real time
  ADD COLUMN written_off_at timestamptz, -- real time
  ADD COLUMN late bigint NOT NULL DEFAULT 0; -- calls that were metered after it was written off
UPDATE quota_leases SET expires_at = taken_at + interval '1 hour';
ALTER TABLE quota_leases
  ALTER COLUMN expires_at SET NOT NULL,
  ALTER COLUMN period_end DROP DEFAULT;
CREATE INDEX quota_leases_expiry ON quota_leases (expires_at) WHERE NOT settled;
CREATE INDEX quota_leases_late ON quota_leases (written_off_at) WHERE written_off_at IS NOT NULL;

-- Who may see what ------------------------------------------------------------------

ALTER TABLE limit_overrides ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON limit_overrides FOR SELECT TO tollgate_app USING (org_id = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON limit_overrides TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE INSERT, UPDATE, DELETE ON limit_overrides, upstream_targets FROM tollgate_app;
