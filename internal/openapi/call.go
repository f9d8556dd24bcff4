package openapi

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// call is an example request, before it is written in a language.
type call struct {
	method, url string
	headers     []pair
	text        string // body as text
	json        *node  // the same body, when it is JSON
	parts       []part // of a multipart body
	file        bool   // the body is a file of the caller's
}

type pair struct{ name, value string }

// part is a field of a multipart body: a file of the caller's, or a value.
type part struct {
	pair
	file bool
}

func (c *call) hasText() bool { return c.text != "" || c.json != nil }

// newCall fills an operation's required parameters and body with examples.
func newCall(op *Operation, in SampleInput) *call {
	c := &call{method: op.Method}
	c.header("Authorization", "Bearer "+in.Key)
	if accept := op.accepts(); accept != "" {
		c.header("Accept", accept)
	}
	path, query, cookies := op.Path, []string(nil), []string(nil)
	for _, p := range op.Parameters {
		if !p.Required {
			continue
		}
		v := valueOf(p.Example)
		switch p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", strings.Join(escaped(flat(v)), ","))
		case "query":
			query = append(query, queryPairs(p, v)...)
		case "header":
			if !slices.Contains([]string{"authorization", "accept", "content-type"}, strings.ToLower(p.Name)) {
				c.header(p.Name, strings.Join(flat(v), ","))
			}
		case "cookie":
			cookies = append(cookies, url.QueryEscape(p.Name)+"="+url.QueryEscape(strings.Join(flat(v), ",")))
		}
	}
	if cookies != nil {
		c.header("Cookie", strings.Join(cookies, "; "))
	}
	c.url = strings.TrimRight(in.BaseURL, "/") + path
	if query != nil {
		c.url += "?" + strings.Join(query, "&")
	}
	if op.Method != "GET" && op.Method != "HEAD" && op.RequestBody != nil {
		c.body(op.RequestBody)
	}
	return c
}

// header adds a header; line breaks and other controls have no place in one.
func (c *call) header(name, value string) {
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, value)
	c.headers = append(c.headers, pair{name, value})
}

// accepts is the JSON media type of the first success, or "".
func (op *Operation) accepts() string {
	for _, r := range op.Responses {
		if !strings.HasPrefix(r.Status, "2") {
			continue
		}
		for _, c := range r.Content {
			if mediaKind(c.MediaTypes[0]) == mediaJSON {
				return c.MediaTypes[0]
			}
		}
	}
	return ""
}

func (c *call) body(b *Body) {
	if len(b.Content) == 0 {
		return
	}
	content := b.Content[0]
	if i := slices.IndexFunc(b.Content, func(c Content) bool { return mediaKind(c.MediaTypes[0]) == mediaJSON }); i >= 0 {
		content = b.Content[i]
	}
	mediaType := content.MediaTypes[0]
	v := valueOf(content.Example)
	k := mediaKind(mediaType)
	if k == mediaMultipart {
		c.multipart(v, content.Schema)
		return
	}
	if mediaType == "*/*" {
		mediaType = "application/json"
	}
	c.header("Content-Type", mediaType)
	switch {
	case k == mediaForm:
		var pairs []string
		for _, m := range v.object() {
			pairs = append(pairs, url.QueryEscape(m.name)+"="+url.QueryEscape(strings.Join(flat(m.value), ",")))
		}
		c.text = strings.Join(pairs, "&")
	case k == mediaJSON && v != nil:
		c.json, c.text = v, string(v.raw())
	case k == mediaOther && v != nil && v.kind == kindString:
		c.text = v.text
	case k == mediaOther:
		c.file = true
	}
}

func (c *call) multipart(v *node, s *Schema) {
	files := map[string]bool{}
	if s != nil {
		for _, row := range s.Children {
			files[row.Name] = row.Format == "binary"
		}
	}
	for _, m := range v.object() {
		c.parts = append(c.parts, part{pair{m.name, strings.Join(flat(m.value), ",")}, files[m.name]})
	}
}

// object returns the members of an object, or nil.
func (n *node) object() []member {
	if n.isObject() {
		return n.kids
	}
	return nil
}

// valueOf reads an example; nil when there is none.
func valueOf(raw json.RawMessage) *node {
	n, err := scanJSON(string(raw), newFindings())
	if err != nil {
		return nil
	}
	return n
}

// flat lists the texts of a value: one, a list's, or an object's names and values.
func flat(n *node) []string {
	if n == nil {
		return []string{""}
	}
	switch n.kind {
	case kindArray, kindObject:
		var out []string
		for _, m := range n.kids {
			if n.kind == kindObject {
				out = append(out, m.name)
			}
			out = append(out, m.value.plain())
		}
		return out
	case kindNull:
		return []string{""}
	}
	return []string{n.plain()}
}

func escaped(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = url.PathEscape(s)
	}
	return out
}

// queryPairs writes a query parameter the way its style says.
func queryPairs(p Parameter, v *node) []string {
	name := url.QueryEscape(p.Name)
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	if v == nil || v.kind != kindArray && v.kind != kindObject {
		return []string{name + "=" + escape(strings.Join(flat(v), ","))}
	}
	var out []string
	for _, m := range v.kids {
		switch {
		case p.Style == "deepObject" && v.kind == kindObject:
			out = append(out, escape(p.Name+"["+m.name+"]")+"="+escape(m.value.plain()))
		case p.Explode && v.kind == kindObject:
			out = append(out, escape(m.name)+"="+escape(m.value.plain()))
		case p.Explode:
			out = append(out, name+"="+escape(m.value.plain()))
		}
	}
	if out != nil {
		return out
	}
	separator := map[string]string{"spaceDelimited": "%20", "pipeDelimited": "%7C"}[p.Style]
	if separator == "" {
		separator = ","
	}
	parts := flat(v)
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return []string{name + "=" + strings.Join(parts, separator)}
}
