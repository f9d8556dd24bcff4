package catalog

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tollgate/internal/clock"
	"tollgate/internal/jobs"
	"tollgate/internal/openapi"
	"tollgate/internal/outbound"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// Service runs the use cases of the catalog. Reads show an organization public
// APIs and those that its plans include; staff see all.
type Service struct {
	db     *postgres.DB
	clock  *clock.Clock
	queue  *jobs.Queue
	guards Guards
}

// Guards say which addresses are allowed.
type Guards struct {
	Documents *outbound.Guard // that documents are fetched from
	Upstreams *outbound.Guard // that gateways send calls to
}

// New makes the service.
func New(db *postgres.DB, c *clock.Clock, queue *jobs.Queue, guards Guards) *Service {
	return &Service{db: db, clock: c, queue: queue, guards: guards}
}

// entries reads APIs with their newest served version. Row-level security
// leaves only the organization's own private plans and subscriptions.
const entries = `
	SELECT a.id, a.slug, a.name, a.summary, a.visibility, a.created_at,
		v.id, v.label, v.lifecycle, v.host, v.path_prefix, v.title, v.description, v.format, v.operation_count, v.published_at,
		coalesce((SELECT t.url FROM upstream_targets t WHERE t.upstream_id = u.id AND t.mode = 'live' ORDER BY t.position LIMIT 1), ''),
		coalesce((SELECT t.url FROM upstream_targets t WHERE t.upstream_id = u.id AND t.mode = 'test' ORDER BY t.position LIMIT 1), ''), u.sign_identity, jsonb_array_length(v.findings)
	FROM apis a JOIN api_versions v ON v.api_id = a.id JOIN upstreams u ON u.id = v.upstream_id
	WHERE v.id = (SELECT n.id FROM api_versions n WHERE n.api_id = a.id AND n.lifecycle IN ('published', 'deprecated') ORDER BY n.published_at DESC, n.id DESC LIMIT 1)
		AND (a.visibility = 'public' OR current_user = 'tollgate_staff'
			OR EXISTS (SELECT FROM product_versions pv JOIN plans p ON p.product_id = pv.product_id WHERE pv.version_id = v.id AND p.private_to IS NOT NULL)
			OR EXISTS (SELECT FROM product_versions pv JOIN subscriptions s ON s.product_id = pv.product_id WHERE pv.version_id = v.id AND s.state IN ('active', 'unpaid'))) `

func scanEntry(row pgx.CollectableRow) (e Entry, err error) {
	v := &e.Version
	err = row.Scan(&e.ID, &e.Slug, &e.Name, &e.Summary, &e.Visibility, &e.CreatedAt,
		&v.ID, &v.Label, &v.Lifecycle, &v.Host, &v.PathPrefix, &v.Title, &v.Description, &v.Format, &v.OperationCount, &v.PublishedAt,
		&e.Upstream, &e.TestUpstream, &e.SignIdentity, &e.Warnings)
	return e, err
}

// List returns the APIs whose name, summary, tags or paths match text, all of
// them when it is empty, by name.
func (s *Service) List(ctx context.Context, text string) (out []Entry, err error) {
	q := parseQuery(text)
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, entries+`
			AND ($1 = '' OR lower(a.name || ' ' || a.summary || ' ' || v.title) LIKE '%' || $1 || '%'
				OR ($2 <> '' AND EXISTS (SELECT FROM operations o WHERE o.version_id = v.id AND o.search @@ (to_tsquery('simple', $2) || to_tsquery('english', $2)))))
			ORDER BY lower(a.name), a.id LIMIT 500`, q.like, q.words)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, scanEntry)
		return err
	})
	return out, err
}

// API reads one API with its newest served version. One that is private to
// others is not found.
func (s *Service) API(ctx context.Context, slug string) (e Entry, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		e, err = readEntry(ctx, tx, slug)
		return err
	})
	return e, err
}

func readEntry(ctx context.Context, tx *postgres.Tx, slug string) (Entry, error) {
	rows, err := tx.PGX.Query(ctx, entries+`AND a.slug = $1`, slug)
	if err != nil {
		return Entry{}, err
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEntry)
	if postgres.IsNotFound(err) {
		err = problem.NotFound("API")
	}
	return e, err
}

// Drafts lists publications that are neither published nor discarded, newest first.
func (s *Service) Drafts(ctx context.Context) ([]Publication, error) {
	return s.publications(ctx, `state IN ('queued', 'reading', 'ready', 'invalid') AND $1::uuid IS NULL`, nil)
}

// Publications lists the publications of all states, newest first, 200 at most.
func (s *Service) Publications(ctx context.Context) ([]Publication, error) {
	return s.publications(ctx, `$1::uuid IS NULL`, nil)
}

// Publication reads one publication, without its document.
func (s *Service) Publication(ctx context.Context, id uuid.UUID) (Publication, error) {
	all, err := s.publications(ctx, `id = $1`, &id)
	if err == nil && len(all) == 0 {
		err = problem.NotFound("publication")
	}
	if err != nil {
		return Publication{}, err
	}
	return all[0], nil
}

// PublicationsOf finds what API versions were made from, by version.
func (s *Service) PublicationsOf(ctx context.Context) (map[uuid.UUID]uuid.UUID, error) {
	out := map[uuid.UUID]uuid.UUID{}
	all, err := s.publications(ctx, `version_id IS NOT NULL AND $1::uuid IS NULL`, nil)
	for _, p := range all {
		out[*p.VersionID] = p.ID
	}
	return out, err
}

func (s *Service) publications(ctx context.Context, where string, id *uuid.UUID) (out []Publication, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `
			SELECT id, state, step, source, length(document), title, document_version, format, operation_count, findings, findings_omitted, version_id, created_at
			FROM publications WHERE `+where+` ORDER BY created_at DESC, id DESC LIMIT 200`, id)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Publication])
		return err
	})
	return out, err
}

// Document reads a version's OpenAPI 3 document, without what the gateway adds.
func (s *Service) Document(ctx context.Context, version uuid.UUID) (doc *openapi.Document, err error) {
	var raw []byte
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT document FROM api_versions WHERE id = $1`, version).Scan(&raw)
	})
	if postgres.IsNotFound(err) {
		err = problem.NotFound("API version")
	}
	if err != nil {
		return nil, err
	}
	return openapi.Parse(raw)
}
