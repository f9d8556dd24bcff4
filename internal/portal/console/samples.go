package console

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tollgate/internal/catalog"
	"tollgate/internal/keys"
	"tollgate/internal/openapi"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/component"
)

// easiest finds the operation of the application's plans that is easiest to
// call: a GET without anything to fill in, where there is one.
const easiest = `
	SELECT v.host, v.path_prefix, o.detail::text
	FROM subscriptions s JOIN product_versions pv ON pv.product_id = s.product_id
	JOIN api_versions v ON v.id = pv.version_id AND v.lifecycle IN ('published', 'deprecated')
	JOIN operations o ON o.version_id = v.id
	WHERE s.application_id = $1 AND s.state IN ('active', 'unpaid') AND EXISTS (SELECT FROM upstream_targets t WHERE t.upstream_id = v.upstream_id AND t.mode = $2)
	ORDER BY o.method <> 'GET', o.path LIKE '%{%',
		jsonb_array_length(jsonb_path_query_array(o.detail, '$.parameters[*] ? (@.required == true)')), o.deprecated, s.created_at, o.position
	LIMIT 1`

// samples is a call that works with key, in several languages; empty without a
// subscription to an API that takes keys of k's mode.
func (c *Console) samples(r *request.Request, k keys.Key, key string) (tabs component.CodeTabsProps, err error) {
	var host, prefix, detail string
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, easiest, k.ApplicationID, k.Mode).Scan(&host, &prefix, &detail)
	})
	if postgres.IsNotFound(err) {
		return tabs, nil
	}
	if err != nil {
		return tabs, fmt.Errorf("find an operation to show: %w", err)
	}
	var op openapi.Operation
	if err := json.Unmarshal([]byte(detail), &op); err != nil {
		return tabs, fmt.Errorf("read an operation: %w", err)
	}
	base := catalog.Version{Host: host, PathPrefix: prefix}.BaseURL(c.GatewayURL)
	tabs = component.CodeTabsProps{ID: "samples", Title: op.Method + " " + op.Path}
	for _, s := range openapi.Samples(&op, openapi.SampleInput{BaseURL: base, Key: key}) {
		language := strings.ToLower(s.Language)
		tabs.Samples = append(tabs.Samples, component.Sample{Language: language, Label: s.Language, Code: component.Highlight(lexer(language), s.Code)})
	}
	return tabs, nil
}

// testable reports whether an API of the organization's plans takes test keys.
func (c *Console) testable(r *request.Request) (ok bool, err error) {
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM subscriptions s JOIN product_versions pv ON pv.product_id = s.product_id
				JOIN api_versions v ON v.id = pv.version_id AND v.lifecycle IN ('published', 'deprecated') JOIN upstream_targets t ON t.upstream_id = v.upstream_id AND t.mode = 'test'
				WHERE s.org_id = $1 AND s.state IN ('active', 'unpaid'))`, r.Identity.Organization).Scan(&ok)
	})
	return ok, err
}

func lexer(language string) string {
	if language == "curl" {
		return "bash"
	}
	return language
}
