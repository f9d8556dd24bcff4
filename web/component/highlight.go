package component

import (
	"strings"
	"unicode"
)

// The languages of samples are marked up by hand: a general highlighter takes
// longer for one page's samples than the rest of the page together.

// grammar is what a language needs for strings, comments, numbers and keywords
// to be told apart. Classes are those of the general highlighter.
type grammar struct {
	quotes   string // characters that begin and end a string
	raw      string // those of them in which a backslash is plain
	comment  string // begins a comment to the end of the line
	keys     bool   // a string before a colon is a key
	keywords map[string]bool
}

func keywords(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

var grammars = map[string]grammar{
	"json":       {quotes: `"`, keys: true, keywords: keywords("true false null")},
	"bash":       {quotes: `"'`, raw: "'", comment: "#", keywords: keywords("curl")},
	"javascript": {quotes: "\"'`", comment: "//", keywords: keywords("const let var await async function return if else new throw import from export true false null undefined")},
	"python":     {quotes: `"'`, comment: "#", keywords: keywords("import from as def return if else for in with raise not and or True False None")},
	"go":         {quotes: "\"`'", raw: "`", comment: "//", keywords: keywords("package import func return if else for range var const type struct defer nil true false err")},
}

// token is a part of source code with its class; plain text has none.
type token struct{ class, text string }

// tokens takes source apart. The texts, put together, are the source.
func (g grammar) tokens(source string) (out []token) {
	plain := 0
	emit := func(class string, from, to int) {
		if plain < from {
			out = append(out, token{"", source[plain:from]})
		}
		out = append(out, token{class, source[from:to]})
		plain = to
	}
	for i := 0; i < len(source); {
		c := source[i]
		end := i + 1
		switch {
		case strings.IndexByte(g.quotes, c) >= 0:
			end = g.stringEnd(source, i)
			class := "s"
			if g.keys && strings.HasPrefix(strings.TrimLeft(source[end:min(end+8, len(source))], " "), ":") {
				class = "nt"
			}
			emit(class, i, end)
		case g.comment != "" && strings.HasPrefix(source[i:], g.comment):
			end = len(source)
			if n := strings.IndexByte(source[i:], '\n'); n >= 0 {
				end = i + n
			}
			emit("c1", i, end)
		case wordByte(c):
			for end < len(source) && (wordByte(source[end]) || source[end] == '.' && unicode.IsDigit(rune(c))) {
				end++
			}
			if g.keywords[source[i:end]] {
				emit("k", i, end)
			} else if c >= '0' && c <= '9' {
				emit("m", i, end)
			}
		}
		i = end
	}
	if plain < len(source) {
		out = append(out, token{"", source[plain:]})
	}
	return out
}

// stringEnd is where the string that begins at i ends.
func (g grammar) stringEnd(source string, i int) int {
	quote := source[i]
	plain := strings.IndexByte(g.raw, quote) >= 0
	for j := i + 1; j < len(source); j++ {
		switch {
		case source[j] == '\\' && !plain:
			j++
		case source[j] == quote:
			return j + 1
		}
	}
	return len(source)
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
