package catalog

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/openapi"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// PageSize is how many operations a list shows at once.
const PageSize = 50

// nearest is how many operations of the same tag stand beside one.
const nearest = 30

const rowColumns = `o.id, o.slug, o.method, o.path, o.summary, o.tag, o.deprecated`

// OperationQuery chooses operations of a version.
type OperationQuery struct {
	Version uuid.UUID
	Text    string // words, halves of words, or a part of a path
	Tag     string // empty: all
	Page    int    // from 1
}

// Operations lists the operations that match, PageSize at a time, and says how
// many there are. Without a text they stand in the document's order.
func (s *Service) Operations(ctx context.Context, in OperationQuery) (out []Row, total int, err error) {
	q := parseQuery(in.Text)
	offset := max(in.Page-1, 0) * PageSize
	const matches = `
		FROM operations o, (SELECT to_tsquery('simple', $3) || to_tsquery('english', $3) AS words) q
		WHERE o.version_id = $1 AND ($2 = '' OR o.tag = $2) AND ($5 = '' OR o.method = $5)
			AND ($4 = '' OR ($3 <> '' AND o.search @@ q.words) OR lower(o.path) LIKE '%' || $4 || '%')`
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.PGX.QueryRow(ctx, `SELECT count(*)`+matches, in.Version, in.Tag, q.words, q.like, q.method).Scan(&total); err != nil {
			return err
		}
		rows, err := tx.PGX.Query(ctx, `SELECT `+rowColumns+matches+`
			ORDER BY CASE WHEN $4 = '' THEN 0 ELSE `+relevance+` END DESC, o.position LIMIT $6 OFFSET $7`,
			in.Version, in.Tag, q.words, q.like, q.method, PageSize, offset)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Row])
		return err
	})
	return out, total, err
}

// rank weighs summaries above names above descriptions, and short paths above
// long ones: those are the main things, the others hang on them.
const rank = `ts_rank('{0.01, 0.05, 0.1, 1}', o.search, q.words, 1) / (1 + ln(greatest(length(o.path), 1)))`

// relevance puts the very path first, then paths that begin alike, then by
// rank.
const relevance = `(CASE WHEN lower(o.path) LIKE $4 THEN 4 WHEN lower(o.path) LIKE $4 || '%' THEN 2 ELSE 0 END + ` + rank + `)`

// Suggestion is an operation that a search over all APIs found.
type Suggestion struct {
	APISlug, APIName string
	Row
}

// Suggest finds the ten operations of all visible APIs that match text best.
func (s *Service) Suggest(ctx context.Context, text string) (out []Suggestion, err error) {
	q := parseQuery(text)
	if q.words == "" {
		return nil, nil
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `
			SELECT e.slug, e.name, `+rowColumns+`
			FROM (`+entries+`) e(api, slug, name, summary, visibility, created, version, label, lifecycle, host, prefix, title, description, format, count, published, upstream, test, sign, findings)
				JOIN operations o ON o.version_id = e.version, (SELECT to_tsquery('simple', $1) || to_tsquery('english', $1) AS words) q
			WHERE o.search @@ q.words AND ($2 = '' OR o.method = $2)
			ORDER BY `+rank+` DESC, e.slug, o.position LIMIT 10`, q.words, q.method)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Suggestion, err error) {
			err = row.Scan(&f.APISlug, &f.APIName, &f.ID, &f.Slug, &f.Method, &f.Path, &f.Summary, &f.Tag, &f.Deprecated)
			return f, err
		})
		return err
	})
	return out, err
}

// Tags lists a version's tags in the document's order, each with its number of
// operations and the first few of them.
func (s *Service) Tags(ctx context.Context, version uuid.UUID, few int) (out []Tag, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `
			SELECT o.count, `+rowColumns+` FROM (
				SELECT *, count(*) OVER (PARTITION BY tag) AS count, min(position) OVER (PARTITION BY tag) AS first, row_number() OVER (PARTITION BY tag ORDER BY position) AS nth
				FROM (SELECT id, slug, method, path, summary, tag, deprecated, position FROM operations WHERE version_id = $1) t
			) o WHERE nth <= greatest($2, 1) ORDER BY first, nth`, version, few)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var count int
			var r Row
			if err := rows.Scan(&count, &r.ID, &r.Slug, &r.Method, &r.Path, &r.Summary, &r.Tag, &r.Deprecated); err != nil {
				return err
			}
			if n := len(out); n == 0 || out[n-1].Name != r.Tag {
				out = append(out, Tag{Name: r.Tag, Count: count})
			}
			last := &out[len(out)-1]
			if len(last.First) < few {
				last.First = append(last.First, r)
			}
		}
		return rows.Err()
	})
	return out, err
}

// Reference is what the page of one operation needs.
type Reference struct {
	Entry     Entry
	Operation openapi.Operation
	Weight    int   // units that a call counts as
	Siblings  []Row // of the same tag, itself included, the nearest ones
	TagCount  int   // all of that tag
}

// Operation reads one operation's row, and the names of those around it.
func (s *Service) Operation(ctx context.Context, api, slug string) (ref Reference, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if ref.Entry, err = readEntry(ctx, tx, api); err != nil {
			return err
		}
		var position int
		err := tx.PGX.QueryRow(ctx, `
			SELECT o.detail, o.weight, o.position, (SELECT count(*) FROM operations t WHERE t.version_id = o.version_id AND t.tag = o.tag)
			FROM operations o WHERE o.version_id = $1 AND o.slug = $2`, ref.Entry.Version.ID, slug).Scan(&ref.Operation, &ref.Weight, &position, &ref.TagCount)
		if postgres.IsNotFound(err) {
			return problem.NotFound("operation")
		}
		if err != nil {
			return err
		}
		ref.Siblings, err = siblings(ctx, tx, ref.Entry.Version.ID, ref.Operation.Tag, position)
		return err
	})
	return ref, err
}

func siblings(ctx context.Context, tx *postgres.Tx, version uuid.UUID, tag string, position int) ([]Row, error) {
	rows, err := tx.PGX.Query(ctx, `
		SELECT `+rowColumns+` FROM (
			SELECT * FROM (
				(SELECT `+rowColumns+`, o.position FROM operations o WHERE o.version_id = $1 AND o.tag = $2 AND o.position < $3 ORDER BY o.position DESC LIMIT $4)
				UNION ALL
				(SELECT `+rowColumns+`, o.position FROM operations o WHERE o.version_id = $1 AND o.tag = $2 AND o.position >= $3 ORDER BY o.position LIMIT $4)
			) around ORDER BY abs(position - $3) LIMIT $4
		) o ORDER BY o.position`, version, tag, position, nearest)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Row])
}

// Showcase finds an operation to try first: of a public API, reading, with as
// few values in its path as there are.
func (s *Service) Showcase(ctx context.Context) (ref Reference, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var api, slug string
		err := tx.PGX.QueryRow(ctx, `
			SELECT a.slug, o.slug FROM apis a JOIN api_versions v ON v.api_id = a.id AND v.lifecycle = 'published' JOIN operations o ON o.version_id = v.id
			WHERE a.visibility = 'public' AND o.method = 'GET' AND NOT o.deprecated
			ORDER BY v.published_at, v.id, length(o.path) - length(replace(o.path, '{', '')), o.position LIMIT 1`).Scan(&api, &slug)
		if postgres.IsNotFound(err) {
			return problem.NotFound("operation")
		}
		if err != nil {
			return err
		}
		ref, err = s.Operation(ctx, api, slug)
		return err
	})
	return ref, err
}
