package console

import (
	"context"
	"strings"
	"time"

	"tollgate/internal/keys"
	"tollgate/internal/keys/token"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/web/page"
)

func typed(r *request.Request, fields map[string]string, name string) page.Input {
	return page.Input{Value: r.Form(name), Error: fields[name]}
}

// typedKey reads the form of a new key. Errors name its fields, all at once.
func (c *Console) typedKey(r *request.Request) (in keys.NewKey, err error) {
	in = keys.NewKey{Name: r.Form("name"), Mode: token.Mode(r.Form("mode")), Scopes: strings.Fields(strings.ReplaceAll(r.Form("scopes"), ",", " "))}
	wrong := problem.Invalid{}
	collect := func(err error) {
		fields, _ := request.Fields(err)
		for field, message := range fields {
			wrong.Check(false, field, "%s", message)
		}
	}
	collect(in.Validate())
	in.Networks, err = keys.ParseNetworks(r.Form("networks"))
	collect(err)
	if day := r.Form("expires"); day != "" {
		org, err := c.org(r)
		if err != nil {
			return in, err
		}
		first, err := time.ParseInLocation("2006-01-02", day, org.Location())
		wrong.Check(err == nil, "expires", "Write the day as 2027-05-31.")
		end := first.AddDate(0, 0, 1)
		in.ExpiresAt = &end
	}
	return in, wrong.Err()
}

// restrictions says what a key is restricted to.
func restrictions(k keys.Key) (out []string) {
	if len(k.Scopes) > 0 {
		out = append(out, "May call "+strings.Join(k.Scopes, ", "))
	}
	if len(k.Networks) > 0 {
		words := make([]string, len(k.Networks))
		for i, n := range k.Networks {
			words[i] = n.String()
			if n.IsSingleIP() {
				words[i] = n.Addr().String()
			}
		}
		out = append(out, "From "+strings.Join(words, ", "))
	}
	return out
}

// ownAPIs names the APIs of the organization's plans, as scopes do.
func (c *Console) ownAPIs(r *request.Request) (names string, err error) {
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `
			SELECT coalesce(string_agg(slug, ', ' ORDER BY slug), '') FROM (
				SELECT DISTINCT a.slug FROM subscriptions s JOIN product_versions pv ON pv.product_id = s.product_id
				JOIN api_versions v ON v.id = pv.version_id AND v.lifecycle IN ('published', 'deprecated') JOIN apis a ON a.id = v.api_id
				WHERE s.org_id = $1 AND s.state IN ('active', 'unpaid') LIMIT 20) AS own`, r.Identity.Organization).Scan(&names)
	})
	return names, err
}
