package site

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"tollgate/internal/openapi"
	"tollgate/web/component"
	"tollgate/web/page"
)

// openDepth is how many levels of a schema stand open.
const openDepth = 2

// schemaNodes are the rows of a schema's table: an object's properties, or the
// one value that it is.
func schemaNodes(s *openapi.Schema) []component.SchemaNode {
	if s == nil {
		return nil
	}
	if s.Lists == 0 && s.Kind == "object" && len(s.Children) > 0 && s.Description == "" {
		return childNodes(s.Children, 0)
	}
	return []component.SchemaNode{schemaNode(s, 0)}
}

func childNodes(children []*openapi.Schema, depth int) []component.SchemaNode {
	out := make([]component.SchemaNode, len(children))
	for i, c := range children {
		out[i] = schemaNode(c, depth)
	}
	return out
}

func schemaNode(s *openapi.Schema, depth int) component.SchemaNode {
	n := component.SchemaNode{Name: s.Name, Type: typeText(s), Required: s.Required, Deprecated: s.Deprecated, Default: rawText(s.Default),
		Description: markdown(s.Description), Values: s.Enum, Limits: strings.Join(s.Constraints, ", "), Closed: depth >= openDepth}
	switch s.Cut {
	case openapi.CutRecursive:
		n.More = "The same again: " + firstOf(s.Ref, s.Type)
	case openapi.CutTruncated:
		n.More = "There is more than fits here; the OpenAPI document has all of it."
	}
	n.Children = childNodes(s.Children, depth+1)
	return n
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// typeText is such as string (date-time) or null, read-only.
func typeText(s *openapi.Schema) string {
	text := s.Type
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	if s.Nullable {
		text += " or null"
	}
	switch {
	case s.ReadOnly:
		text += ", read-only"
	case s.WriteOnly:
		text += ", write-only"
	}
	return text
}

func rawText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return text
	}
	return string(raw)
}

// markdown renders a description; none stays empty.
func markdown(text string) component.SafeHTML {
	if text == "" {
		return component.SafeHTML{}
	}
	return component.Markdown(text)
}

// parameterGroups are the parameters by their place.
func parameterGroups(params []openapi.Parameter) (out []page.ParameterGroup) {
	for _, place := range []struct{ in, title string }{{"path", "Path parameters"}, {"query", "Query parameters"}, {"header", "Header parameters"}, {"cookie", "Cookie parameters"}} {
		group := page.ParameterGroup{ID: place.in + "-parameters", Title: place.title}
		for _, p := range params {
			if p.In == place.in {
				group.Parameters = append(group.Parameters, parameterNode(p))
			}
		}
		if len(group.Parameters) > 0 {
			out = append(out, group)
		}
	}
	return out
}

func parameterNode(p openapi.Parameter) component.SchemaNode {
	var n component.SchemaNode
	if p.Schema != nil {
		n = schemaNode(p.Schema, 0)
	}
	n.ID, n.Name, n.Required, n.Deprecated = p.Anchor, p.Name, p.Required, p.Deprecated || n.Deprecated
	if p.Description != "" {
		n.Description = markdown(p.Description)
	}
	return n
}

// body shows the first content of a body, which is the JSON one when there is any.
func body(id, description string, contents []openapi.Content) *page.BodyProps {
	if len(contents) == 0 {
		return nil
	}
	c := contents[0]
	b := &page.BodyProps{ID: id, MediaType: strings.Join(c.MediaTypes, ", "), Description: markdown(description), Schema: schemaNodes(c.Schema)}
	for _, other := range contents[1:] {
		b.MediaType += ", " + strings.Join(other.MediaTypes, ", ")
	}
	b.Example = example(id+"-example", "Example", c)
	return b
}

func example(id, title string, c openapi.Content) *component.CodeProps {
	if len(c.Example) == 0 {
		return nil
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, c.Example, "", "  ") != nil {
		return nil
	}
	if len(c.MediaTypes) > 0 && !strings.Contains(c.MediaTypes[0], "json") {
		return &component.CodeProps{ID: id, Title: title, Code: component.Plain(rawText(c.Example))}
	}
	return &component.CodeProps{ID: id, Title: title, Code: component.Highlight("json", pretty.String())}
}

// exampleResponse is the example of the first success that has one.
func exampleResponse(op openapi.Operation, id string) *component.CodeProps {
	for _, resp := range op.Responses {
		if !strings.HasPrefix(resp.Status, "2") {
			continue
		}
		for _, c := range resp.Content {
			if code := example(id, "Response", c); code != nil {
				code.Status = resp.Status
				return code
			}
		}
	}
	return nil
}

func responses(all []openapi.Response) []page.ResponseProps {
	out := make([]page.ResponseProps, len(all))
	for i, resp := range all {
		out[i] = page.ResponseProps{ID: resp.Anchor, Status: resp.Status, Tone: statusTone(resp.Status), Description: markdown(resp.Description),
			Body: body(resp.Anchor+"-body", "", resp.Content), Open: i == 0 && strings.HasPrefix(resp.Status, "2")}
		for n, h := range resp.Headers {
			node := component.SchemaNode{}
			if h.Schema != nil {
				node = schemaNode(h.Schema, 0)
			}
			node.ID, node.Name, node.Required, node.Description = resp.Anchor+"-header-"+strconv.Itoa(n+1), h.Name, h.Required, markdown(h.Description)
			out[i].Headers = append(out[i].Headers, node)
		}
	}
	return out
}

func statusTone(status string) component.Tone {
	if status == "" {
		return ""
	}
	switch status[0] {
	case '2':
		return component.OK
	case '3':
		return component.Accent
	case '4':
		return component.Warn
	case '5':
		return component.Bad
	}
	return ""
}
