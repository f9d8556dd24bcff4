package component

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestMarkdownIsSanitized(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ source, want string }{
		"emphasis":         {"**a** `b`", "<p><strong>a</strong> <code>b</code></p>"},
		"headings go down": {"# A", "<h3>A</h3>"},
		"deep headings":    {"###### A", "<h6>A</h6>"},
		"script":           {"<script>alert(1)</script>", ""},
		"handler":          {`<b onclick="x()">a</b>`, "<p>a</p>"},
		"javascript link":  {"[a](javascript:alert(1))", "<p>a</p>"},
		"data link":        {"[a](data:text/html,x)", "<p>a</p>"},
		"image":            {"![a](https://example.com/t.png)", "<p></p>"},
		"link":             {"[a](https://example.com)", `<p><a href="https://example.com" rel="nofollow noreferrer">a</a></p>`},
		"style":            {`<p style="position:fixed">a</p>`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Markdown(test.source).markup; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestHighlightEscapes(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"json", "bash", "javascript", "python", "go", "no such language"} {
		got := Highlight(language, `{"a": "</code><script>alert(1)</script>"}`).markup
		if strings.Contains(got, "<script") || strings.Contains(got, "style=") {
			t.Errorf("%s: %s", language, got)
		}
	}
}

// FuzzMarkdown looks for markup that could run or call out.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# a\n- b\n", "<svg/onload=x>", "[a](java\nscript:x)", "<a href='&#106;avascript:x'>", "|a|\n|-|\n|b|"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tokens := html.NewTokenizer(strings.NewReader(Markdown(source).markup))
		for tokens.Next() != html.ErrorToken {
			token := tokens.Token()
			switch token.Data {
			case "script", "style", "iframe", "img", "svg", "form", "input", "object", "link", "meta":
				if token.Type != html.TextToken {
					t.Fatalf("<%s> from %q", token.Data, source)
				}
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.Contains(strings.ToLower(a.Val), "javascript:") && a.Key == "href" && !strings.HasPrefix(a.Val, "http") {
					t.Fatalf("%s=%q from %q", a.Key, a.Val, source)
				}
			}
		}
	})
}

func TestEveryIconHasShapes(t *testing.T) {
	t.Parallel()
	for name, shapes := range icons() {
		if !strings.HasPrefix(shapes, "<") || strings.Contains(shapes, "<svg") {
			t.Errorf("%s: %q", name, shapes)
		}
	}
}
