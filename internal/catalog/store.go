package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tollgate/internal/openapi"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// begin marks a publication as being read. The source is empty when there is
// nothing left to do.
func (s *Service) begin(ctx context.Context, id uuid.UUID) (source string, document []byte, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		err := tx.PGX.QueryRow(ctx, `
			UPDATE publications SET state = 'reading', step = CASE WHEN document = '' THEN 'fetch' ELSE 'check' END
			WHERE id = $1 AND state IN ('queued', 'reading') RETURNING source, document`, id).Scan(&source, &document)
		if postgres.IsNotFound(err) {
			return nil
		}
		return err
	})
	return source, document, err
}

func (s *Service) keepDocument(ctx context.Context, id uuid.UUID, document []byte) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `UPDATE publications SET document = $2, step = 'check' WHERE id = $1 AND state = 'reading'`, id, notNil(document))
		return err
	})
}

// finish stores what was found in a document.
func (s *Service) finish(ctx context.Context, id uuid.UUID, doc *openapi.Document) error {
	state := Ready
	if !doc.Publishable() {
		state = Invalid
	}
	findings, err := findingsJSON(doc)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `
			UPDATE publications SET state = $2, step = 'read', title = $3, document_version = $4, format = $5, operation_count = $6, findings = $7, findings_omitted = $8
			WHERE id = $1 AND state = 'reading'`,
			id, state, storableText(doc.Title), storableText(doc.Version), storableText(doc.Format), len(doc.Operations), findings, doc.Omitted)
		return err
	})
}

func findingsJSON(doc *openapi.Document) (string, error) {
	if len(doc.Findings) == 0 {
		return "[]", nil
	}
	return storableJSON(doc.Findings)
}

func (s *Service) loadDocument(ctx context.Context, id uuid.UUID) (state string, document []byte, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT state, document FROM publications WHERE id = $1`, id).Scan(&state, &document)
	})
	if postgres.IsNotFound(err) {
		err = problem.NotFound("publication")
	}
	return state, document, err
}

func upsertAPI(ctx context.Context, tx *postgres.Tx, a API) (API, error) {
	err := tx.PGX.QueryRow(ctx, `
		INSERT INTO apis (id, slug, name, summary, visibility, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (slug) DO UPDATE SET name = excluded.name, summary = excluded.summary, visibility = excluded.visibility
		RETURNING id, created_at`, a.ID, a.Slug, a.Name, a.Summary, a.Visibility, a.CreatedAt).Scan(&a.ID, &a.CreatedAt)
	return a, err
}

// mayReplace refuses to replace a live version that in does not name: it was
// published meanwhile, or nobody knew that the slug is taken.
func mayReplace(ctx context.Context, tx *postgres.Tx, in NewAPI) error {
	live, err := readEntry(ctx, tx, in.Slug)
	switch {
	case problem.Is(err, "not-found"):
		return nil
	case err != nil:
		return err
	case live.Version.ID != in.Replaces:
		return &problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{
			"replaces": fmt.Sprintf("%s %s is live at this place. Say that it is to be replaced, or choose another place in the catalog.", live.Name, live.Version.Label)}}
	}
	return nil
}

// retire ends the served versions of an API.
func retire(ctx context.Context, tx *postgres.Tx, api uuid.UUID) (old []uuid.UUID, err error) {
	rows, err := tx.PGX.Query(ctx, `UPDATE api_versions SET lifecycle = 'retired' WHERE api_id = $1 AND lifecycle IN ('published', 'deprecated') RETURNING id`, api)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

func insertVersion(ctx context.Context, tx *postgres.Tx, api uuid.UUID, v Version, in NewAPI, doc *openapi.Document) error {
	upstream := postgres.NewID()
	if err := insertUpstream(ctx, tx, upstream, in, v.PublishedAt); err != nil {
		return err
	}
	findings, err := findingsJSON(doc)
	if err != nil {
		return err
	}
	_, err = tx.PGX.Exec(ctx, `
		INSERT INTO api_versions (id, api_id, upstream_id, label, lifecycle, host, path_prefix, title, description, format, document, findings, operation_count, published_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		v.ID, api, upstream, v.Label, v.Lifecycle, v.Host, v.PathPrefix, v.Title, v.Description, v.Format, []byte(doc.JSON()), findings, v.OperationCount, v.PublishedAt)
	return err
}

// operationsAtOnce bounds the size of one statement: details are up to 200 kB each.
const operationsAtOnce = 200

// insertOperations stores one row per operation. Names are indexed as they are
// and by their English stems, so that halves of words are found as well.
func insertOperations(ctx context.Context, tx *postgres.Tx, version uuid.UUID, ops []openapi.Operation) error {
	for first := 0; first < len(ops); first += operationsAtOnce {
		c, err := columnsOf(ops[first:min(first+operationsAtOnce, len(ops))])
		if err != nil {
			return err
		}
		_, err = tx.PGX.Exec(ctx, `
			INSERT INTO operations (id, version_id, slug, position, method, path, summary, tag, deprecated, weight, units_from, detail, search)
			SELECT id, $1, slug, $2 + n, method, path, summary, tag, deprecated, weight, units_from, detail::jsonb,
				setweight(to_tsvector('simple', summary), 'A') || setweight(to_tsvector('english', summary), 'A') ||
				setweight(to_tsvector('simple', names), 'B') || setweight(to_tsvector('english', names), 'B') ||
				setweight(to_tsvector('english', description), 'D')
			FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bool[], $10::text[], $11::text[], $12::text[], $13::int[], $14::text[])
				WITH ORDINALITY AS t(id, slug, method, path, summary, tag, deprecated, detail, names, description, weight, units_from, n)`,
			version, first, c.id, c.slug, c.method, c.path, c.summary, c.tag, c.deprecated, c.detail, c.names, c.description, c.weight, c.unitsFrom)
		if err != nil {
			return fmt.Errorf("store operations: %w", err)
		}
	}
	return nil
}

type operationColumns struct {
	id                                                           []uuid.UUID
	slug, method, path, summary, tag, detail, names, description []string
	unitsFrom                                                    []string
	weight                                                       []int32
	deprecated                                                   []bool
}

func columnsOf(ops []openapi.Operation) (c operationColumns, err error) {
	for _, op := range ops {
		op.Slug = freeSlug(op.Slug)
		detail, err := storableJSON(op)
		if err != nil {
			return c, err
		}
		c.id = append(c.id, postgres.NewID())
		c.slug = append(c.slug, op.Slug)
		c.method = append(c.method, op.Method)
		c.path = append(c.path, storableText(op.Path))
		c.summary = append(c.summary, storableText(op.Summary))
		c.tag = append(c.tag, storableText(op.Tag))
		c.detail = append(c.detail, detail)
		c.names = append(c.names, strings.Join(words(op.Path+" "+op.OperationID+" "+op.Tag), " "))
		c.description = append(c.description, storableText(op.Description))
		c.deprecated = append(c.deprecated, op.Deprecated)
		c.weight = append(c.weight, int32(max(op.Weight, 1)))
		c.unitsFrom = append(c.unitsFrom, op.UnitsFrom)
	}
	return c, nil
}

// freeSlug keeps operations off the addresses that an API's own pages have.
func freeSlug(slug string) string {
	if slug == "ops" || slug == "openapi.json" {
		return slug + "-operation"
	}
	return slug
}

// storableText leaves out what a text column refuses: NUL and broken UTF-8.
func storableText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}

// storableJSON writes v without the escape of NUL, which jsonb refuses.
func storableJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	const nul = `\u0000`
	text := string(raw)
	if !strings.Contains(text, nul) {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], nul):
			i += len(nul) - 1
		case text[i] == '\\' && i+1 < len(text): // an escaped character, perhaps a backslash before u0000
			b.WriteString(text[i : i+2])
			i++
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), nil
}

// routeTaken turns broken uniqueness into a message beside the field.
func routeTaken(err error, in NewAPI) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	if pg.ConstraintName != "api_versions_route" {
		return fmt.Errorf("publish: %w", err)
	}
	return (&problem.Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: map[string]string{
		"path_prefix": "Another API is published at " + in.Host + in.PathPrefix + ". Choose another path prefix or host."}}).Because(err)
}
