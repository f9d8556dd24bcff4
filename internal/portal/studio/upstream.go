package studio

import (
	"strconv"
	"strings"
	"time"

	"tollgate/internal/catalog"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
	"tollgate/internal/upstream"
	"tollgate/web/component"
	"tollgate/web/page"
)

func upstreamURL(slug string) string { return "/studio/apis/" + slug + "/upstream" }

// Upstream shows where an API's calls go, and how.
func (p *Pages) Upstream(r *request.Request) error {
	u, err := p.Catalog.Upstream(r.Ctx(), r.Param("api"))
	if err != nil {
		return err
	}
	props, err := p.upstreamProps(r, u)
	if err != nil {
		return err
	}
	props.Targets = targetRows(u)
	fillPolicy(&props, func(s page.UpstreamSetting) string { return settingOf(s.Name, u) }, nil)
	return r.Page(page.Upstream(r.Layout(props.API+" upstream"), props))
}

func (p *Pages) upstreamProps(r *request.Request, u catalog.Upstream) (page.UpstreamProps, error) {
	e, err := p.Catalog.API(r.Ctx(), r.Param("api"))
	return page.UpstreamProps{API: e.Name, Version: e.Version.Label, ID: u.ID.String(), Action: upstreamURL(e.Slug), Balances: balances(string(u.Policy.Balance))}, err
}

func balances(chosen string) []component.Option {
	return option(chosen, "", "Round robin, by weight", string(upstream.LeastRequests), "Least requests, by weight")
}

func targetRows(u catalog.Upstream) (rows []page.TargetInput) {
	for mode, targets := range map[string][]upstream.Target{"live": u.Live, "test": u.Test} {
		for _, t := range targets {
			rows = append(rows, page.TargetInput{Mode: mode, URL: page.Input{Value: t.URL}, Weight: page.Input{Value: strconv.Itoa(t.Weight)}})
		}
	}
	return page.SortTargets(rows)
}

// ChangeUpstream takes the posted settings.
func (p *Pages) ChangeUpstream(r *request.Request) error {
	u, err := p.Catalog.Upstream(r.Ctx(), r.Param("api"))
	if err != nil {
		return err
	}
	in, rows, invalid := readUpstreamForm(r)
	props, err := p.upstreamProps(r, in)
	if err != nil {
		return err
	}
	if len(invalid) == 0 && r.Form("add_target") == "" {
		err = p.Catalog.ChangeUpstream(r.Ctx(), r.Identity.User, r.Param("api"), in)
		if err == nil {
			return r.RedirectWith("Gateways use the new settings within seconds.", props.Action)
		}
		fields, message, ok := refusal(err)
		if !ok {
			return err
		}
		for name, text := range fields {
			invalid[name] = text
		}
		props.Error = message
	}
	props.ID, props.Targets = u.ID.String(), mistakes(rows, invalid)
	props.TargetsError = firstOf(invalid["live"], invalid["test"])
	fillPolicy(&props, func(s page.UpstreamSetting) string { return r.Form(s.Name) }, invalid)
	if r.Form("add_target") != "" {
		props.Targets = append(props.Targets, page.TargetInput{Mode: "live"})
		return r.Page(page.Upstream(r.Layout(props.API+" upstream"), props))
	}
	return r.Invalid(page.Upstream(r.Layout(props.API+" upstream"), props))
}

// readUpstreamForm reads what was posted; rows are the targets that are not
// blank, in the order in which in holds them.
func readUpstreamForm(r *request.Request) (in catalog.Upstream, rows []page.TargetInput, invalid problem.Invalid) {
	invalid = problem.Invalid{}
	in.ID, _ = r.FormID("upstream") // one that is none conflicts
	modes, urls, weights := r.FormAll("target_mode"), r.FormAll("target_url"), r.FormAll("target_weight")
	for i := range min(len(modes), len(urls), len(weights), 2*catalog.MaxTargets) {
		if row := (page.TargetInput{Mode: modes[i], URL: page.Input{Value: strings.TrimSpace(urls[i])}, Weight: page.Input{Value: strings.TrimSpace(weights[i])}}); row.URL.Value != "" {
			rows = append(rows, row)
		}
	}
	rows = page.SortTargets(rows)
	for i, row := range rows {
		weight, err := format.ParseCount(firstOf(row.Weight.Value, "1"))
		if err != nil {
			rows[i].Weight.Error = err.Error()
			invalid.Check(false, "target", "%s", err)
		}
		t := upstream.Target{URL: row.URL.Value, Weight: int(min(weight, 1_000_000))}
		if row.Mode == "test" {
			in.Test = append(in.Test, t)
		} else {
			in.Live = append(in.Live, t)
		}
	}
	readPolicy(r, &in, invalid)
	return in, rows, invalid
}

// mistakes puts what is wrong with targets beside them.
func mistakes(rows []page.TargetInput, invalid map[string]string) []page.TargetInput {
	seen := map[string]int{}
	for i := range rows {
		mode := rows[i].Mode
		n := seen[mode]
		seen[mode]++
		rows[i].URL.Error = invalid[catalog.TargetField(mode, n, "url")]
		rows[i].Weight.Error = firstOf(rows[i].Weight.Error, invalid[catalog.TargetField(mode, n, "weight")])
	}
	return rows
}

// durationOf reads 250ms, 10s or 5m; nothing is the default.
func durationOf(text string, field string, invalid problem.Invalid) time.Duration {
	if text = strings.ReplaceAll(strings.TrimSpace(text), " ", ""); text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	invalid.Check(err == nil && d > 0, field, "Write a time such as 250ms, 10s or 5m.")
	return d
}
