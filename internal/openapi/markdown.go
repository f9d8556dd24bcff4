package openapi

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Markdown returns the operation as a Markdown document.
func Markdown(op *Operation) string {
	var b strings.Builder
	title := firstText(op.Summary, op.OperationID, op.Method+" "+op.Path)
	b.WriteString("# " + oneLine(title) + "\n\n" + code(op.Method+" "+op.Path) + "\n\n")
	if op.Deprecated {
		b.WriteString("**Deprecated.**\n\n")
	}
	paragraph(&b, op.Description)
	if len(op.Security) > 0 {
		b.WriteString("Authentication: " + cell(strings.Join(op.Security, ", or ")) + "\n\n")
	}
	writeParameters(&b, op.Parameters)
	if body := op.RequestBody; body != nil {
		b.WriteString("## Request body\n\n")
		if body.Required {
			b.WriteString("Required.\n\n")
		}
		paragraph(&b, body.Description)
		writeContents(&b, body.Content)
	}
	if len(op.Responses) > 0 {
		b.WriteString("## Responses\n\n")
	}
	for _, r := range op.Responses {
		b.WriteString("### " + oneLine(r.Status) + "\n\n")
		paragraph(&b, r.Description)
		if len(r.Headers) > 0 {
			b.WriteString("| Header | Description |\n|---|---|\n")
			for _, h := range r.Headers {
				b.WriteString("| " + cell(code(h.Name)) + " | " + cell(h.Description) + " |\n")
			}
			b.WriteString("\n")
		}
		writeContents(&b, r.Content)
	}
	return b.String()
}

func paragraph(b *strings.Builder, s string) {
	if s = strings.TrimSpace(s); s != "" {
		b.WriteString(s + "\n\n")
	}
}

func writeParameters(b *strings.Builder, params []Parameter) {
	if len(params) == 0 {
		return
	}
	b.WriteString("## Parameters\n\n| Name | In | Type | Description |\n|---|---|---|---|\n")
	for _, p := range params {
		name := code(p.Name)
		if p.Required {
			name += " required"
		}
		b.WriteString("| " + cell(name) + " | " + p.In + " | " + cell(p.Schema.Type) + " | " + cell(join(p.Description, p.Schema.notes())) + " |\n")
	}
	b.WriteString("\n")
}

func writeContents(b *strings.Builder, contents []Content) {
	for _, c := range contents {
		b.WriteString(cell(strings.Join(c.MediaTypes, ", ")))
		if c.Schema != nil {
			b.WriteString(": " + cell(c.Schema.Type))
		}
		b.WriteString("\n\n")
		if c.Schema != nil && len(c.Schema.Children) > 0 {
			writeRows(b, c.Schema.Children, "")
			b.WriteString("\n")
		}
		if c.Example != nil {
			writeExample(b, c.Example)
		}
	}
}

// writeRows writes a schema's rows as a nested list.
func writeRows(b *strings.Builder, rows []*Schema, indent string) {
	for _, r := range rows {
		text := r.Type
		if r.Required {
			text += ", required"
		}
		if r.Nullable {
			text += ", or null"
		}
		if r.Cut != "" {
			text += ", " + r.Cut
		}
		b.WriteString(indent + "- " + code(r.Name) + " (" + oneLine(text) + ")")
		if more := join(r.Description, r.notes()); more != "" {
			b.WriteString(": " + oneLine(more))
		}
		b.WriteString("\n")
		writeRows(b, r.Children, indent+"  ")
	}
}

// notes puts a row's enum, default and limits into words.
func (s *Schema) notes() string {
	var parts []string
	if len(s.Enum) > 0 {
		parts = append(parts, "One of: "+strings.Join(s.Enum, ", ")+".")
	}
	if len(s.Default) > 0 {
		parts = append(parts, "Default: "+string(s.Default)+".")
	}
	if len(s.Constraints) > 0 {
		parts = append(parts, strings.Join(s.Constraints, ", ")+".")
	}
	return strings.Join(parts, " ")
}

func join(a, b string) string { return strings.TrimSpace(strings.TrimSpace(a) + " " + b) }

// writeExample fences an example with more backticks than it holds itself.
func writeExample(b *strings.Builder, raw json.RawMessage) {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return
	}
	fence := "```"
	for strings.Contains(out.String(), fence) {
		fence += "`"
	}
	b.WriteString(fence + "json\n" + out.String() + "\n" + fence + "\n\n")
}

// code writes s as a code span, whatever backticks it holds.
func code(s string) string {
	s = oneLine(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if fence != "`" {
		s = " " + s + " "
	}
	return fence + s + fence
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cell writes s for a table: on one line, its bars escaped.
func cell(s string) string { return strings.ReplaceAll(oneLine(s), "|", `\|`) }
