package component

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

func TestSamplesAreMarkedUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ language, source, want string }{
		{"json", `{"a": "<b>", "n": 1.5, "t": true}`, `<span class="nt">&#34;a&#34;</span>: <span class="s">&#34;&lt;b&gt;&#34;</span>`},
		{"json", `{"n": 1.5}`, `<span class="m">1.5</span>`},
		{"bash", `curl 'a\' # note`, `<span class="k">curl</span> <span class="s">&#39;a\&#39;</span> <span class="c1"># note</span>`},
		{"go", "x := `a\\` + \"\\\"\"", "<span class=\"s\">`a\\`</span> + <span class=\"s\">&#34;\\&#34;&#34;</span>"},
		{"python", `import x2`, `<span class="k">import</span> x2`},
		{"javascript", `"unended`, `<span class="s">&#34;unended</span>`},
	} {
		if got := Highlight(c.language, c.source).markup; !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.language, got)
		}
	}
}

var span = regexp.MustCompile(`<span class="[a-z0-9]+">|</span>`)

func FuzzHighlightingKeepsTheSource(f *testing.F) {
	f.Add("json", `{"a": 1}`)
	f.Add("bash", `curl 'x' # <script>`)
	f.Fuzz(func(t *testing.T, language, source string) {
		if _, ours := grammars[language]; !ours || strings.Contains(source, "\x00") || strings.Contains(source, "\r") {
			return
		}
		got := Highlight(language, source).markup
		if text := html.UnescapeString(span.ReplaceAllString(got, "")); len(source) <= longestHighlight && text != source {
			t.Errorf("%q became %q", source, text)
		}
	})
}
