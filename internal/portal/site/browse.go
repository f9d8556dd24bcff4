package site

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"tollgate/internal/catalog"
	"tollgate/internal/openapi"
	"tollgate/internal/permissions"
	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Landing is the front page: a real call, its answer, and what is here.
func (p *Pages) Landing(r *request.Request) error {
	entries, err := p.Catalog.List(catalogCtx(r), "")
	if err != nil {
		return err
	}
	cards, err := p.cards(r.Ctx(), entries[:min(len(entries), 6)])
	if err != nil {
		return err
	}
	operations := 0
	for _, e := range entries {
		operations += e.Version.OperationCount
	}
	props := page.LandingProps{
		Lead:    "Read a reference, choose a plan, make the first call. Prices and limits are open to everyone.",
		Primary: component.LinkButtonProps{Label: "Create an account", URL: "/signup", Kind: component.Primary, Large: true},
		Facts: []component.StatProps{
			{Label: "APIs", Value: format.Count(int64(len(entries))), URL: "/apis"},
			{Label: "Operations", Value: format.Count(int64(operations))},
		},
		APIs: cards,
	}
	if err := p.showcase(r, &props); err != nil {
		return err
	}
	switch {
	case permissions.Allows(r.Identity.Role, permissions.ReadOwn):
		props.Primary.Label, props.Primary.URL = "Open the console", "/console"
	case r.SignedIn():
		props.Primary = component.LinkButtonProps{}
	}
	return r.Page(page.Landing(r.Layout(""), props))
}

// showcase fills in a call, its answer, and the shortest way to make it: through
// the free plan, where the API has one.
func (p *Pages) showcase(r *request.Request, props *page.LandingProps) error {
	ref, err := p.Catalog.Showcase(r.Ctx())
	if problem.Is(err, "not-found") {
		return nil
	}
	if err != nil {
		return err
	}
	samples := openapi.Samples(&ref.Operation, openapi.SampleInput{BaseURL: ref.Entry.Version.BaseURL(p.GatewayURL), Key: KeyPlaceholder})
	props.Curl = component.CodeProps{ID: "landing-curl", Title: ref.Entry.Name + ": " + operationTitle(ref.Operation.Summary, ref.Operation.Method, ref.Operation.Path), Code: component.Highlight("bash", samples[0].Code)}
	if answer := exampleResponse(ref.Operation, "landing-response"); answer != nil {
		props.Response = *answer
		props.Response.Title = "Example response"
	}
	offerings, err := p.Plans.OfferingsOf(r.Ctx(), ref.Entry.Version.ID)
	if err != nil {
		return err
	}
	if free, found := freePlan(offerings); found {
		props.Lead = "Create an account, confirm the free plan, copy the key, and this call works. No card, no mail to wait for."
		props.Primary.Label, props.Primary.URL = "Get a free key", "/signup?next="+url.QueryEscape(SubscribeURL(free))
	}
	return nil
}

// freePlan is the first plan that costs nothing and that anybody may take.
func freePlan(offerings []plans.Offering) (plans.Offer, bool) {
	for _, o := range offerings {
		for _, plan := range o.Plans {
			if plan.Sale == plans.SelfServe && plan.Terms.Free() {
				return plan, true
			}
		}
	}
	return plans.Offer{}, false
}

// cardsAtOnce is how many APIs the catalog shows on a page.
const cardsAtOnce = 24

// APIs is the catalog.
func (p *Pages) APIs(r *request.Request) error {
	text := r.Query("q")
	entries, err := p.Catalog.List(catalogCtx(r), text)
	if err != nil {
		return err
	}
	total := len(entries)
	number, first, last := pageOf(r, total, cardsAtOnce)
	cards, err := p.cards(r.Ctx(), entries[first:last])
	if err != nil {
		return err
	}
	return r.Page(page.Catalog(r.Layout("APIs"), page.CatalogProps{Query: text, Total: format.Counted(int64(total), "API", "APIs"), Cards: cards,
		Pager: pager("/apis", url.Values{"q": {text}}, number, total, cardsAtOnce)}))
}

// operationsPerTag is how many operations of a tag the overview shows.
const operationsPerTag = 5

// API is the overview of one API.
func (p *Pages) API(r *request.Request) error {
	e, err := p.Catalog.API(catalogCtx(r), r.Param("api"))
	if err != nil {
		return err
	}
	tags, err := p.Catalog.Tags(r.Ctx(), e.Version.ID, operationsPerTag)
	if err != nil {
		return err
	}
	offerings, err := p.Plans.OfferingsOf(r.Ctx(), e.Version.ID)
	if err != nil {
		return err
	}
	mine, err := p.mine(r)
	if err != nil {
		return err
	}
	base := e.Version.BaseURL(p.GatewayURL)
	props := page.APIProps{
		Name: e.Name, Version: versionLabel(e.Version.Label), Status: lifecycle(e.Version.Lifecycle), Summary: e.Summary,
		Description: component.Markdown(e.Version.Description), BaseURL: base, AuthText: authText(e),
		Plans: planRows(offerings, mine), Operations: operationCount(e.Version.OperationCount),
		OpsURL: apiURL(e.Slug, "ops"), DownloadURL: apiURL(e.Slug, "openapi.json"),
	}
	if e.Version.Lifecycle == catalog.Deprecated {
		props.Sunset = "A newer version will replace it."
	}
	if len(offerings) > 0 {
		props.Subscribe = component.LinkButtonProps{Label: "See plans", URL: "/pricing/" + offerings[0].Slug, Kind: component.Primary}
	}
	if len(offerings) == 0 && permissions.Allows(r.Identity.Role, permissions.ManageCatalog) {
		props.Subscribe = component.LinkButtonProps{Label: "Make a product of it", URL: "/studio/products/new", Kind: component.Primary}
	}
	for i, t := range tags {
		props.Tags = append(props.Tags, tagGroup(e.Slug, i, t))
	}
	if len(tags) > 0 {
		props.Auth = authCode(base, tags[0].First[0])
	}
	return r.Page(page.API(r.Layout(e.Name), props))
}

func authText(e catalog.Entry) string {
	const send = "Send your key as “Authorization: Bearer <key>” or “X-API-Key: <key>”. "
	if e.TestUpstream == "" {
		return send + "This API takes live keys only."
	}
	return send + "Test keys work on the same address and are never billed."
}

func authCode(base string, row catalog.Row) component.CodeProps {
	code := fmt.Sprintf("curl %s \\\n  -H 'Authorization: Bearer %s'\n", "'"+base+strings.ReplaceAll(row.Path, "'", "%27")+"'", KeyPlaceholder)
	if row.Method != "GET" {
		code = strings.Replace(code, "curl ", "curl -X "+row.Method+" ", 1)
	}
	return component.CodeProps{ID: "auth-call", Title: "A call with its key", Code: component.Highlight("bash", code)}
}

func tagGroup(api string, number int, t catalog.Tag) page.TagGroup {
	g := page.TagGroup{ID: "tag-" + strconv.Itoa(number+1), Name: tagName(t.Name), Count: operationCount(t.Count), URL: tagURL(api, t.Name)}
	for _, row := range t.First {
		g.Operations = append(g.Operations, operationLink(api, row, ""))
	}
	return g
}

func tagName(name string) string {
	if name == "" {
		return "Operations"
	}
	return name
}

func operationLink(api string, row catalog.Row, current string) page.OperationLink {
	return page.OperationLink{Method: row.Method, Path: row.Path, Summary: operationTitle(row.Summary, row.Method, row.Path), URL: apiURL(api, row.Slug),
		Deprecated: row.Deprecated, Current: row.Slug == current}
}

func operationTitle(summary, method, path string) string {
	if summary == "" {
		return method + " " + path
	}
	return summary
}

// Operations is the search in one API's operations.
func (p *Pages) Operations(r *request.Request) error {
	e, err := p.Catalog.API(catalogCtx(r), r.Param("api"))
	if err != nil {
		return err
	}
	in := catalog.OperationQuery{Version: e.Version.ID, Text: r.Query("q"), Tag: r.Query("tag"), Page: max(r.QueryInt("page", 1), 1)}
	rows, total, err := p.Catalog.Operations(r.Ctx(), in)
	if err != nil {
		return err
	}
	tags, err := p.Catalog.Tags(r.Ctx(), e.Version.ID, 0)
	if err != nil {
		return err
	}
	action := apiURL(e.Slug, "ops")
	props := page.OperationsProps{APIName: e.Name, APIURL: apiURL(e.Slug), Action: action, Query: in.Text, Total: operationCount(total)}
	if in.Text != "" {
		props.Total = format.Counted(int64(total), "operation matches", "operations match")
	}
	values := url.Values{"q": {in.Text}, "tag": {in.Tag}}
	props.Pager = pager(action, values, in.Page, total, catalog.PageSize)
	props.Tags = append(props.Tags, component.TabProps{Label: "All", URL: address(action, url.Values{"q": {in.Text}}), Current: in.Tag == ""})
	for _, t := range tags {
		props.Tags = append(props.Tags, component.TabProps{Label: tagName(t.Name), Count: format.Count(int64(t.Count)), Current: in.Tag == t.Name && t.Name != "",
			URL: address(action, url.Values{"q": {in.Text}, "tag": {t.Name}})})
	}
	for _, row := range rows {
		props.Operations = append(props.Operations, operationLink(e.Slug, row, ""))
	}
	return r.Page(page.Operations(r.Layout("Operations of "+e.Name), props))
}

// address adds the values that are set to a path.
func address(path string, values url.Values) string {
	set := url.Values{}
	for name, v := range values {
		if len(v) > 0 && v[0] != "" {
			set[name] = v
		}
	}
	if len(set) == 0 {
		return path
	}
	return path + "?" + set.Encode()
}

// pageOf is the requested page of a list, from 1, and its half-open range.
func pageOf(r *request.Request, total, size int) (number, first, last int) {
	number = min(max(r.QueryInt("page", 1), 1), max((total+size-1)/size, 1))
	first = (number - 1) * size
	return number, first, min(first+size, total)
}

func pager(path string, values url.Values, number, total, size int) component.PagerProps {
	if total <= size {
		return component.PagerProps{}
	}
	at := func(n int) string {
		v := url.Values{"page": {strconv.Itoa(n)}}
		for name, given := range values {
			v[name] = given
		}
		return address(path, v)
	}
	first := (number - 1) * size
	p := component.PagerProps{Summary: format.Count(int64(first+1)) + "–" + format.Count(int64(min(first+size, total))) + " of " + format.Count(int64(total))}
	if number > 1 {
		p.PrevURL = at(number - 1)
	}
	if first+size < total {
		p.NextURL = at(number + 1)
	}
	return p
}
