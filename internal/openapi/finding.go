package openapi

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Severity grades a finding.
type Severity string

// Severities. Only an error stops publication.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is something about the document that its author should know.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`    // kebab-case and stable, like "unresolved-ref"
	Message  string   `json:"message"` // one sentence to act on
	Pointer  string   `json:"pointer"` // JSON pointer into the document as written; "" is its root
	Line     int      `json:"line"`    // 1-based, 0 when unknown
	Column   int      `json:"column"`  // 1-based in characters, 0 when unknown
}

// Findings of one code beyond codeCap, and of one severity beyond severityCap,
// are counted and dropped: nobody reads the thousandth.
const (
	codeCap     = 50
	severityCap = 250
)

// findings collects what Parse has to say.
type findings struct {
	kept    []Finding
	omitted int
	perCode map[string]int
	perSev  map[Severity]int
}

func newFindings() *findings {
	return &findings{perCode: map[string]int{}, perSev: map[Severity]int{}}
}

func (f *findings) add(sev Severity, code string, at place, format string, args ...any) {
	f.perCode[code]++
	f.perSev[sev]++
	// The first error is always kept, so that the cap cannot make a document publishable.
	if f.perSev[sev] > 1 && (f.perCode[code] > codeCap || f.perSev[sev] > severityCap) {
		f.omitted++
		return
	}
	f.kept = append(f.kept, Finding{
		Severity: sev, Code: code, Message: fmt.Sprintf(format, args...),
		Line: int(at.line), Column: int(at.col),
	})
}

func (f *findings) err(code string, at place, format string, args ...any) {
	f.add(Error, code, at, format, args...)
}

func (f *findings) warn(code string, at place, format string, args ...any) {
	f.add(Warning, code, at, format, args...)
}

// finish gives each finding its pointer and sorts: errors first, then by line.
func (f *findings) finish(root *node) []Finding {
	for i := range f.kept {
		k := &f.kept[i]
		if root != nil && k.Line > 0 {
			k.Pointer = root.locate(place{int32(k.Line), int32(k.Column)})
		}
	}
	slices.SortStableFunc(f.kept, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f.kept
}

// characters turns columns counted in bytes into columns counted in
// characters. On very long lines nobody counts columns by eye: they stay.
func characters(kept []Finding, src string) {
	starts := []int{0}
	for i := range len(src) {
		if src[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	for i := range kept {
		k := &kept[i]
		if k.Line < 1 || k.Line > len(starts) || k.Column < 2 || k.Column > 4096 {
			continue
		}
		from := starts[k.Line-1]
		if to := from + k.Column - 1; to <= len(src) {
			k.Column = utf8.RuneCountInString(src[from:to]) + 1
		}
	}
}
