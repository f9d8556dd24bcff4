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
  ADD COLUMN burst bigint NOT NULL DEFAULT 0 CHECK (burst >= 0), -- of the buckets; 0: calls
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
  ADD COLUMN networks cidr[] NOT NULL DEFAULT '{}'; -- addresses that it may be used from; none: all

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
  ADD COLUMN policy jsonb NOT NULL DEFAULT '{}'; -- balance, health, breaker, timeouts, retries
ALTER TABLE apis ADD COLUMN cors jsonb NOT NULL DEFAULT '{}';
ALTER TABLE gateways ADD COLUMN parts jsonb NOT NULL DEFAULT '[]'; -- health by part and by target, as last reported

-- What gateways must know, change by change ---------------------------------------

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
  IF to_regclass(part) IS NOT NULL THEN
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

-- Who may see what ------------------------------------------------------------------

ALTER TABLE limit_overrides ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON limit_overrides FOR SELECT TO tollgate_app USING (org_id = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON limit_overrides TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE INSERT, UPDATE, DELETE ON limit_overrides, upstream_targets FROM tollgate_app;
