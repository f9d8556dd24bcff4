-- Prepaid balances: a quota without a period, as large as the credits that its
-- subscription was granted.

-- +goose Up

ALTER TABLE plan_limits
  ADD COLUMN prepaid boolean NOT NULL DEFAULT false CHECK (NOT prepaid OR (kind = 'quota' AND hard AND NOT calendar_month)), -- of a quota: calls are what a subscription begins with
  DROP CONSTRAINT plan_limits_calls_check,
  ADD CONSTRAINT plan_limits_calls_check CHECK (calls > 0 OR (prepaid AND calls = 0));

CREATE TABLE prepaid_credits ( -- a balance is their sum, less what was spent
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES organizations,
  subscription_id uuid NOT NULL REFERENCES subscriptions,
  calls bigint NOT NULL CHECK (calls > 0),
  reason text NOT NULL CHECK (reason <> ''), -- for staff
  granted_by uuid REFERENCES users, -- null: the plan's own, when the subscription began
  granted_at timestamptz NOT NULL
);
CREATE INDEX prepaid_credits_subscription ON prepaid_credits (subscription_id);
CREATE INDEX prepaid_credits_org ON prepaid_credits (org_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON prepaid_credits FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER view_insert AFTER INSERT ON prepaid_credits REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
  EXECUTE FUNCTION note_view_changes('subscription', 'subscription_id', 'SELECT subscription_id FROM changed');

-- A customer reads how much and when, not why.
ALTER TABLE prepaid_credits ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON prepaid_credits FOR SELECT TO tollgate_app USING (org_id = nullif(current_setting('app.org', true), '')::uuid);
CREATE POLICY staff ON prepaid_credits TO tollgate_staff USING (true) WITH CHECK (true);
REVOKE ALL ON prepaid_credits FROM tollgate_app;
GRANT SELECT (id, org_id, subscription_id, calls, granted_at) ON prepaid_credits TO tollgate_app;
