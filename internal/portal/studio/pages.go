// Package studio is where the product team works: publishing APIs, making
// products and plans, and answering requests. Its routes run as staff.
package studio

import (
	"strings"
	"unicode"

	"tollgate/internal/accounts"
	"tollgate/internal/catalog"
	"tollgate/internal/clock"
	"tollgate/internal/plans"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Pages are the studio's pages.
type Pages struct {
	DB            *postgres.DB
	Catalog       *catalog.Service
	Plans         *plans.Service
	Accounts      *accounts.Service
	Subscriptions *subscriptions.Service
	Clock         *clock.Clock
}

// typed is a field as it was posted, with what is wrong with it.
func typed(r *request.Request, fields map[string]string, name string) page.Input {
	return page.Input{Value: r.Form(name), Error: fields[name]}
}

// rest is a message about fields that the form does not show.
func rest(fields map[string]string, shown ...string) string {
	seen := map[string]bool{}
	for _, s := range shown {
		seen[s] = true
	}
	for name, message := range fields {
		if !seen[name] {
			return message
		}
	}
	return ""
}

// refusal turns an error into messages for the form: fields of an invalid
// input, or one message about a conflict. ok is false for any other error.
func refusal(err error) (fields map[string]string, message string, ok bool) {
	if fields, ok := request.Fields(err); ok {
		return fields, "", true
	}
	if problem.Is(err, "conflict") {
		return map[string]string{}, problem.As(err).Message, true
	}
	return nil, "", false
}

// slugOf makes an address out of a name.
func slugOf(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	slug := b.String()
	return strings.Trim(slug[:min(len(slug), 60)], "-")
}

func option(selected string, pairs ...string) []component.Option {
	var out []component.Option
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, component.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	return component.Options(selected, out...)
}
