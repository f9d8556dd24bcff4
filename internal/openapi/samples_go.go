package openapi

import (
	"slices"
	"strconv"
	"strings"
)

// golang writes the call as a whole program.
func (c *call) golang() string {
	imports := []string{"fmt", "io", "net/http"}
	var setup, extra strings.Builder
	body := "nil"
	switch {
	case c.hasText():
		imports = append(imports, "strings")
		text := c.text
		if c.json != nil {
			text = indented(c.json, literalsJSON)
		}
		body = "strings.NewReader(" + quoteGo(text) + ")"
	case c.file:
		imports = append(imports, "os")
		setup.WriteString("\tbody, err := os.Open(\"file.bin\")\n" + failGo)
		body = "body"
	case len(c.parts) > 0:
		imports = append(imports, "bytes", "mime/multipart")
		c.writeFormGo(&setup)
		if slices.ContainsFunc(c.parts, func(p part) bool { return p.file }) {
			imports = append(imports, "os")
		}
		extra.WriteString("\treq.Header.Set(\"Content-Type\", form.FormDataContentType())\n")
		body = "&body"
	}
	slices.Sort(imports)

	var b strings.Builder
	b.WriteString("package main\n\nimport (\n")
	for _, path := range imports {
		b.WriteString("\t" + strconv.Quote(path) + "\n")
	}
	b.WriteString(")\n\nfunc main() {\n" + setup.String())
	b.WriteString("\treq, err := http.NewRequest(" + strconv.Quote(c.method) + ", " + strconv.Quote(c.url) + ", " + body + ")\n" + failGo)
	for _, h := range c.headers {
		b.WriteString("\treq.Header.Set(" + strconv.Quote(h.name) + ", " + strconv.Quote(h.value) + ")\n")
	}
	b.WriteString(extra.String())
	b.WriteString("\n\tres, err := http.DefaultClient.Do(req)\n" + failGo + "\tdefer res.Body.Close()\n")
	b.WriteString("\tout, err := io.ReadAll(res.Body)\n" + failGo)
	b.WriteString("\tfmt.Println(res.Status)\n\tfmt.Println(string(out))\n}\n")
	return b.String()
}

const failGo = "\tif err != nil {\n\t\tpanic(err)\n\t}\n"

func (c *call) writeFormGo(b *strings.Builder) {
	b.WriteString("\tvar body bytes.Buffer\n\tform := multipart.NewWriter(&body)\n")
	for _, p := range c.parts {
		name := strconv.Quote(p.name)
		if !p.file {
			b.WriteString("\tform.WriteField(" + name + ", " + strconv.Quote(p.value) + ")\n")
			continue
		}
		b.WriteString("\t{\n\t\tfile, err := os.ReadFile(\"file.bin\")\n")
		b.WriteString("\t\tif err != nil {\n\t\t\tpanic(err)\n\t\t}\n")
		b.WriteString("\t\tpart, err := form.CreateFormFile(" + name + ", \"file.bin\")\n")
		b.WriteString("\t\tif err != nil {\n\t\t\tpanic(err)\n\t\t}\n\t\tpart.Write(file)\n\t}\n")
	}
	b.WriteString("\tform.Close()\n\n")
}
