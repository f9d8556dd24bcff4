package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func rendered(t *testing.T, f fixture) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := f.page(f.layout("n0nce")).Render(context.Background(), &out); err != nil {
		t.Fatalf("render: %v", err)
	}
	return out.Bytes()
}

// TestEveryPage holds every page, full and empty, to the rules of all pages.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			markup := rendered(t, f)
			if err := balanced(markup); err != nil {
				t.Error(err)
			}
			root, err := html.Parse(bytes.NewReader(markup))
			if err != nil {
				t.Fatalf("parse: %v", err)
			}
			for _, fault := range faults(root) {
				t.Error(fault)
			}
		})
	}
}

var voidTags = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// balanced tells whether every element is closed by its own end tag, in order.
func balanced(markup []byte) error {
	tokens := html.NewTokenizer(bytes.NewReader(markup))
	var open []string
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				return tokens.Err()
			}
			if len(open) > 0 {
				return fmt.Errorf("never closed: %v", open)
			}
			return nil
		case html.StartTagToken:
			name, _ := tokens.TagName()
			if !slices.Contains(voidTags, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return fmt.Errorf("</%s> closes nothing; open: %v", name, open)
			}
			open = open[:len(open)-1]
		default: // text, comments and self-closing tags open nothing
		}
	}
}

// census is what one walk over a page finds.
type census struct {
	headings int
	ids      map[string]int
	labels   map[string]bool
	faults   []string
	inputs   []*html.Node
	refs     []string
}

func faults(root *html.Node) []string {
	c := &census{ids: map[string]int{}, labels: map[string]bool{}}
	c.walk(root, false)
	if c.headings != 1 {
		c.fault("%d h1 instead of one", c.headings)
	}
	for id, count := range c.ids {
		if count > 1 {
			c.fault("id %q stands %d times", id, count)
		}
	}
	for _, id := range c.refs {
		if c.ids[id] == 0 {
			c.fault("nothing has the id %q that is referred to", id)
		}
	}
	for _, input := range c.inputs {
		if !c.labels[attr(input, "id")] && attr(input, "aria-label") == "" {
			c.fault("no label for the field %q", attr(input, "name"))
		}
	}
	return c.faults
}

func (c *census) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *census) walk(n *html.Node, inLabel bool) {
	if n.Type == html.ElementNode {
		c.element(n, inLabel)
		inLabel = inLabel || n.Data == "label"
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		c.walk(child, inLabel)
	}
}

func (c *census) element(n *html.Node, inLabel bool) {
	switch n.Data {
	case "h1":
		c.headings++
	case "label":
		c.labels[attr(n, "for")] = true
	case "style":
		c.fault("an inline stylesheet")
	case "script":
		if n.FirstChild != nil || attr(n, "src") == "" || attr(n, "nonce") != "n0nce" {
			c.fault("a script that is inline or has no nonce")
		}
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" && !inLabel {
			c.inputs = append(c.inputs, n)
		}
	}
	for _, a := range n.Attr {
		c.attribute(n, a)
	}
}

func (c *census) attribute(n *html.Node, a html.Attribute) {
	switch {
	case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
		c.fault("<%s %s=…> is inline", n.Data, a.Key)
	case a.Key == "id":
		c.ids[a.Val]++
	case a.Key == "aria-describedby" || a.Key == "aria-labelledby" || a.Key == "popovertarget" || a.Key == "data-copy":
		c.refs = append(c.refs, strings.Fields(a.Val)...)
	case a.Key == "src" || a.Key == "action" || a.Key == "formaction" || n.Data == "link" && a.Key == "href":
		if !strings.HasPrefix(a.Val, "/") && a.Val != "" {
			c.fault("<%s %s=%q> leaves this host", n.Data, a.Key, a.Val)
		}
	case a.Key == "href":
		if a.Val == "" || a.Val == "about:invalid#TemplFailedSanitizationURL" {
			c.fault("a link without an address: %s", text(n))
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var all strings.Builder
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		all.WriteString(text(child))
	}
	return all.String()
}
