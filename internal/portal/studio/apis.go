package studio

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"tollgate/internal/catalog"
	"tollgate/internal/openapi"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// APIs is the product team's first page: drafts, then what is published.
func (p *Pages) APIs(r *request.Request) error {
	drafts, err := p.Catalog.Drafts(r.Ctx())
	if err != nil {
		return err
	}
	entries, err := p.Catalog.List(r.Ctx(), "")
	if err != nil {
		return err
	}
	origins, err := p.Catalog.PublicationsOf(r.Ctx())
	if err != nil {
		return err
	}
	var props page.StudioProps
	for _, d := range drafts {
		props.APIs = append(props.APIs, page.StudioAPI{Name: draftTitle(d), URL: publicationURL(d), Version: d.DocumentVersion, Lifecycle: draftBadge(d),
			Operations: format.Count(int64(d.OperationCount)), Warnings: findingsNote(d), WarningsURL: publicationURL(d), Updated: format.Moment(d.CreatedAt, p.Clock.Now())})
	}
	for _, e := range entries {
		row := page.StudioAPI{Name: e.Name, URL: "/apis/" + e.Slug, Version: e.Version.Label, Lifecycle: lifecycle(e), Operations: format.Count(int64(e.Version.OperationCount)),
			Upstream: e.Upstream, Updated: format.Moment(e.Version.PublishedAt, p.Clock.Now()), UpstreamURL: upstreamURL(e.Slug), ReplaceURL: withWishes("/studio/apis/new", "", e.Slug)}
		if origin, ok := origins[e.Version.ID]; ok && e.Warnings > 0 {
			row.Warnings, row.WarningsURL = format.Counted(int64(e.Warnings), "warning", "warnings"), "/studio/publications/"+origin.String()
		}
		props.APIs = append(props.APIs, row)
	}
	return r.Page(page.Studio(r.Layout("APIs"), props))
}

func lifecycle(e catalog.Entry) component.BadgeProps {
	label := "Live"
	if e.Visibility == catalog.Private {
		label = "Live, private"
	}
	if e.Version.Lifecycle == catalog.Deprecated {
		return component.BadgeProps{Label: "Deprecated", Tone: component.Warn}
	}
	return component.BadgeProps{Label: label, Tone: component.OK}
}

func publicationURL(d catalog.Publication) string { return "/studio/publications/" + d.ID.String() }

func draftTitle(d catalog.Publication) string {
	if d.Title != "" {
		return d.Title
	}
	return d.Source
}

func draftBadge(d catalog.Publication) component.BadgeProps {
	switch d.State {
	case catalog.Ready:
		return component.BadgeProps{Label: "Draft, ready", Tone: component.Accent}
	case catalog.Invalid:
		return component.BadgeProps{Label: "Draft with errors", Tone: component.Bad}
	case catalog.Done:
		return component.BadgeProps{Label: "Published", Tone: component.OK}
	case catalog.Discarded:
		return component.BadgeProps{Label: "Discarded"}
	}
	return component.BadgeProps{Label: "Being checked", Tone: component.Accent}
}

// NewAPI is the form that takes a document.
func (p *Pages) NewAPI(r *request.Request) error {
	return r.Page(page.Import(r.Layout("Publish an API"), page.ImportProps{Limit: documentLimit, Name: page.Input{Value: r.Query("name")}, Slug: page.Input{Value: r.Query("slug")}}))
}

var documentLimit = fmt.Sprintf("OpenAPI 3.1, 3.0 or Swagger 2.0, JSON or YAML, up to %d MB.", openapi.MaxBytes>>20)

// SubmitAPI takes a document and leads to the page that shows its checks.
func (p *Pages) SubmitAPI(r *request.Request) error {
	src, err := source(r)
	if err == nil {
		id, submitErr := p.Catalog.Submit(r.Ctx(), r.Identity.User, src)
		if submitErr == nil {
			return r.Redirect(withWishes("/studio/publications/"+id.String(), r.Form("name"), r.Form("slug")))
		}
		err = submitErr
	}
	fields, ok := request.Fields(err)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		fields, ok = map[string]string{"document": fmt.Sprintf("The document may have at most %d MB.", openapi.MaxBytes>>20)}, true
	}
	if !ok {
		return err
	}
	props := page.ImportProps{Limit: documentLimit, Source: r.Form("source"), URL: page.Input{Value: r.Form("document_url"), Error: fields["url"]},
		Text: page.Input{Value: r.Form("document_text")}, Name: typed(r, nil, "name"), Slug: typed(r, nil, "slug")}
	switch props.Source {
	case "url":
		props.URL.Error = firstOf(fields["url"], fields["document"])
	case "paste":
		props.Text.Error = fields["document"]
	default:
		props.Document.Error = fields["document"]
	}
	return r.Invalid(page.Import(r.Layout("Publish an API"), props))
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// withWishes carries a wanted name and address to the next page.
func withWishes(path, name, slug string) string {
	v := url.Values{}
	if name != "" {
		v.Set("name", name)
	}
	if slug != "" {
		v.Set("slug", slug)
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// inMemory is how much of an upload is held in memory; the rest waits on disk.
const inMemory = 8 << 20

// source reads which document was sent, and how.
func source(r *request.Request) (src catalog.Source, err error) {
	if err := r.HTTP().ParseMultipartForm(inMemory); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return src, err
	}
	if form := r.HTTP().MultipartForm; form != nil {
		defer func() { _ = form.RemoveAll() }() // temporary files; the system clears what stays
	}
	switch r.Form("source") {
	case "url":
		return catalog.Source{URL: r.Form("document_url")}, nil
	case "paste":
		return catalog.Source{Name: "pasted", Document: []byte(r.Secret("document_text"))}, nil
	}
	file, header, err := r.HTTP().FormFile("document")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return catalog.Source{}, nil // refused as empty
	}
	if err != nil {
		return src, err
	}
	defer func() { _ = file.Close() }()
	src.Name = header.Filename
	src.Document, err = io.ReadAll(file)
	return src, err
}
