package studio

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"tollgate/internal/catalog"
	"tollgate/internal/openapi"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Publication shows a document's checks, and the form that publishes it.
func (p *Pages) Publication(r *request.Request) error {
	pub, err := p.publication(r)
	if err != nil {
		return err
	}
	props, err := p.publicationProps(r, pub)
	if err != nil {
		return err
	}
	if pub.State == catalog.Ready {
		if props.Form, err = p.suggestedForm(r, pub); err != nil {
			return err
		}
	}
	return r.Page(page.Publication(r.Layout(props.Title), props))
}

func (p *Pages) publication(r *request.Request) (catalog.Publication, error) {
	id, err := r.ParamID("id")
	if err != nil {
		return catalog.Publication{}, err
	}
	return p.Catalog.Publication(r.Ctx(), id)
}

// PublicationStatus answers the page that waits for the checks.
func (p *Pages) PublicationStatus(r *request.Request) error {
	pub, err := p.publication(r)
	if err != nil {
		return err
	}
	html, err := r.HTML(component.ProgressSteps(steps(pub)))
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"arrived": pub.Finished(), "reload": pub.Finished(), "html": html, "state": pub.State})
}

// Publish makes the document live.
func (p *Pages) Publish(r *request.Request) error {
	pub, err := p.publication(r)
	if err != nil {
		return err
	}
	replaces, _ := r.FormID("replaces") // none chosen is for the catalog to refuse
	entry, err := p.Catalog.Publish(r.Ctx(), r.Identity.User, pub.ID, catalog.NewAPI{
		Name: r.Form("name"), Slug: r.Form("slug"), Summary: r.Form("summary"), UpstreamURL: r.Form("upstream_url"), TestURL: r.Form("test_url"),
		PathPrefix: r.Form("path_prefix"), Host: r.Form("host"), Visibility: r.Form("visibility"), SignIdentity: r.Form("sign_identity") != "", Replaces: replaces,
	})
	if err == nil {
		return r.RedirectWith(entry.Name+" is live.", "/apis/"+entry.Slug)
	}
	fields, message, ok := refusal(err)
	if !ok {
		return err
	}
	if pub.State != catalog.Ready {
		return r.RedirectWith(firstOf(message, "This draft is closed."), publicationURL(pub)) // its page has no form any more
	}
	props, err := p.publicationProps(r, pub)
	if err != nil {
		return err
	}
	props.Form = &page.PublicationForm{
		Action: publicationURL(pub) + "/publish",
		Name:   typed(r, fields, "name"), Slug: typed(r, fields, "slug"), Summary: typed(r, fields, "summary"), Upstream: typed(r, fields, "upstream_url"),
		TestURL: typed(r, fields, "test_url"), PathPrefix: typed(r, fields, "path_prefix"), Host: typed(r, fields, "host"),
		Visibility: visibility(r.Form("visibility")), SignIdentity: r.Form("sign_identity") != "",
		Error: firstOf(message, rest(fields, "name", "slug", "summary", "upstream_url", "test_url", "path_prefix", "host", "replaces")),
	}
	if props.Form.Replace, err = p.replaceChoice(r, r.Form("slug")); err != nil {
		return err
	}
	if choice := props.Form.Replace; choice != nil {
		choice.Error, choice.Chosen = fields["replaces"], choice.Version == r.Form("replaces")
	}
	return r.Invalid(page.Publication(r.Layout(props.Title), props))
}

// Discard drops a draft.
func (p *Pages) Discard(r *request.Request) error {
	id, err := r.ParamID("id")
	if err != nil {
		return err
	}
	if err := p.Catalog.Discard(r.Ctx(), r.Identity.User, id); err != nil {
		return err
	}
	return r.RedirectWith("The draft was discarded.", "/studio")
}

func visibility(selected string) []component.Option {
	return component.Options(firstOf(selected, catalog.Public),
		component.Option{Value: catalog.Public, Label: "Everybody", Hint: "In the catalog"},
		component.Option{Value: catalog.Private, Label: "Private", Hint: "Only with a plan that includes it"})
}

// suggestedForm fills the form from the document, or from the API that it updates.
func (p *Pages) suggestedForm(r *request.Request, pub catalog.Publication) (*page.PublicationForm, error) {
	name := firstOf(r.Query("name"), pub.Title)
	slug := firstOf(r.Query("slug"), slugOf(name))
	form := &page.PublicationForm{
		Action: publicationURL(pub) + "/publish",
		Name:   page.Input{Value: name}, Slug: page.Input{Value: slug}, PathPrefix: page.Input{Value: "/" + slug}, Visibility: visibility(""),
	}
	live, err := p.Catalog.API(r.Ctx(), slug)
	if problem.Is(err, "not-found") {
		return form, nil
	}
	if err != nil {
		return nil, err
	}
	form.Name.Value, form.Summary.Value, form.Upstream.Value = live.Name, live.Summary, live.Upstream
	form.TestURL.Value, form.SignIdentity = live.TestUpstream, live.SignIdentity
	form.PathPrefix.Value, form.Host.Value, form.Visibility = live.Version.PathPrefix, live.Version.Host, visibility(live.Visibility)
	form.Replace = choiceOf(live)
	return form, nil
}

// replaceChoice asks about what is live at a place in the catalog; nil when nothing is.
func (p *Pages) replaceChoice(r *request.Request, slug string) (*page.ReplaceChoice, error) {
	live, err := p.Catalog.API(r.Ctx(), slug)
	if problem.Is(err, "not-found") {
		return nil, nil
	}
	return choiceOf(live), err
}

func choiceOf(live catalog.Entry) *page.ReplaceChoice {
	return &page.ReplaceChoice{Version: live.Version.ID.String(), Label: "Replace version " + live.Version.Label + " of " + live.Name,
		Hint: "It stops answering at " + live.Version.Host + live.Version.PathPrefix + " unless the new version has the same route. Products and subscriptions go on with the new one."}
}

func (p *Pages) publicationProps(r *request.Request, pub catalog.Publication) (page.PublicationProps, error) {
	props := page.PublicationProps{
		Title: draftTitle(pub), Status: draftBadge(pub), Working: !pub.Finished(), Steps: steps(pub),
		StatusURL: publicationURL(pub) + "/status", RefreshURL: r.HTTP().URL.RequestURI(), FindingsNote: findingsNote(pub),
	}
	if pub.State == catalog.Invalid {
		props.Failed = failure(pub)
		props.AgainURL = withWishes("/studio/apis/new", r.Query("name"), r.Query("slug"))
	}
	if pub.State == catalog.Invalid || pub.State == catalog.Ready {
		props.DiscardAction = publicationURL(pub) + "/discard"
	}
	if pub.FindingsOmitted > 0 {
		props.FindingsNote += ", and " + format.Counted(int64(pub.FindingsOmitted), "more of the same kind", "more of the same kinds")
	}
	for _, f := range pub.Findings {
		props.Findings = append(props.Findings, finding(f))
	}
	facts := []component.Fact{{Name: "Source", Value: pub.Source}, {Name: "Format", Value: pub.Format}, {Name: "Version", Value: pub.DocumentVersion},
		{Name: "Operations", Value: format.Count(int64(pub.OperationCount))}}
	if pub.Size > 0 {
		facts = append(facts, component.Fact{Name: "Size", Value: format.Size(pub.Size)})
	}
	for _, f := range facts {
		if f.Value != "" {
			props.Facts = append(props.Facts, f)
		}
	}
	if pub.VersionID != nil {
		live, err := p.liveURL(r, *pub.VersionID)
		if err != nil {
			return props, err
		}
		if live != "" {
			props.Live = component.LinkButtonProps{Label: "See it live", URL: live, Kind: component.Primary}
		}
	}
	return props, nil
}

// failure says what to do about a draft that cannot be published.
func failure(pub catalog.Publication) string {
	if pub.Size == 0 {
		return "The document could not be fetched; the finding below says why."
	}
	return "Correct what is marked as an error in the document."
}

// liveURL is the page of the API that still serves a version.
func (p *Pages) liveURL(r *request.Request, version uuid.UUID) (string, error) {
	all, err := p.Catalog.List(r.Ctx(), "")
	for _, e := range all {
		if e.Version.ID == version {
			return "/apis/" + e.Slug, nil
		}
	}
	return "", err
}

func finding(f openapi.Finding) page.Finding {
	out := page.Finding{Severity: component.BadgeProps{Label: "Warning", Tone: component.Warn}, Pointer: f.Pointer, Message: f.Message}
	if f.Severity == openapi.Error {
		out.Severity = component.BadgeProps{Label: "Error", Tone: component.Bad}
	}
	if f.Line > 0 {
		out.Line = strconv.Itoa(f.Line)
	}
	return out
}

func findingsNote(pub catalog.Publication) string {
	bad, warnings := int64(0), int64(0)
	for _, f := range pub.Findings {
		if f.Severity == openapi.Error {
			bad++
		} else {
			warnings++
		}
	}
	switch {
	case bad > 0 && warnings > 0:
		return format.Counted(bad, "error", "errors") + ", " + format.Counted(warnings, "warning", "warnings")
	case bad > 0:
		return format.Counted(bad, "error", "errors")
	case warnings > 0:
		return format.Counted(warnings, "warning", "warnings")
	}
	return ""
}

// steps are how far a document has come.
func steps(pub catalog.Publication) []component.StepProps {
	fetch := component.StepProps{Title: "Receive the document", State: component.StepDone, Detail: pub.Source}
	check := component.StepProps{Title: "Check it and read its operations", State: component.StepWaiting}
	if pub.Size > 0 {
		check.Detail = format.Size(pub.Size)
	}
	fetched := pub.Size > 0 || pub.OperationCount > 0 || pub.VersionID != nil
	switch {
	case !pub.Finished() && pub.Step == catalog.StepFetch:
		fetch.State = component.StepNow
	case !pub.Finished():
		check.State = component.StepNow
	case pub.State == catalog.Invalid && !fetched:
		fetch.State = component.StepFailed
	case pub.State == catalog.Invalid:
		check.State = component.StepFailed
	default:
		check.State, check.Detail = component.StepDone, format.Counted(int64(pub.OperationCount), "operation", "operations")
	}
	publish := component.StepProps{Title: "Publish", State: component.StepWaiting, Detail: "When you say so."}
	if pub.State == catalog.Done {
		publish = component.StepProps{Title: "Publish", State: component.StepDone}
	}
	return []component.StepProps{fetch, check, publish}
}
