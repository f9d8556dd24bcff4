package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/openapi"
	"tollgate/internal/outbound"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
)

// ReadJob reads the document of a publication, in the background.
type ReadJob struct {
	Publication uuid.UUID `json:"publication"`
}

// Kind names the job.
func (ReadJob) Kind() string { return "catalog.read" }

// Submit takes a document, or the address of one, and enqueues reading it.
// Errors name the fields document and url.
func (s *Service) Submit(ctx context.Context, actor uuid.UUID, src Source) (uuid.UUID, error) {
	if err := src.Validate(); err != nil {
		return uuid.Nil, err
	}
	id, name, step := postgres.NewID(), storableText(src.Name), StepCheck
	if src.URL != "" {
		name, step, src.Document = src.URL, StepFetch, nil
	}
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.PGX.Exec(ctx, `INSERT INTO publications (id, state, step, source, document, created_by, created_at) VALUES ($1, 'queued', $2, $3, $4, $5, $6)`,
			id, step, name, notNil(src.Document), actor, s.clock.Now())
		if err != nil {
			return err
		}
		return s.queue.Add(ctx, tx, ReadJob{Publication: id})
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("submit a document: %w", err)
	}
	return id, nil
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Read works a publication off: it fetches the document when only its address
// is known, checks it, and stores what was found. It may be repeated; what is
// already read stays as it is.
func (s *Service) Read(ctx context.Context, job ReadJob) error {
	source, document, err := s.begin(ctx, job.Publication)
	if err != nil || source == "" {
		return err
	}
	if len(document) == 0 {
		document, err = s.guards.Documents.Fetch(ctx, source, openapi.MaxBytes)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return s.finish(ctx, job.Publication, unfetched(source, err))
		}
		if err := s.keepDocument(ctx, job.Publication, document); err != nil {
			return err
		}
	}
	doc, err := openapi.Parse(document)
	var refused *openapi.NotPublishableError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	return s.finish(ctx, job.Publication, doc)
}

// unfetched is what is known of a document that could not be fetched.
func unfetched(source string, err error) *openapi.Document {
	why := err.Error()
	if errors.Is(err, outbound.ErrTooLarge) {
		why = fmt.Sprintf("the document has more than %d MB", openapi.MaxBytes>>20)
	}
	return &openapi.Document{Findings: []openapi.Finding{{
		Severity: openapi.Error, Code: "fetch-failed",
		Message: fmt.Sprintf("The document could not be fetched from %s: %s. Correct the address, or upload the file.", source, why),
	}}}
}

// Publish makes a checked document callable: one transaction stores API,
// upstream, version and operations. Where an API is live at the slug, in must
// name its version as the one to replace: that retires, and products sell the
// new one in its place. Errors name the fields of NewAPI.
func (s *Service) Publish(ctx context.Context, actor, publication uuid.UUID, in NewAPI) (Entry, error) {
	if err := in.Validate(); err != nil {
		return Entry{}, err
	}
	if err := s.checkUpstreams(ctx, in); err != nil {
		return Entry{}, err
	}
	state, document, err := s.loadDocument(ctx, publication)
	if err != nil {
		return Entry{}, err
	}
	if state != Ready {
		return Entry{}, errNotReady
	}
	doc, err := openapi.Parse(document) // before the transaction: it takes seconds for a large one
	if err != nil {
		return Entry{}, errNotReady.Because(err)
	}
	var entry Entry
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		entry, err = s.publish(ctx, tx, publication, in, doc)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Actor: actor, Action: "api.publish", Object: "api", ID: entry.ID.String(),
			Details: map[string]string{"version": entry.Version.ID.String(), "label": entry.Version.Label}})
	})
	if err != nil {
		return Entry{}, routeTaken(err, in)
	}
	return entry, nil
}

// checkUpstreams refuses addresses that gateways would not connect to, so that
// nobody sells an API whose every call fails. A name that does not resolve here
// may do so at the gateway.
func (s *Service) checkUpstreams(ctx context.Context, in NewAPI) error {
	v := problem.Invalid{}
	for field, address := range map[string]string{"upstream_url": in.UpstreamURL, "test_url": in.TestURL} {
		err := s.guards.Upstreams.CheckURL(ctx, address)
		v.Check(!errors.Is(err, outbound.ErrDenied), field, deniedUpstream)
	}
	return v.Err()
}

var errNotReady = problem.Conflict("This document is not ready to be published, or was published already.")

func (s *Service) publish(ctx context.Context, tx *postgres.Tx, publication uuid.UUID, in NewAPI, doc *openapi.Document) (Entry, error) {
	now := s.clock.Now()
	var state string
	err := tx.PGX.QueryRow(ctx, `SELECT state FROM publications WHERE id = $1 FOR UPDATE`, publication).Scan(&state)
	if err != nil {
		return Entry{}, err
	}
	if state != Ready {
		return Entry{}, errNotReady
	}
	if err := mayReplace(ctx, tx, in); err != nil {
		return Entry{}, err
	}
	api, err := upsertAPI(ctx, tx, API{ID: postgres.NewID(), Slug: in.Slug, Name: in.Name, Summary: in.Summary, Visibility: in.Visibility, CreatedAt: now})
	if err != nil {
		return Entry{}, err
	}
	v := Version{
		ID: postgres.NewID(), Label: storableText(doc.Version), Lifecycle: Published, Host: in.Host, PathPrefix: in.PathPrefix,
		Title: storableText(doc.Title), Description: storableText(doc.Description), Format: doc.Format, OperationCount: len(doc.Operations), PublishedAt: now,
	}
	old, err := retire(ctx, tx, api.ID)
	if err != nil {
		return Entry{}, err
	}
	if err := insertVersion(ctx, tx, api.ID, v, in, doc); err != nil {
		return Entry{}, err
	}
	if err := insertOperations(ctx, tx, v.ID, doc.Operations); err != nil {
		return Entry{}, err
	}
	// Products go on selling what they sold: the retired version's successor.
	if _, err := tx.PGX.Exec(ctx, `UPDATE product_versions SET version_id = $1 WHERE version_id = ANY($2)`, v.ID, old); err != nil {
		return Entry{}, err
	}
	_, err = tx.PGX.Exec(ctx, `UPDATE publications SET state = 'published', version_id = $2, document = '' WHERE id = $1`, publication, v.ID)
	return Entry{API: api, Version: v, Upstream: in.UpstreamURL, TestUpstream: in.TestURL, SignIdentity: in.SignIdentity, Warnings: len(doc.Findings)}, err
}

// Discard drops a publication that was not published.
func (s *Service) Discard(ctx context.Context, actor, publication uuid.UUID) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		tag, err := tx.PGX.Exec(ctx, `UPDATE publications SET state = 'discarded', document = '' WHERE id = $1 AND state NOT IN ('published', 'discarded')`, publication)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return problem.Conflict("This draft was published or discarded already.")
		}
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Actor: actor, Action: "publication.discard", Object: "publication", ID: publication.String()})
	})
}
