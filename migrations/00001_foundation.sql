-- Everything the first paid invoice needs. Two rules hold throughout:
-- ids are UUIDv7 made by the programs, and every table with an org_id has
-- row-level security for the app role.

-- +goose Up

-- +goose StatementBegin
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tollgate_app') THEN
    CREATE ROLE tollgate_app NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tollgate_staff') THEN
    CREATE ROLE tollgate_staff NOLOGIN;
  END IF;
  EXECUTE format('GRANT tollgate_app, tollgate_staff TO %I', current_user);
END $$;
-- +goose StatementEnd

CREATE EXTENSION IF NOT EXISTS pg_trgm;

GRANT USAGE ON SCHEMA public TO tollgate_app, tollgate_staff;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tollgate_app, tollgate_staff;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO tollgate_app, tollgate_staff;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT EXECUTE ON FUNCTIONS TO tollgate_app, tollgate_staff;

-- One row: how far business time runs ahead of real time. Only the owner may
-- move it, and a program follows it only when told to (demo and tests).
CREATE TABLE business_clock (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  offset_seconds bigint NOT NULL DEFAULT 0 CHECK (offset_seconds >= 0)
);
INSERT INTO business_clock DEFAULT VALUES;
REVOKE INSERT, UPDATE, DELETE ON business_clock FROM tollgate_app, tollgate_staff;

-- Marks a database that holds sample accounts, so that no production program serves it.
CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  demo boolean NOT NULL DEFAULT false,
  pepper_check bytea -- HMAC of a constant under the key pepper: a changed pepper is noticed at start
);
INSERT INTO installation DEFAULT VALUES;
REVOKE INSERT, DELETE ON installation FROM tollgate_app, tollgate_staff;

-- Accounts ------------------------------------------------------------------

CREATE TABLE organizations (
  id uuid PRIMARY KEY,
  name text NOT NULL CHECK (name <> ''),
  provider boolean NOT NULL DEFAULT false, -- the organization that publishes; its members hold staff roles
  time_zone text NOT NULL DEFAULT 'UTC',
  billing_email text NOT NULL DEFAULT '',
  stripe_customer_id text UNIQUE,
  payment_method_id text NOT NULL DEFAULT '',
  card_brand text NOT NULL DEFAULT '',
  card_last4 text NOT NULL DEFAULT '',
  card_expires text NOT NULL DEFAULT '', -- MM/YYYY
  created_at timestamptz NOT NULL
);

CREATE TABLE users (
  id uuid PRIMARY KEY,
  email text NOT NULL UNIQUE CHECK (email = lower(email) AND email <> ''),
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE members (
  org_id uuid NOT NULL REFERENCES organizations,
  user_id uuid NOT NULL REFERENCES users,
  role text NOT NULL CHECK (role IN ('owner', 'developer', 'product', 'finance', 'operator', 'admin')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

CREATE TABLE sessions (
  token_hash bytea PRIMARY KEY, -- SHA-256 of the cookie's token
  user_id uuid REFERENCES users ON DELETE CASCADE, -- null before login
  data bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  ended boolean NOT NULL DEFAULT false -- signed out: the row stays, so that a request under way cannot bring it back
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Failed sign-ins, counted per account and per address so that guessing slows
-- down and nobody can lock a stranger out.
CREATE TABLE login_failures (
  subject bytea PRIMARY KEY, -- SHA-256 of (account, network address)
  failures int NOT NULL,
  last_at timestamptz NOT NULL
);

-- Catalog -------------------------------------------------------------------

CREATE TABLE publications (
  id uuid PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('queued', 'reading', 'ready', 'invalid', 'published', 'discarded')),
  step text NOT NULL DEFAULT '', -- what the page says is going on
  source text NOT NULL, -- file name, URL or 'pasted'
  document bytea NOT NULL DEFAULT '', -- as it was given; empty until fetched
  title text NOT NULL DEFAULT '',
  document_version text NOT NULL DEFAULT '',
  format text NOT NULL DEFAULT '',
  operation_count int NOT NULL DEFAULT 0,
  findings jsonb NOT NULL DEFAULT '[]',
  findings_omitted int NOT NULL DEFAULT 0,
  version_id uuid, -- the API version it became
  created_by uuid NOT NULL REFERENCES users,
  created_at timestamptz NOT NULL
);

CREATE TABLE apis (
  id uuid PRIMARY KEY,
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text NOT NULL CHECK (name <> ''),
  summary text NOT NULL DEFAULT '',
  visibility text NOT NULL CHECK (visibility IN ('public', 'private')),
  created_at timestamptz NOT NULL
);

CREATE TABLE upstreams (
  id uuid PRIMARY KEY,
  live_url text NOT NULL,
  test_url text NOT NULL DEFAULT '', -- empty: test calls are refused
  sign_identity boolean NOT NULL DEFAULT false, -- the upstream trusts the gateway's signed caller header
  created_at timestamptz NOT NULL
);

CREATE TABLE api_versions (
  id uuid PRIMARY KEY,
  api_id uuid NOT NULL REFERENCES apis,
  upstream_id uuid NOT NULL REFERENCES upstreams,
  label text NOT NULL, -- the document's own version
  lifecycle text NOT NULL CHECK (lifecycle IN ('draft', 'published', 'deprecated', 'retired')),
  host text NOT NULL DEFAULT '', -- empty: any host
  path_prefix text NOT NULL CHECK (path_prefix = '' OR path_prefix ~ '^(/[A-Za-z0-9._~-]+)+$'),
  title text NOT NULL,
  description text NOT NULL DEFAULT '', -- Markdown of the document's info
  format text NOT NULL,
  document bytea NOT NULL, -- OpenAPI 3 as JSON, what people download
  findings jsonb NOT NULL DEFAULT '[]',
  operation_count int NOT NULL,
  published_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX api_versions_route ON api_versions (host, path_prefix) WHERE lifecycle IN ('published', 'deprecated');
CREATE UNIQUE INDEX api_versions_label ON api_versions (api_id, label) WHERE lifecycle <> 'retired';

-- One row per operation: a page reads one of these and never the document.
CREATE TABLE operations (
  id uuid PRIMARY KEY,
  version_id uuid NOT NULL REFERENCES api_versions,
  slug text NOT NULL,
  position int NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  summary text NOT NULL DEFAULT '',
  tag text NOT NULL DEFAULT '',
  deprecated boolean NOT NULL DEFAULT false,
  weight int NOT NULL DEFAULT 1 CHECK (weight > 0),
  detail jsonb NOT NULL,
  search tsvector NOT NULL,
  UNIQUE (version_id, slug),
  UNIQUE (version_id, method, path)
);
CREATE INDEX operations_order ON operations (version_id, position);
CREATE INDEX operations_tag ON operations (version_id, tag, position);
CREATE INDEX operations_search ON operations USING gin (search);

-- Products and plans ----------------------------------------------------------

CREATE TABLE products (
  id uuid PRIMARY KEY,
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text NOT NULL CHECK (name <> ''),
  description text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL
);

CREATE TABLE product_versions ( -- the API versions a product sells
  product_id uuid NOT NULL REFERENCES products,
  version_id uuid NOT NULL REFERENCES api_versions,
  PRIMARY KEY (product_id, version_id)
);
CREATE INDEX product_versions_version ON product_versions (version_id);

CREATE TABLE plans (
  id uuid PRIMARY KEY,
  product_id uuid NOT NULL REFERENCES products,
  slug text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text NOT NULL CHECK (name <> ''),
  description text NOT NULL DEFAULT '',
  sale text NOT NULL CHECK (sale IN ('self_serve', 'on_request')),
  private_to uuid REFERENCES organizations, -- null: offered to everybody
  position int NOT NULL,
  created_at timestamptz NOT NULL,
  UNIQUE (product_id, slug)
);

CREATE TABLE plan_versions ( -- immutable terms
  id uuid PRIMARY KEY,
  plan_id uuid NOT NULL REFERENCES plans,
  number int NOT NULL CHECK (number > 0),
  currency text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
  recurring_fee bigint NOT NULL CHECK (recurring_fee >= 0), -- minor units, per month in advance
  created_at timestamptz NOT NULL,
  UNIQUE (plan_id, number)
);

CREATE TABLE plan_limits (
  plan_version_id uuid NOT NULL REFERENCES plan_versions,
  position int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('rate', 'quota')),
  calls bigint NOT NULL CHECK (calls > 0),
  window_seconds int NOT NULL CHECK ((kind = 'rate') = (window_seconds > 0)), -- 0 for a quota: the billing period
  hard boolean NOT NULL DEFAULT true,
  PRIMARY KEY (plan_version_id, position)
);

CREATE TABLE price_components (
  id uuid PRIMARY KEY,
  plan_version_id uuid NOT NULL REFERENCES plan_versions,
  position int NOT NULL,
  name text NOT NULL,
  meter text NOT NULL CHECK (meter IN ('requests', 'units')),
  model text NOT NULL CHECK (model IN ('per_unit', 'graduated', 'volume', 'package')),
  included bigint NOT NULL DEFAULT 0 CHECK (included >= 0),
  package_size bigint NOT NULL DEFAULT 0 CHECK (package_size >= 0),
  flat_at_zero boolean NOT NULL DEFAULT true, -- whether the first tier's flat amount is due without usage
  minimum bigint NOT NULL DEFAULT 0 CHECK (minimum >= 0), -- minor units per period
  maximum bigint CHECK (maximum >= minimum), -- minor units per period; null: no cap
  UNIQUE (plan_version_id, position)
);

CREATE TABLE price_tiers (
  component_id uuid NOT NULL REFERENCES price_components,
  position int NOT NULL,
  up_to bigint CHECK (up_to > 0), -- inclusive; null: no end
  unit_rate numeric(30,12) NOT NULL CHECK (unit_rate >= 0), -- minor units per unit (or per package)
  flat bigint NOT NULL DEFAULT 0 CHECK (flat >= 0), -- minor units, due once when the tier is entered
  PRIMARY KEY (component_id, position)
);

-- +goose StatementBegin
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% rows never change', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON plan_versions FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON plan_limits FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON price_components FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON price_tiers FOR EACH ROW EXECUTE FUNCTION forbid_change();

CREATE TABLE plan_requests ( -- "ask us" plans: who asked, and what came of it
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  user_id uuid NOT NULL REFERENCES users,
  plan_id uuid NOT NULL REFERENCES plans,
  expected_calls bigint NOT NULL DEFAULT 0 CHECK (expected_calls >= 0),
  message text NOT NULL DEFAULT '',
  state text NOT NULL CHECK (state IN ('open', 'granted', 'declined')),
  granted_plan_id uuid REFERENCES plans,
  reason text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  decided_at timestamptz
);
CREATE INDEX plan_requests_org ON plan_requests (org_id);

-- Customers' programs ---------------------------------------------------------

CREATE TABLE applications (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  name text NOT NULL CHECK (name <> ''),
  created_at timestamptz NOT NULL
);
CREATE INDEX applications_org ON applications (org_id);

CREATE TABLE keys (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  application_id uuid NOT NULL REFERENCES applications,
  name text NOT NULL CHECK (name <> ''),
  mode text NOT NULL CHECK (mode IN ('live', 'test')),
  display text NOT NULL, -- prefix and last four, never enough to call with
  hash bytea NOT NULL UNIQUE, -- HMAC-SHA-256 of the whole key under the pepper
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX keys_application ON keys (application_id);

CREATE TABLE subscriptions (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  application_id uuid NOT NULL REFERENCES applications,
  plan_version_id uuid NOT NULL REFERENCES plan_versions,
  product_id uuid NOT NULL REFERENCES products,
  state text NOT NULL CHECK (state IN ('pending', 'active', 'unpaid', 'ended')),
  checkout_session_id text NOT NULL DEFAULT '',
  anchor_day int NOT NULL CHECK (anchor_day BETWEEN 1 AND 31), -- in the organization's time zone
  period_start timestamptz,
  period_end timestamptz,
  cancel_at_end boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  ended_at timestamptz,
  CHECK (state = 'pending' OR (state = 'ended' AND period_start IS NULL) OR (period_start IS NOT NULL AND period_end > period_start)) -- none: ended before it began
);
CREATE UNIQUE INDEX subscriptions_one_per_product ON subscriptions (application_id, product_id) WHERE state IN ('active', 'unpaid');
CREATE INDEX subscriptions_org ON subscriptions (org_id);
CREATE INDEX subscriptions_due ON subscriptions (period_end) WHERE state IN ('active', 'unpaid');

CREATE TABLE billing_periods (
  subscription_id uuid NOT NULL REFERENCES subscriptions,
  org_id uuid NOT NULL REFERENCES organizations,
  number int NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
  plan_version_id uuid NOT NULL REFERENCES plan_versions,
  closed_batch bigint, -- last usage batch counted so far; null until closed
  PRIMARY KEY (subscription_id, number)
);
CREATE INDEX billing_periods_open ON billing_periods (ends_at) WHERE closed_batch IS NULL;
CREATE INDEX billing_periods_org ON billing_periods (org_id);

-- Usage -----------------------------------------------------------------------

CREATE TABLE usage_segments ( -- how far each spool segment has been shipped
  id uuid PRIMARY KEY,
  gateway text NOT NULL,
  shipped bigint NOT NULL DEFAULT 0 -- slots, advanced by compare-and-swap
);

CREATE TABLE usage_batches (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  segment_id uuid NOT NULL REFERENCES usage_segments,
  from_slot bigint NOT NULL,
  to_slot bigint NOT NULL,
  events int NOT NULL,
  received_at timestamptz NOT NULL
);

CREATE TABLE usage_events (
  request_id uuid NOT NULL,
  batch_id bigint NOT NULL,
  at timestamptz NOT NULL,
  org_id uuid NOT NULL,
  application_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  key_id uuid NOT NULL,
  version_id uuid NOT NULL,
  operation_id uuid NOT NULL,
  mode text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  status smallint NOT NULL,
  billable boolean NOT NULL,
  complete boolean NOT NULL, -- the client took the whole answer
  units bigint NOT NULL,
  bytes_in bigint NOT NULL,
  bytes_out bigint NOT NULL,
  duration_us bigint NOT NULL,
  upstream_us bigint NOT NULL,
  PRIMARY KEY (request_id, at)
);
CREATE INDEX usage_events_subscription ON usage_events (subscription_id, at);
CREATE INDEX usage_events_org ON usage_events (org_id, at DESC);

CREATE TABLE usage_hourly (
  hour timestamptz NOT NULL,
  org_id uuid NOT NULL,
  application_id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  key_id uuid NOT NULL,
  version_id uuid NOT NULL,
  operation_id uuid NOT NULL,
  mode text NOT NULL,
  status smallint NOT NULL,
  calls bigint NOT NULL,
  billable_calls bigint NOT NULL,
  billable_units bigint NOT NULL,
  units bigint NOT NULL,
  bytes_in bigint NOT NULL,
  bytes_out bigint NOT NULL,
  duration_us bigint NOT NULL,
  PRIMARY KEY (subscription_id, hour, key_id, operation_id, mode, status)
);
CREATE INDEX usage_hourly_org ON usage_hourly (org_id, hour);

CREATE TABLE key_usage ( -- a key's last use comes from metering, not from the request path
  key_id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  last_used_at timestamptz NOT NULL,
  last_status smallint NOT NULL,
  last_duration_us bigint NOT NULL,
  last_request_id uuid NOT NULL
);
CREATE INDEX key_usage_org ON key_usage (org_id);

CREATE TABLE refusals ( -- bounded counters of refused calls, by hour
  hour timestamptz NOT NULL,
  org_id uuid NOT NULL, -- all zero when the caller is unknown
  key_id uuid NOT NULL,
  code text NOT NULL,
  calls bigint NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, hour, key_id, code)
);

CREATE TABLE quota_grants ( -- what gateways may still spend of a period's quota
  subscription_id uuid NOT NULL,
  period_start timestamptz NOT NULL,
  granted bigint NOT NULL DEFAULT 0 CHECK (granted >= 0),
  PRIMARY KEY (subscription_id, period_start)
);

CREATE TABLE quota_leases (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subscription_id uuid NOT NULL,
  period_start timestamptz NOT NULL,
  gateway text NOT NULL,
  process uuid NOT NULL, -- the run of that gateway which holds it
  granted bigint NOT NULL CHECK (granted > 0),
  spent bigint NOT NULL DEFAULT 0, -- as metered; final once that run's spool is shipped
  taken_at timestamptz NOT NULL,
  settled boolean NOT NULL DEFAULT false -- what was not spent has been given back
);
CREATE INDEX quota_leases_open ON quota_leases (gateway) WHERE NOT settled;

CREATE TABLE gateways ( -- heartbeat, for the operator's page
  id text PRIMARY KEY,
  address text NOT NULL,
  view_version bigint NOT NULL,
  spool_pending bigint NOT NULL,
  seen_at timestamptz NOT NULL,
  started_at timestamptz NOT NULL
);

-- Money -----------------------------------------------------------------------

CREATE SEQUENCE invoice_numbers;

CREATE TABLE invoices (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  subscription_id uuid NOT NULL REFERENCES subscriptions,
  number text UNIQUE, -- given when issued
  billed_to text NOT NULL DEFAULT '', -- the customer's name when it was issued
  reason text NOT NULL CHECK (reason IN ('first', 'period', 'final')),
  state text NOT NULL CHECK (state IN ('review', 'held', 'approved', 'open', 'paid', 'void')),
  currency text NOT NULL,
  subtotal bigint NOT NULL, -- minor units, the sum of the lines
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  approved_by uuid REFERENCES users,
  approved_at timestamptz,
  hold_reason text NOT NULL DEFAULT '',
  stripe_invoice_id text UNIQUE,
  stripe_number text NOT NULL DEFAULT '',
  stripe_subtotal bigint,
  stripe_redrafts int NOT NULL DEFAULT 0, -- drafts at Stripe given up because their sum was wrong; each has idempotency keys of its own
  amount_paid bigint NOT NULL DEFAULT 0,
  issued_at timestamptz,
  paid_at timestamptz,
  pay_attempts int NOT NULL DEFAULT 0, -- refused ones; each attempt has an idempotency key of its own
  next_attempt_at timestamptz,
  collecting_until timestamptz, -- real time; until then one process has the invoice at Stripe to itself
  failure text NOT NULL DEFAULT '' -- why collecting has not worked, or what a payment did not lead to, in words for finance
);
CREATE INDEX invoices_org ON invoices (org_id, created_at DESC);
CREATE INDEX invoices_state ON invoices (state, created_at DESC);

CREATE TABLE invoice_lines (
  id uuid PRIMARY KEY,
  invoice_id uuid NOT NULL REFERENCES invoices,
  org_id uuid NOT NULL REFERENCES organizations,
  position int NOT NULL,
  kind text NOT NULL CHECK (kind IN ('recurring', 'usage', 'adjustment')),
  description text NOT NULL,
  quantity bigint NOT NULL,
  amount bigint NOT NULL, -- minor units
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  plan_version_id uuid NOT NULL REFERENCES plan_versions,
  component_id uuid REFERENCES price_components,
  subscription_id uuid NOT NULL REFERENCES subscriptions,
  batch_after bigint NOT NULL DEFAULT 0, -- usage batches counted: (batch_after, batch_to]
  batch_to bigint NOT NULL DEFAULT 0,
  event_count bigint NOT NULL DEFAULT 0,
  usage_hash text NOT NULL DEFAULT '', -- SHA-256 over the counted request ids in order
  details jsonb NOT NULL DEFAULT '[]', -- the arithmetic, price tier by price tier
  UNIQUE (invoice_id, position)
);
CREATE INDEX invoice_lines_org ON invoice_lines (org_id);

CREATE TABLE stripe_outbox ( -- each line goes to Stripe once
  line_id uuid PRIMARY KEY REFERENCES invoice_lines,
  org_id uuid NOT NULL REFERENCES organizations,
  stripe_item_id text NOT NULL DEFAULT '',
  first_sent_at timestamptz,
  created_at timestamptz NOT NULL
);
CREATE INDEX stripe_outbox_org ON stripe_outbox (org_id);

CREATE TABLE stripe_events (
  id text PRIMARY KEY, -- Stripe's event id: a delivery counts once
  type text NOT NULL,
  object_id text NOT NULL,
  received_at timestamptz NOT NULL,
  applied_at timestamptz,
  outcome text NOT NULL DEFAULT ''
);

CREATE TABLE stripe_checkouts ( -- each completed page is applied once
  session_id text PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  card_at timestamptz NOT NULL, -- when the card was given, by Stripe's clock: an older one never replaces a newer
  done_at timestamptz -- null: what follows from the card was interrupted
);
CREATE INDEX stripe_checkouts_org ON stripe_checkouts (org_id, card_at);

-- +goose StatementBegin
CREATE FUNCTION guard_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  current_state text;
BEGIN
  SELECT state INTO current_state FROM invoices WHERE id = OLD.invoice_id;
  IF current_state NOT IN ('review', 'held') THEN
    RAISE EXCEPTION 'lines of an approved or issued invoice never change' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
-- +goose StatementEnd
CREATE TRIGGER issued BEFORE UPDATE OR DELETE ON invoice_lines FOR EACH ROW EXECUTE FUNCTION guard_issued_invoice();

CREATE TABLE audit_events (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  org_id uuid NOT NULL,
  actor uuid, -- null: the system
  action text NOT NULL,
  object_type text NOT NULL,
  object_id text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_object ON audit_events (object_type, object_id, at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION forbid_change();

-- Tenancy -----------------------------------------------------------------------

-- +goose StatementBegin
DO $$
DECLARE
  t text;
  org text := 'nullif(current_setting(''app.org'', true), '''')::uuid';
BEGIN
  FOREACH t IN ARRAY ARRAY['plan_requests', 'applications', 'keys', 'subscriptions', 'billing_periods',
      'usage_events', 'usage_hourly', 'key_usage', 'refusals', 'invoices', 'invoice_lines', 'stripe_outbox', 'stripe_checkouts', 'audit_events'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO tollgate_app USING (org_id = %s) WITH CHECK (org_id = %s)', t, org, org);
    EXECUTE format('CREATE POLICY staff ON %I TO tollgate_staff USING (true) WITH CHECK (true)', t);
  END LOOP;
  ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
  EXECUTE format('CREATE POLICY tenant ON organizations TO tollgate_app USING (id = %s) WITH CHECK (id = %s)', org, org);
  CREATE POLICY staff ON organizations TO tollgate_staff USING (true) WITH CHECK (true);
  -- A person finds their own memberships before any organization is chosen.
  ALTER TABLE members ENABLE ROW LEVEL SECURITY;
  EXECUTE format('CREATE POLICY tenant ON members TO tollgate_app USING (org_id = %s OR user_id = nullif(current_setting(''app.user'', true), '''')::uuid) WITH CHECK (org_id = %s)', org, org);
  CREATE POLICY staff ON members TO tollgate_staff USING (true) WITH CHECK (true);
END $$;
-- +goose StatementEnd

-- A private plan is seen by staff and by the organization it was made for.
ALTER TABLE plans ENABLE ROW LEVEL SECURITY;
CREATE POLICY offered ON plans FOR SELECT TO tollgate_app
  USING (private_to IS NULL OR private_to = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON plans TO tollgate_staff USING (true) WITH CHECK (true);

-- Customers never write what the provider sells, nor what was counted.
REVOKE INSERT, UPDATE, DELETE ON publications, apis, upstreams, api_versions, operations, products, product_versions,
  plans, plan_versions, plan_limits, price_components, price_tiers, usage_segments, usage_batches, usage_events,
  usage_hourly, key_usage, refusals, quota_grants, quota_leases, gateways, stripe_events FROM tollgate_app;
REVOKE INSERT, UPDATE, DELETE ON invoices, invoice_lines, billing_periods, stripe_outbox, stripe_checkouts FROM tollgate_app;
REVOKE DELETE ON subscriptions, plan_requests, organizations, audit_events FROM tollgate_app;
REVOKE SELECT ON publications, stripe_events, usage_segments, usage_batches, quota_grants, quota_leases, gateways FROM tollgate_app;

-- What gateways must know ---------------------------------------------------------

CREATE TABLE view_version ( -- one row, bumped once per transaction that changes what gateways decide on
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL,
  bumped_by bigint NOT NULL -- transaction id of the last bump
);
INSERT INTO view_version VALUES (true, 1, 0);

-- +goose StatementBegin
CREATE FUNCTION bump_view_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  UPDATE view_version SET version = version + 1, bumped_by = txid_current() WHERE bumped_by <> txid_current();
  IF FOUND THEN
    PERFORM pg_notify('tollgate_view', '');
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE INSERT, UPDATE, DELETE ON view_version FROM tollgate_app, tollgate_staff;

CREATE TRIGGER view AFTER INSERT OR UPDATE OF hash, mode, expires_at, revoked_at OR DELETE ON keys FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER INSERT OR UPDATE OF state, plan_version_id, period_start, period_end, cancel_at_end OR DELETE ON subscriptions FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER UPDATE OF slug, visibility ON apis FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER UPDATE OF time_zone ON organizations FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER INSERT OR UPDATE OF lifecycle, host, path_prefix, upstream_id OR DELETE ON api_versions FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER INSERT OR UPDATE OF method, path, weight OR DELETE ON operations FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER INSERT OR UPDATE OR DELETE ON upstreams FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER INSERT OR UPDATE OR DELETE ON product_versions FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER INSERT ON plan_limits FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
CREATE TRIGGER view AFTER UPDATE ON business_clock FOR EACH STATEMENT EXECUTE FUNCTION bump_view_version();
