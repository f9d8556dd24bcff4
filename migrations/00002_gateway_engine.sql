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

-- Meters ----------------------------------------------------------------------

-- Quota leases ------------------------------------------------------------------

-- Who may see what ------------------------------------------------------------------

ALTER TABLE limit_overrides ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON limit_overrides FOR SELECT TO tollgate_app USING (org_id = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON limit_overrides TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE INSERT, UPDATE, DELETE ON limit_overrides, upstream_targets FROM tollgate_app;
