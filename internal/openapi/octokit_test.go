package openapi

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// octokit returns GitHub's REST description. It is fetched when it is not there,
// except in CI, where fetching is a step of its own and absence is a failure.
func octokit(tb testing.TB) []byte {
	tb.Helper()
	path := os.Getenv("OCTOKIT_OPENAPI")
	if path == "" {
		args := []string{}
		if os.Getenv("CI") == "true" {
			args = []string{"--path"}
		}
		cmd := exec.CommandContext(tb.Context(), "../../tools/fetch-octokit.sh", args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			tb.Fatalf("tools/fetch-octokit.sh: %v\n%s", err, stderr.Bytes())
		}
		path = strings.TrimSpace(string(out))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestGitHubsDescriptionIsPublishable(t *testing.T) {
	data := octokit(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	doc, err := Parse(data)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(doc.Operations); n < 1200 {
		t.Errorf("%d operations, want about 1,200", n)
	}
	sound(t, doc)
	for _, want := range []string{"ambiguous-path", "example-mismatch"} { // both are there, as other readers say too
		if !slices.ContainsFunc(doc.Findings, func(f Finding) bool { return f.Code == want && f.Severity == Warning && f.Line > 1 }) {
			t.Errorf("no finding %s with its line among %d", want, len(doc.Findings))
		}
	}
	if _, err := openapi3.NewLoader().LoadFromData(doc.JSON()); err != nil {
		t.Errorf("another reader refuses the served JSON: %v", err)
	}
	var sizes []int
	for _, op := range doc.Operations {
		out, err := json.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		if len(out) > maxOperationBytes {
			t.Errorf("%s has %d bytes", op.Slug, len(out))
		}
		sizes = append(sizes, len(out))
	}
	slices.Sort(sizes)
	n := len(sizes)
	total := 0
	for _, s := range sizes {
		total += s
	}
	t.Logf("operations %d, findings %d, omitted %d, allocated %d MB, in use %d MB, sizes p50 %d p99 %d max %d total %d MB",
		n, len(doc.Findings), doc.Omitted, (after.TotalAlloc-before.TotalAlloc)>>20, (after.HeapAlloc-before.HeapAlloc)>>20,
		sizes[n/2], sizes[n*99/100], sizes[n-1], total>>20)
}

func BenchmarkParse(b *testing.B) {
	data := octokit(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
