package catalog

import (
	"strings"
	"unicode"
)

// query is what somebody typed into a search box, taken apart.
type query struct {
	method string // of the HTTP methods, when it was typed first
	words  string // for to_tsquery: each word as a prefix, all needed
	like   string // for LIKE on the lower-case path
}

var methods = map[string]bool{"GET": true, "PUT": true, "POST": true, "DELETE": true, "PATCH": true, "HEAD": true, "OPTIONS": true}

// maxWords bounds the work that one query makes.
const maxWords = 12

func parseQuery(text string) query {
	text = storableText(strings.TrimSpace(text))
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	var q query
	first, rest, _ := strings.Cut(text, " ")
	if methods[strings.ToUpper(first)] && strings.HasPrefix(strings.TrimSpace(rest), "/") || first != "" && first == strings.ToUpper(first) && methods[first] {
		q.method, text = strings.ToUpper(first), strings.TrimSpace(rest)
	}
	found := words(text)
	for i, w := range found[:min(len(found), maxWords)] {
		if i > 0 {
			q.words += " & "
		}
		q.words += w + ":*"
	}
	q.like = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text))
	return q
}

// words takes text apart at everything that is not a letter or digit, and
// where a capital follows a small letter: getUserByName has four.
func words(text string) []string {
	var out []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			out = append(out, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	last := rune(0)
	for _, c := range text {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			end()
		} else {
			if unicode.IsUpper(c) && unicode.IsLower(last) {
				end()
			}
			word.WriteRune(c)
		}
		last = c
	}
	end()
	return out
}
