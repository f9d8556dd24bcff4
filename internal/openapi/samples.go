package openapi

import (
	"strconv"
	"strings"
)

// Sample is a working program, or command, that makes a call.
type Sample struct {
	Language string `json:"language"` // curl, JavaScript, Python, Go
	Code     string `json:"code"`
}

// SampleInput is what a sample needs beyond the operation.
type SampleInput struct {
	BaseURL string // the gateway's, with or without a slash at its end
	Key     string // an API key, or a placeholder for one
}

// Samples returns the operation's example call in each language. Python uses
// requests, the others what comes with them.
func Samples(op *Operation, in SampleInput) []Sample {
	c := newCall(op, in)
	return []Sample{
		{"curl", c.curl()},
		{"JavaScript", c.javaScript()},
		{"Python", c.python()},
		{"Go", c.golang()},
	}
}

// quoteShell writes s as one word for a POSIX shell. A word cannot hold NUL.
func quoteShell(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// quoteScript writes s as a string of JavaScript or Python.
func quoteScript(s string) string { return string(appendString(nil, s)) }

func (c *call) curl() string {
	var words []string
	switch {
	case c.method == "HEAD":
		words = append(words, "--head")
	case c.method != "GET":
		words = append(words, "-X "+c.method)
	}
	if strings.ContainsAny(c.url, "[]{}") {
		words = append(words, "--globoff")
	}
	first := strings.Join(append(append([]string{"curl"}, words...), quoteShell(c.url)), " ")
	lines := []string{first}
	for _, h := range c.headers {
		lines = append(lines, "-H "+quoteShell(h.name+": "+h.value))
	}
	switch {
	case c.json != nil:
		lines = append(lines, "--data-raw "+quoteShell(indented(c.json, literalsJSON)))
	case c.text != "":
		lines = append(lines, "--data-raw "+quoteShell(c.text))
	case c.file:
		lines = append(lines, "--data-binary @file.bin")
	}
	for _, p := range c.parts {
		if p.file {
			lines = append(lines, "-F "+quoteShell(`"`+escapeForm(p.name)+`"=@file.bin`))
		} else {
			lines = append(lines, "--form-string "+quoteShell(p.name+"="+p.value))
		}
	}
	return strings.Join(lines, " \\\n  ") + "\n"
}

func escapeForm(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

func (c *call) javaScript() string {
	var b strings.Builder
	body := ""
	switch {
	case c.json != nil && safeInScript(c.json):
		body = "JSON.stringify(" + shift(indented(c.json, literalsJSON), "  ") + ")"
	case c.hasText():
		body = quoteScript(c.text)
	case c.file:
		b.WriteString("import { readFile } from \"node:fs/promises\";\n\n")
		body = `await readFile("file.bin")`
	case len(c.parts) > 0:
		b.WriteString("const form = new FormData();\n")
		for _, p := range c.parts {
			value := quoteScript(p.value)
			if p.file {
				value = "new Blob([" + value + `]), "file.bin"`
			}
			b.WriteString("form.append(" + quoteScript(p.name) + ", " + value + ");\n")
		}
		b.WriteString("\n")
		body = "form"
	}
	b.WriteString("const response = await fetch(" + quoteScript(c.url) + ", {\n  method: " + quoteScript(c.method) + ",\n  headers: {\n")
	for _, h := range c.headers {
		b.WriteString("    " + quoteScript(h.name) + ": " + quoteScript(h.value) + ",\n")
	}
	b.WriteString("  },\n")
	if body != "" {
		b.WriteString("  body: " + body + ",\n")
	}
	b.WriteString("});\nconsole.log(response.status);\nconsole.log(await response.text());\n")
	return b.String()
}

// safeInScript reports whether JavaScript reads the value as JSON does: it
// rounds long numbers and takes __proto__ for something else.
func safeInScript(n *node) bool {
	if n.kind == kindNumber && len(n.text) > 15 {
		return false
	}
	for _, m := range n.kids {
		if m.name == "__proto__" || !safeInScript(m.value) {
			return false
		}
	}
	return true
}

func (c *call) python() string {
	var b strings.Builder
	b.WriteString("import requests\n\n")
	switch c.method {
	case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS":
		b.WriteString("response = requests." + strings.ToLower(c.method) + "(\n")
	default:
		b.WriteString("response = requests.request(\n    " + quoteScript(c.method) + ",\n")
	}
	b.WriteString("    " + quoteScript(c.url) + ",\n    headers={\n")
	for _, h := range c.headers {
		b.WriteString("        " + quoteScript(h.name) + ": " + quoteScript(h.value))
		if !ascii(h.value) {
			b.WriteString(`.encode("utf-8")`)
		}
		b.WriteString(",\n")
	}
	b.WriteString("    },\n")
	switch {
	case c.json != nil:
		b.WriteString("    json=" + shift(indented(c.json, literalsPython), "    ") + ",\n")
	case c.text != "":
		b.WriteString("    data=" + quoteScript(c.text) + `.encode("utf-8"),` + "\n")
	case c.file:
		b.WriteString("    data=open(\"file.bin\", \"rb\"),\n")
	case len(c.parts) > 0:
		b.WriteString("    files=[\n")
		for _, p := range c.parts {
			value := "(None, " + quoteScript(p.value) + ")"
			if p.file {
				value = `("file.bin", open("file.bin", "rb"))`
			}
			b.WriteString("        (" + quoteScript(p.name) + ", " + value + "),\n")
		}
		b.WriteString("    ],\n")
	}
	b.WriteString("    timeout=30,\n)\nprint(response.status_code)\nprint(response.text)\n")
	return b.String()
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// literals are a language's words for JSON's three.
type literals struct{ yes, no, null string }

var (
	literalsJSON   = literals{"true", "false", "null"}
	literalsPython = literals{"True", "False", "None"}
)

// indented writes a value over several lines.
func indented(n *node, words literals) string {
	var b strings.Builder
	writeIndented(&b, n, words, "\n")
	return b.String()
}

func writeIndented(b *strings.Builder, n *node, words literals, newline string) {
	switch {
	case n.kind == kindNull:
		b.WriteString(words.null)
	case n.kind == kindBool && n.text == "true":
		b.WriteString(words.yes)
	case n.kind == kindBool:
		b.WriteString(words.no)
	case n.kind == kindString:
		b.WriteString(quoteScript(n.text))
	case n.kind == kindNumber:
		b.WriteString(n.text)
	default:
		open, end := "[", "]"
		if n.kind == kindObject {
			open, end = "{", "}"
		}
		b.WriteString(open)
		for i, m := range n.kids {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(newline + "  ")
			if n.kind == kindObject {
				b.WriteString(quoteScript(m.name) + ": ")
			}
			writeIndented(b, m.value, words, newline+"  ")
		}
		if len(n.kids) > 0 {
			b.WriteString(newline)
		}
		b.WriteString(end)
	}
}

// shift indents all lines of an indented value but the first. Its strings
// hold no line breaks of their own.
func shift(s, by string) string { return strings.ReplaceAll(s, "\n", "\n"+by) }

// quoteGo writes s as a Go string, raw where that reads better.
func quoteGo(s string) string {
	if strings.Contains(s, "\n") && strconv.CanBackquote(strings.ReplaceAll(s, "\n", "")) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}
