// Package catalog holds what the provider publishes: APIs, their versions, and
// one row per operation, so that a page never loads a document.
package catalog

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/openapi"
	"tollgate/internal/problem"
)

// Who sees an API.
const (
	Public  = "public"
	Private = "private" // organizations with a plan that includes it, and staff
)

// Lifecycle of a version. Published and deprecated ones are served.
const (
	Published  = "published"
	Deprecated = "deprecated"
	Retired    = "retired"
)

// States of a publication.
const (
	Queued    = "queued"
	Reading   = "reading"
	Ready     = "ready"
	Invalid   = "invalid"
	Done      = "published"
	Discarded = "discarded"
)

// Steps of reading a document.
const (
	StepFetch = "fetch"
	StepCheck = "check"
	StepRead  = "read" // finished
)

// API is something callable that the provider publishes.
type API struct {
	ID         uuid.UUID
	Slug       string
	Name       string
	Summary    string
	Visibility string
	CreatedAt  time.Time
}

// Version is one OpenAPI document of an API, as it is served. The document
// itself is read by Service.Document alone.
type Version struct {
	ID             uuid.UUID
	Label          string // the document's own version
	Lifecycle      string
	Host           string // empty: any
	PathPrefix     string
	Title          string
	Description    string // Markdown
	Format         string
	OperationCount int
	PublishedAt    time.Time
}

// BaseURL is where developers call the version. A host of its own is reached on
// the gateway's port.
func (v Version) BaseURL(gatewayURL string) string {
	u, err := url.Parse(gatewayURL)
	if v.Host == "" || err != nil {
		return strings.TrimSuffix(gatewayURL, "/") + v.PathPrefix
	}
	host := v.Host
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host + v.PathPrefix
}

// Entry is an API with its newest served version.
type Entry struct {
	API
	Version      Version
	Upstream     string // for staff pages only, like the two that follow
	TestUpstream string // empty: test calls are refused
	SignIdentity bool
	Warnings     int // findings of its document
}

// Row is one operation in a list.
type Row struct {
	ID         uuid.UUID
	Slug       string
	Method     string
	Path       string
	Summary    string
	Tag        string
	Deprecated bool
}

// Tag groups operations.
type Tag struct {
	Name  string
	Count int
	First []Row // the first few
}

// Publication is a document on its way to being an API version.
type Publication struct {
	ID              uuid.UUID
	State           string
	Step            string
	Source          string // file name, URL or "pasted"
	Size            int64  // bytes of the document; 0 until fetched, and once published
	Title           string
	DocumentVersion string
	Format          string
	OperationCount  int
	Findings        []openapi.Finding
	FindingsOmitted int
	VersionID       *uuid.UUID
	CreatedAt       time.Time
}

// Finished reports whether nothing more happens to p by itself.
func (p Publication) Finished() bool { return p.State != Queued && p.State != Reading }

// Source is where a document comes from: its bytes, or the address to fetch it from.
type Source struct {
	Name     string // file name, or "pasted"
	Document []byte
	URL      string
}

// Validate reports what is wrong, by the fields document and url.
func (s Source) Validate() error {
	v := problem.Invalid{}
	if s.URL != "" {
		v.Check(webAddress(s.URL) && len(s.URL) <= 2000, "url", "Give a plain http or https address, such as https://example.com/openapi.json.")
		return v.Err()
	}
	v.Check(len(s.Document) > 0, "document", "Choose a file, give an address, or paste the document.")
	v.Check(len(s.Document) <= openapi.MaxBytes, "document", "The document may have at most %d MB.", openapi.MaxBytes>>20)
	return v.Err()
}

// NewAPI is how a checked document is published.
type NewAPI struct {
	Name, Slug, Summary  string
	UpstreamURL, TestURL string // TestURL empty: test calls are refused
	PathPrefix, Host     string // Host empty: any
	Visibility           string
	SignIdentity         bool      // the upstream trusts the gateway's signed caller header
	Replaces             uuid.UUID // the live version of the API at this slug that gives way; must be named where there is one
}

var (
	slugPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	hostPattern   = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Validate reports what is wrong, field by field.
func (a NewAPI) Validate() error {
	v := problem.Invalid{}
	v.Check(strings.TrimSpace(a.Name) != "", "name", "Give the API a name.")
	v.Check(len(a.Name) <= 100, "name", "Use at most 100 characters.")
	v.Check(slugPattern.MatchString(a.Slug), "slug", "Use lower-case letters, digits and dashes, starting with a letter or digit.")
	v.Check(len(a.Summary) <= 300, "summary", "Use at most 300 characters.")
	v.Check(a.UpstreamURL != "", "upstream_url", "Say where the gateway sends the calls.")
	v.Check(upstreamAddress(a.UpstreamURL), "upstream_url", "Give an http or https address without user, query or fragment, such as https://api.example.com/v1.")
	v.Check(a.TestURL == "" || upstreamAddress(a.TestURL), "test_url", "Give an http or https address without user, query or fragment.")
	v.Check(a.PathPrefix == "" || (prefixPattern.MatchString(a.PathPrefix) && !dotSegment(a.PathPrefix)), "path_prefix", "Use the form /name, of letters, digits, dots, dashes, underscores and tildes, without a slash at the end.")
	v.Check(!ownPath(a.PathPrefix), "path_prefix", "The gateway itself answers at this prefix. Choose another.")
	v.Check(a.Host == "" || (len(a.Host) <= 253 && hostPattern.MatchString(a.Host)), "host", "Give a host name in lower case and without a port, such as api.example.com.")
	v.Check(a.PathPrefix != "" || a.Host != "", "path_prefix", "Give a path prefix, or the API its own host.")
	v.Check(a.Visibility == Public || a.Visibility == Private, "visibility", "Choose who sees the API.")
	return v.Err()
}

// ownPath reports whether the gateway keeps a path for itself: health for load
// balancers, and all below /-.
func ownPath(prefix string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(prefix, "/"), "/")
	return first == "healthz" || first == "readyz" || first == "-"
}

// dotSegment finds . and .. among a path's segments: the gateway refuses such calls.
func dotSegment(path string) bool {
	for s := range strings.SplitSeq(path, "/") {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// webAddress reports whether raw is a plain http or https address.
func webAddress(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.Fragment == "" &&
		!strings.ContainsAny(raw, " \r\n\t")
}

// upstreamAddress is an address that calls' paths and queries can be added to.
func upstreamAddress(raw string) bool { return webAddress(raw) && !strings.Contains(raw, "?") }
