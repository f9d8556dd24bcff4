package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse reads a document. The Document it returns is never nil and says in its
// findings what is wrong; when one of them is an error, Parse also returns a
// *NotPublishableError with the same findings. It never reads anything but data.
func Parse(data []byte) (doc *Document, err error) {
	doc = &Document{}
	found := newFindings()
	defer func() {
		// The YAML reader is not ours; a panic in it must not end the program.
		if p := recover(); p != nil {
			doc = &Document{}
			found.err("unreadable", place{}, "The document could not be read: %.200s.", fmt.Sprint(p))
			doc.Findings = found.finish(nil)
		}
		if !doc.Publishable() {
			err = &NotPublishableError{Findings: doc.Findings}
		}
	}()
	src, root := read(data, found)
	if root != nil {
		doc.fill(root, found)
	}
	doc.Findings, doc.Omitted = found.finish(root), found.omitted
	if isJSON(src) {
		characters(doc.Findings, src)
	}
	return doc, nil
}

// read turns bytes into a tree, or finds out why that cannot be done.
func read(data []byte, found *findings) (string, *node) {
	if len(data) > MaxBytes {
		found.err("too-large", place{}, "The document is larger than %d MB; split it into several APIs.", MaxBytes>>20)
		return "", nil
	}
	src := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(src) {
		found.err("not-utf8", firstInvalid(src), "The document is not UTF-8 text; save it as UTF-8.")
		return "", nil
	}
	trimmed := strings.TrimSpace(src)
	switch {
	case trimmed == "":
		found.err("empty", place{}, "The document is empty.")
		return "", nil
	case trimmed[0] == '<':
		found.err("not-openapi", place{1, 1}, "This is a web page or XML, not an OpenAPI document; use the address of the JSON or YAML file itself.")
		return "", nil
	}
	scan := scanYAML
	if isJSON(src) {
		scan = scanJSON
	}
	root, err := scan(src, found)
	if err != nil {
		var s *syntaxError
		ok := errors.As(err, &s)
		if !ok {
			s = &syntaxError{code: "syntax", msg: err.Error()}
		}
		found.err(s.code, s.at, "%s", s.msg)
		return src, nil
	}
	if root.kind != kindObject {
		found.err("not-openapi", root.at, "The document is %s; an OpenAPI document is an object that starts with openapi or swagger.", root.kind)
		return src, nil
	}
	return src, root
}

func isJSON(src string) bool {
	trimmed := strings.TrimLeft(src, " \t\r\n")
	return trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[')
}

func firstInvalid(s string) place {
	i := 0
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return place{line: int32(1 + strings.Count(s[:i], "\n"))}
}

// fill derives everything from the tree as written.
func (d *Document) fill(root *node, found *findings) {
	if d.Format = formatName(root, found); d.Format == "" {
		return
	}
	if strings.HasPrefix(d.Format, "Swagger") {
		root = convertSwagger(root)
	}
	d.root = root
	res := newResolver(root)
	checkInfo(root, found)
	eps := endpoints(root, res, found)
	check(root, eps, res, found)

	info := root.get("info")
	d.Title, d.Version = clipText(info.scalar("title"), 300), clipText(info.scalar("version"), 100)
	d.Description = clipText(info.scalar("description"), 200<<10)
	for _, m := range root.list("servers") {
		if url := m.value.str("url"); url != "" && len(d.Servers) < 50 {
			d.Servers = append(d.Servers, clipText(serverURL(m.value), 500))
		}
	}
	d.SecuritySchemes = securitySchemes(root, res)
	d.Operations = buildOperations(root, eps, res)
	d.Tags = tags(root, d.Operations)
}

// formatName names the specification and its version, or finds that it is unknown.
func formatName(root *node, found *findings) string {
	openapi, swagger := root.scalar("openapi"), root.scalar("swagger")
	switch {
	case strings.HasPrefix(openapi, "3.0") || strings.HasPrefix(openapi, "3.1"):
		return "OpenAPI " + clipText(openapi, 20)
	case swagger == "2.0" || swagger == "2":
		return "Swagger 2.0"
	case openapi != "" || swagger != "":
		found.err("unsupported-version", at(root.get("openapi"), root.get("swagger")), "The document is of version %.20q; supported are OpenAPI 3.1, OpenAPI 3.0 and Swagger 2.0.", openapi+swagger)
	default:
		found.err("not-openapi", root.at, "The document has neither openapi nor swagger at its top, so it is no OpenAPI document.")
	}
	return ""
}

// serverURL is a server's address with its variables' defaults filled in.
func serverURL(server *node) string {
	url := server.str("url")
	for i, v := range server.fields("variables") {
		if i == 20 {
			break
		}
		url = strings.ReplaceAll(url, "{"+v.name+"}", clipText(v.value.scalar("default"), 200))
	}
	return url
}

func securitySchemes(root *node, res *resolver) []SecurityScheme {
	var out []SecurityScheme
	for _, m := range root.get("components").fields("securitySchemes") {
		n := res.deref(m.value)
		if !n.isObject() || len(out) == 100 {
			continue
		}
		out = append(out, SecurityScheme{
			Name: clipText(m.name, 200), Type: clipText(n.str("type"), 40), Scheme: clipText(n.str("scheme"), 40),
			In: clipText(n.str("in"), 20), Field: clipText(n.str("name"), 200), Description: clipText(n.str("description"), 4096),
		})
	}
	return out
}

// tags lists the declared tags, then those that only operations name.
func tags(root *node, ops []Operation) []Tag {
	var out []Tag
	known := map[string]bool{}
	for _, m := range root.list("tags") {
		if name := clipText(m.value.scalar("name"), 200); name != "" && !known[name] {
			known[name] = true
			out = append(out, Tag{Name: name, Description: clipText(m.value.str("description"), 16<<10)})
		}
	}
	for _, op := range ops {
		if op.Tag != "" && !known[op.Tag] {
			known[op.Tag] = true
			out = append(out, Tag{Name: op.Tag})
		}
	}
	return slices.Clip(out)
}
