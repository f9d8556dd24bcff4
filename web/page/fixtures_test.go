package page

import (
	"github.com/a-h/templ"

	"tollgate/web/component"
	"tollgate/web/layout"
)

// fixture is one page with what it shows.
type fixture struct {
	name string // also its address in the browser test
	page func(layout.Props) templ.Component
	path string // marks the navigation
	anon bool   // shown to somebody who is not signed in
}

func with[P any](render func(layout.Props, P) templ.Component, props P) func(layout.Props) templ.Component {
	return func(l layout.Props) templ.Component { return render(l, props) }
}

// fixtures are all pages, full of realistic content and with none.
func fixtures() []fixture {
	all := append(publicFixtures(), consoleFixtures()...)
	all = append(all, studioFixtures()...)
	return append(all, financeFixtures()...)
}

func (f fixture) layout(nonce string) layout.Props {
	l := layout.Props{Title: f.name, Description: "A page of the tests.", Nonce: nonce, Path: f.path, Demo: &layout.DemoProps{Now: "23 November 2026, 04:56 UTC"}}
	if !f.anon {
		l.Mode = "live"
		l.User = &layout.UserProps{Name: "Ada Keller", Email: "ada@nordlicht.example", Organization: "Nordlicht Maps GmbH", Areas: []layout.NavItem{
			{Label: "Console", URL: "/console", Icon: "terminal"}, {Label: "Studio", URL: "/studio", Icon: "boxes"},
			{Label: "Finance", URL: "/finance/invoices", Icon: "receipt-text"}, {Label: "Operations", URL: "/ops", Icon: "activity"},
		}}
	}
	return l
}

func ago(text string) component.TimeProps {
	return component.TimeProps{Text: text, ISO: "2026-11-23T04:53:00Z", Full: "23 Nov 2026, 04:53 UTC"}
}

func badge(label string, tone component.Tone) component.BadgeProps {
	return component.BadgeProps{Label: label, Tone: tone}
}

func link(label, url string) component.LinkButtonProps {
	return component.LinkButtonProps{Label: label, URL: url}
}

func primary(label, url string) component.LinkButtonProps {
	return component.LinkButtonProps{Label: label, URL: url, Kind: component.Primary}
}

const sampleJSON = `{
  "city": "Bern",
  "observed_at": "2026-11-23T04:50:00Z",
  "temperature": { "celsius": 4.5, "feels_like": 1.8 },
  "wind": { "speed_ms": 3.2, "direction": "NW" },
  "rain": false,
  "station": "wx_06631"
}`

func sampleTabs(id string) component.CodeTabsProps {
	return component.CodeTabsProps{ID: id, Title: "Get the current weather", Samples: []component.Sample{
		{Language: "curl", Label: "curl", Code: component.Highlight("bash", "curl \"https://gw.tollgate.example/weather/v2/current?city=Bern\" \\\n  -H \"Authorization: Bearer tg_test_4fK2…\"")},
		{Language: "javascript", Label: "JavaScript", Code: component.Highlight("javascript", "const answer = await fetch(\n  \"https://gw.tollgate.example/weather/v2/current?city=Bern\",\n  { headers: { Authorization: `Bearer ${process.env.WEATHER_KEY}` } },\n);\nif (!answer.ok) throw new Error(await answer.text());\nconsole.log(await answer.json());")},
		{Language: "python", Label: "Python", Code: component.Highlight("python", "import os, requests\n\nanswer = requests.get(\n    \"https://gw.tollgate.example/weather/v2/current\",\n    params={\"city\": \"Bern\"},\n    headers={\"Authorization\": f\"Bearer {os.environ['WEATHER_KEY']}\"},\n    timeout=10,\n)\nanswer.raise_for_status()\nprint(answer.json())")},
		{Language: "go", Label: "Go", Code: component.Highlight("go", "req, err := http.NewRequest(http.MethodGet,\n\t\"https://gw.tollgate.example/weather/v2/current?city=Bern\", nil)\nif err != nil {\n\treturn err\n}\nreq.Header.Set(\"Authorization\", \"Bearer \"+os.Getenv(\"WEATHER_KEY\"))\nresp, err := http.DefaultClient.Do(req)")},
	}}
}
