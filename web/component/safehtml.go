// Package component holds the building blocks of every page. Components look
// nothing up: props arrive formatted and hold exactly what is shown.
package component

import (
	"bytes"
	"embed"
	"strings"
	"sync"

	"github.com/a-h/templ"
	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// This file is the only one that writes HTML without escaping. Every way to make
// a SafeHTML is in it, and each one escapes or sanitizes what it is given.

// SafeHTML is markup that may be written as it is. Its zero value is empty.
type SafeHTML struct{ markup string }

// IsZero tells whether there is nothing to show.
func (s SafeHTML) IsZero() bool { return s.markup == "" }

// Raw renders the markup.
func (s SafeHTML) Raw() templ.Component { return templ.Raw(s.markup) }

// Plain escapes text, for code in a language that nothing highlights.
func Plain(text string) SafeHTML { return SafeHTML{templ.EscapeString(text)} }

// longestHighlight bounds the work on one sample, in bytes.
const longestHighlight = 64 << 10

var codeFormat = sync.OnceValue(func() *html.Formatter {
	return html.New(html.WithClasses(true), html.PreventSurroundingPre(true))
})

// Highlight marks up source code with classes. Languages are chroma's names, such
// as json, bash, javascript, python and go; an unknown one is shown plain.
func Highlight(language, source string) SafeHTML {
	if g, ok := grammars[language]; ok && len(source) <= longestHighlight {
		return marked(g.tokens(source))
	}
	lexer := lexers.Get(language)
	if lexer == nil || len(source) > longestHighlight {
		return Plain(source)
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, source)
	if err != nil {
		return Plain(source)
	}
	var out bytes.Buffer
	if err := codeFormat().Format(&out, styles.Fallback, tokens); err != nil {
		return Plain(source)
	}
	return SafeHTML{out.String()}
}

// marked escapes each token and wraps it in its class.
func marked(tokens []token) SafeHTML {
	var out strings.Builder
	for _, t := range tokens {
		if t.class == "" {
			out.WriteString(templ.EscapeString(t.text))
			continue
		}
		out.WriteString(`<span class="` + t.class + `">` + templ.EscapeString(t.text) + `</span>`)
	}
	return SafeHTML{out.String()}
}

var markdown = sync.OnceValue(func() goldmark.Markdown {
	lower := parser.WithASTTransformers(util.Prioritized(headingLowerer{}, 100))
	return goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(lower))
})

// descriptions come from documents of strangers: no images (they would call out),
// no classes, no ids, no raw HTML but what the policy lists.
var descriptions = sync.OnceValue(func() *bluemonday.Policy {
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "del",
		"code", "pre", "blockquote", "table", "thead", "tbody", "tr", "th", "td")
	policy.AllowAttrs("href").OnElements("a")
	policy.AllowURLSchemes("http", "https", "mailto")
	policy.AllowRelativeURLs(true)
	policy.RequireParseableURLs(true)
	policy.RequireNoFollowOnLinks(true)
	policy.RequireNoReferrerOnLinks(true)
	return policy
})

// Markdown renders text of any origin, sanitized. Its headings start at h3, since
// the page around it owns h1 and h2.
func Markdown(source string) SafeHTML {
	var out bytes.Buffer
	if err := markdown().Convert([]byte(source), &out); err != nil {
		return Plain(source)
	}
	return SafeHTML{strings.TrimSpace(descriptions().Sanitize(out.String()))}
}

// headingLowerer moves headings two levels down.
type headingLowerer struct{}

func (headingLowerer) Transform(document *ast.Document, _ text.Reader, _ parser.Context) {
	for node := document.FirstChild(); node != nil; node = node.NextSibling() {
		if heading, ok := node.(*ast.Heading); ok {
			heading.Level = min(heading.Level+2, 6)
		}
	}
}

//go:embed icons/*.svg
var iconFiles embed.FS

// icons maps a lucide name to the shapes inside its <svg>.
var icons = sync.OnceValue(func() map[string]string {
	entries, err := iconFiles.ReadDir("icons")
	if err != nil {
		panic(err)
	}
	all := make(map[string]string, len(entries))
	for _, entry := range entries {
		body, err := iconFiles.ReadFile("icons/" + entry.Name())
		if err != nil {
			panic(err)
		}
		_, rest, _ := strings.Cut(string(body), "<svg")
		_, shapes, _ := strings.Cut(rest, ">")
		shapes, _, _ = strings.Cut(shapes, "</svg>")
		all[strings.TrimSuffix(entry.Name(), ".svg")] = strings.Join(strings.Fields(shapes), " ")
	}
	return all
})

// IconNames lists the icons there are.
func IconNames() []string {
	names := make([]string, 0, len(icons()))
	for name := range icons() {
		names = append(names, name)
	}
	return names
}

// iconShapes returns the inside of an icon. An unknown name is a programming error.
func iconShapes(name string) templ.Component {
	shapes, ok := icons()[name]
	if !ok {
		panic("component: no icon " + name)
	}
	return templ.Raw(shapes)
}
