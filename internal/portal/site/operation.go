package site

import (
	"net/http"

	"tollgate/internal/catalog"
	"tollgate/internal/openapi"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Operation is the reference page of one operation. It reads that operation's
// row and never the document.
func (p *Pages) Operation(r *request.Request) error {
	ref, err := p.Catalog.Operation(catalogCtx(r), r.Param("api"), r.Param("op"))
	if err != nil {
		return err
	}
	offerings, err := p.Plans.OfferingsOf(r.Ctx(), ref.Entry.Version.ID)
	if err != nil {
		return err
	}
	mine, err := p.mine(r)
	if err != nil {
		return err
	}
	props := p.operationProps(ref)
	props.Limits = planRows(offerings, mine)
	l := r.Layout(props.Summary + " – " + ref.Entry.Name)
	l.Description = ref.Operation.Method + " " + ref.Operation.Path + " of " + ref.Entry.Name + ": parameters, responses, samples, limits."
	return r.Page(page.Operation(l, props))
}

func (p *Pages) operationProps(ref catalog.Reference) page.OperationProps {
	op, slug, base := ref.Operation, ref.Entry.Slug, ref.Entry.Version.BaseURL(p.GatewayURL)
	props := page.OperationProps{
		APIName: ref.Entry.Name, APIURL: apiURL(slug), Tag: tagName(op.Tag), TagURL: tagURL(slug, op.Tag), SearchURL: apiURL(slug, "ops"),
		Method: op.Method, Path: op.Path, URL: base + op.Path, Summary: operationTitle(op.Summary, op.Method, op.Path), Description: markdown(op.Description),
		Parameters: parameterGroups(op.Parameters), Responses: responses(op.Responses),
		AuthText: authText(ref.Entry), AuthHeader: "Authorization: Bearer " + KeyPlaceholder,
		Weight:   "Each call counts as " + format.Counted(int64(ref.Weight), "call", "calls") + ".",
		Samples:  samples("samples", openapi.Samples(&op, openapi.SampleInput{BaseURL: base, Key: KeyPlaceholder})),
		Response: exampleResponse(op, "sample-response"), MarkdownURL: apiURL(slug, op.Slug, "markdown"), ErrorsURL: "/problems",
	}
	if op.Deprecated {
		props.Deprecated = "It still works; new programs should use another operation."
	}
	if op.RequestBody != nil {
		props.Body = body(op.RequestBody.Anchor, op.RequestBody.Description, op.RequestBody.Content)
	}
	for _, row := range ref.Siblings {
		props.Siblings = append(props.Siblings, operationLink(slug, row, op.Slug))
	}
	if ref.TagCount > len(ref.Siblings) {
		props.MoreURL, props.More = props.TagURL, "All "+operationCount(ref.TagCount)+" of "+props.Tag
	}
	return props
}

// languages are the names under which a choice of language is remembered, and
// the highlighter's.
var languages = map[string]string{"curl": "bash", "JavaScript": "javascript", "Python": "python", "Go": "go"}

func samples(id string, all []openapi.Sample) component.CodeTabsProps {
	tabs := component.CodeTabsProps{ID: id, Title: "The call"}
	for _, s := range all {
		value := languages[s.Language]
		if s.Language == "curl" {
			value = "curl"
		}
		tabs.Samples = append(tabs.Samples, component.Sample{Language: value, Label: s.Language, Code: component.Highlight(languages[s.Language], s.Code)})
	}
	return tabs
}

// OperationMarkdown is an operation as Markdown, to copy.
func (p *Pages) OperationMarkdown(r *request.Request) error {
	ref, err := p.Catalog.Operation(catalogCtx(r), r.Param("api"), r.Param("op"))
	if err != nil {
		return err
	}
	r.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	r.Writer().WriteHeader(http.StatusOK)
	_, err = r.Writer().Write([]byte(openapi.Markdown(&ref.Operation)))
	return err
}
