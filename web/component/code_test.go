package component

import (
	"context"
	"strings"
	"testing"
)

// What stands in a <pre> is copied as it is: the markup around it may add nothing.
func TestCodeHasNothingAroundIt(t *testing.T) {
	t.Parallel()
	var block, tabs strings.Builder
	if err := CodeBlock(CodeProps{ID: "a", Title: "A", Code: Plain("one\n  two")}).Render(context.Background(), &block); err != nil {
		t.Fatal(err)
	}
	samples := []Sample{{Language: "go", Label: "Go", Code: Plain("one\n  two")}}
	if err := CodeTabs(CodeTabsProps{ID: "b", Samples: samples}).Render(context.Background(), &tabs); err != nil {
		t.Fatal(err)
	}
	for _, markup := range []string{block.String(), tabs.String()} {
		if !strings.Contains(markup, "><code>one\n  two</code></pre>") {
			t.Errorf("got %s", markup)
		}
	}
}
