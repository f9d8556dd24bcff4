package site_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"tollgate/internal/catalog"
	"tollgate/internal/clock"
	"tollgate/internal/portal/portaltest"
	"tollgate/internal/postgres"
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
		cmd := exec.CommandContext(tb.Context(), "../../../tools/fetch-octokit.sh", args...)
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

func operations(tb testing.TB, p *portaltest.Portal, e catalog.Entry) (paths []string) {
	tb.Helper()
	for page := 1; ; page++ {
		rows, _, err := p.Catalog.Operations(postgres.AsStaff(tb.Context()), catalog.OperationQuery{Version: e.Version.ID, Page: page})
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range rows {
			paths = append(paths, "/apis/github/"+r.Slug)
		}
		if len(rows) < catalog.PageSize {
			return paths
		}
	}
}

func fetch(tb testing.TB, h http.Handler, path string) *httptest.ResponseRecorder {
	tb.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, nil))
	if rec.Code != http.StatusOK {
		tb.Fatalf("%s answered %d", path, rec.Code)
	}
	return rec
}

func TestGitHubsDescriptionIsServedOperationByOperation(t *testing.T) {
	p, now := portaltest.New(t), clock.New()
	actor := staffActor(t, p)
	started := now.Now()
	e := publish(t, p, actor, octokit(t), "github", catalog.Public)
	t.Logf("checked and published %d operations in %s", e.Version.OperationCount, now.Now().Sub(started).Round(time.Millisecond))
	sell(t, p, actor, e)

	var took []time.Duration
	size := 0
	for _, path := range operations(t, p, e) {
		began := now.Now()
		size += fetch(t, p.Handler, path).Body.Len()
		took = append(took, now.Now().Sub(began))
	}
	if len(took) != e.Version.OperationCount || len(took) < 1200 {
		t.Errorf("%d pages of %d operations", len(took), e.Version.OperationCount)
	}
	slices.Sort(took)
	n := len(took)
	t.Logf("operation pages: p50 %s, p95 %s, p99 %s, max %s; %d kB on average", took[n/2], took[n*95/100], took[n*99/100], took[n-1], size/n/1000)

	for query, want := range map[string]string{
		"create repo":                    "/user/repos",
		"list issues":                    "/repos/{owner}/{repo}/issues",
		"merge pull request":             "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
		"/repos/{owner}/{repo}/branches": "/repos/{owner}/{repo}/branches",
		"DELETE /repos/{owner}/{repo}":   "/repos/{owner}/{repo}",
		"gist star":                      "/gists/{gist_id}/star",
	} {
		began := now.Now()
		rows, total, err := p.Catalog.Operations(postgres.AsStaff(t.Context()), catalog.OperationQuery{Version: e.Version.ID, Text: query})
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(rows, func(r catalog.Row) bool { return r.Path == want })
		t.Logf("search %q: %d hits in %s, %s at place %d", query, total, now.Now().Sub(began), want, at+1)
		if at < 0 || at > 9 {
			t.Errorf("%q does not find %s among the first ten", query, want)
		}
	}
	for _, path := range []string{"/", "/apis", "/apis/github", "/apis/github/ops?q=list", "/search/suggest?q=list+repos", "/pricing/github", "/apis/github/openapi.json", "/apis/github/openapi.json"} {
		began := now.Now()
		body := fetch(t, p.Handler, path).Body.Len()
		t.Logf("%s: %s, %d kB", path, now.Now().Sub(began), body/1000)
	}
}

func BenchmarkOperationPage(b *testing.B) {
	p := portaltest.New(b)
	actor := staffActor(b, p)
	e := publish(b, p, actor, octokit(b), "github", catalog.Public)
	sell(b, p, actor, e)
	paths := operations(b, p, e)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		fetch(b, p.Handler, paths[i%len(paths)])
		i++
	}
}
