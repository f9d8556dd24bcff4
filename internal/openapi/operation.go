package openapi

import "encoding/json"

// maxOperationBytes bounds the JSON of one operation, so that its page is read
// and rendered in milliseconds.
const maxOperationBytes = 200 << 10

// Operation is one method on one path, with everything that its page shows.
type Operation struct {
	Slug        string      `json:"slug"` // unique in the document; stays while operationId (or method and path) stays
	OperationID string      `json:"operationId,omitempty"`
	Method      string      `json:"method"` // upper case
	Path        string      `json:"path"`   // template, like /users/{id}
	Summary     string      `json:"summary,omitempty"`
	Description string      `json:"description,omitempty"` // Markdown source
	Tag         string      `json:"tag,omitempty"`
	Deprecated  bool        `json:"deprecated,omitempty"`
	Parameters  []Parameter `json:"parameters,omitempty"` // path, query, header, cookie
	RequestBody *Body       `json:"requestBody,omitempty"`
	Responses   []Response  `json:"responses,omitempty"`
	// Security lists the alternatives; schemes needed together are joined by
	// " + ", and "" stands for a call without credentials.
	Security  []string `json:"security,omitempty"`
	Weight    int      `json:"weight,omitempty"`    // units that a call counts as, up to MaxWeight; 0: not said
	UnitsFrom string   `json:"unitsFrom,omitempty"` // "header:" and a name, or "json:" and a path: where an answer says its units
	// Truncated says that parts were left out to keep the operation small.
	Truncated bool `json:"truncated,omitempty"`
}

// Parameter is a value in the path, query, headers or cookies.
type Parameter struct {
	Name        string          `json:"name"`
	In          string          `json:"in"` // path, query, header, cookie
	Anchor      string          `json:"anchor"`
	Description string          `json:"description,omitempty"`
	Required    bool            `json:"required,omitempty"`
	Deprecated  bool            `json:"deprecated,omitempty"`
	Style       string          `json:"style,omitempty"`   // when it is not the default of In
	Explode     bool            `json:"explode,omitempty"` // one name=value per element of a list or object
	Schema      *Schema         `json:"schema"`
	Example     json.RawMessage `json:"example,omitempty"` // never empty after Parse
}

// Body is what a request carries.
type Body struct {
	Anchor      string    `json:"anchor"`
	Description string    `json:"description,omitempty"`
	Required    bool      `json:"required,omitempty"`
	Content     []Content `json:"content,omitempty"`
}

// Response is what one status answers.
type Response struct {
	Status      string    `json:"status"` // "200", "4XX", "default"
	Anchor      string    `json:"anchor"`
	Description string    `json:"description,omitempty"`
	Headers     []Header  `json:"headers,omitempty"`
	Content     []Content `json:"content,omitempty"`
}

// Header is a response header.
type Header struct {
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

// Content is a body in one or more media types that share a schema.
type Content struct {
	MediaTypes []string        `json:"mediaTypes"`
	Schema     *Schema         `json:"schema,omitempty"`
	Example    json.RawMessage `json:"example,omitempty"` // a JSON string when the media type is not JSON
}

// Cuts of a schema tree.
const (
	CutRecursive = "recursive" // the same schema stands further up
	CutTruncated = "truncated" // there is more than fits
)

// Schema is a row of a schema table, with the rows below it. An array's row
// has the rows of its elements.
type Schema struct {
	Name        string          `json:"name,omitempty"` // property, or the label of a variant; "" at the top
	Type        string          `json:"type"`           // text like "array of string", "string or integer", "one of"
	Kind        string          `json:"kind,omitempty"` // of the innermost element: object, string, …, "" for any
	Lists       int             `json:"lists,omitempty"`
	Format      string          `json:"format,omitempty"`
	Ref         string          `json:"ref,omitempty"` // component's name
	Required    bool            `json:"required,omitempty"`
	Nullable    bool            `json:"nullable,omitempty"`
	Deprecated  bool            `json:"deprecated,omitempty"`
	ReadOnly    bool            `json:"readOnly,omitempty"`
	WriteOnly   bool            `json:"writeOnly,omitempty"`
	Variant     bool            `json:"variant,omitempty"` // one alternative of the row above
	MapValue    bool            `json:"mapValue,omitempty"`
	Description string          `json:"description,omitempty"`
	Enum        []string        `json:"enum,omitempty"`
	Constraints []string        `json:"constraints,omitempty"` // like "≥ 1"
	Default     json.RawMessage `json:"default,omitempty"`
	Example     json.RawMessage `json:"example,omitempty"` // as the author gave it
	Sample      json.RawMessage `json:"sample,omitempty"`  // a value that meets constraints the type alone does not
	Cut         string          `json:"cut,omitempty"`
	Children    []*Schema       `json:"children,omitempty"`
}
