package page

import (
	"bytes"
	"context"
	"strconv"
	"testing"

	"golang.org/x/net/html"
)

// heavyOperation is a page of an API with very many operations: its side list is
// full, everything else is as usual.
func heavyOperation() fixture {
	props := operationFixture()
	props.Siblings = nil
	for i := range 100 {
		props.Siblings = append(props.Siblings, OperationLink{Method: "GET", Path: "/repos/{owner}/{repo}/" + strconv.Itoa(i), Summary: "List things of a repository", URL: "/apis/code/" + strconv.Itoa(i)})
	}
	return fixture{name: "heavy", path: "/apis/code/1", page: with(Operation, props)}
}

func TestReferencePagesAreLight(t *testing.T) {
	t.Parallel()
	markup := rendered(t, heavyOperation())
	root, err := html.Parse(bytes.NewReader(markup))
	if err != nil {
		t.Fatal(err)
	}
	elements := 0
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			elements++
		}
	}
	if elements > 1500 || len(markup) > 120_000 {
		t.Errorf("%d elements, %d bytes", elements, len(markup))
	}
	t.Logf("%d elements, %d bytes", elements, len(markup))
}

func BenchmarkOperation(b *testing.B) {
	heavy := heavyOperation()
	component := heavy.page(heavy.layout("n0nce"))
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := component.Render(context.Background(), &out); err != nil {
			b.Fatal(err)
		}
	}
}
