// Package openapi reads an OpenAPI document (3.1, 3.0, Swagger 2.0; JSON or
// YAML) and derives what a developer portal shows of it: one self-contained
// row per operation, findings with their places, code samples, Markdown, and
// the document to download. It is pure: bytes in, values out.
//
// The document is read as a tree of values with places rather than into fixed
// structs, so that one oddity never hides the rest of a document: whatever can
// be shown is shown, and every finding points at a line.
package openapi

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Bounds of what is read. GitHub's description of 13 MB has 258,000 values, 21 deep.
const (
	MaxBytes  = 20 << 20 // largest document that Parse reads
	maxNodes  = 2_000_000
	maxDepth  = 200
	maxWeight = 64 << 20 // bytes of a YAML document with its aliases written out
)

const (
	tooDeep    = "The document is nested more than 200 levels deep here; flatten it."
	tooComplex = "The document holds too many values to be shown; split it into several APIs."
)

// Document is what a portal needs of an OpenAPI document.
type Document struct {
	Title           string
	Version         string
	Format          string // as written: "OpenAPI 3.1.0", "Swagger 2.0"
	Description     string // Markdown source
	Servers         []string
	Tags            []Tag
	SecuritySchemes []SecurityScheme
	Operations      []Operation
	Findings        []Finding // errors first, then by line
	Omitted         int       // findings that were counted but not kept

	root *node // in OpenAPI 3 form
}

// Tag groups operations. Tags that only operations name are included.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"` // Markdown source
}

// SecurityScheme is a way to authenticate that the document declares.
type SecurityScheme struct {
	Name        string `json:"name"`
	Type        string `json:"type"`             // apiKey, http, oauth2, openIdConnect, mutualTLS
	Scheme      string `json:"scheme,omitempty"` // of type http: basic, bearer
	In          string `json:"in,omitempty"`     // of type apiKey: header, query, cookie
	Field       string `json:"field,omitempty"`  // of type apiKey: the header or parameter
	Description string `json:"description,omitempty"`
}

// Publishable reports whether the document has no error among its findings.
func (d *Document) Publishable() bool {
	for _, f := range d.Findings {
		if f.Severity == Error {
			return false
		}
	}
	return true
}

// JSON returns the document as OpenAPI 3 in compact JSON: Swagger 2.0 is
// converted, YAML aliases are written out, everything else is kept as it was.
// It is nil for a document that could not be read.
func (d *Document) JSON() json.RawMessage {
	if d.root == nil {
		return nil
	}
	return d.root.raw()
}

// NotPublishableError carries the findings of a document that cannot be published.
type NotPublishableError struct {
	Findings []Finding // errors first
}

// Error returns the first error's message, with its line when that is known.
func (e *NotPublishableError) Error() string {
	if len(e.Findings) == 0 {
		return "openapi: document cannot be published"
	}
	f := e.Findings[0]
	if f.Line == 0 {
		return "openapi: " + f.Message
	}
	return fmt.Sprintf("openapi: line %d: %s", f.Line, f.Message)
}

func itoa(i int) string { return strconv.Itoa(i) }
