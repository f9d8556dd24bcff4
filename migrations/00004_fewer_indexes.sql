-- Single calls are found by their subscription. An index by organization cost a
-- fifth of what storing a call costs, and found nothing else.

-- +goose Up

DROP INDEX usage_events_org;
