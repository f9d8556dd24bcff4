package proxy

import (
	"net/url"
	"testing"
)

func TestPathsThatProgramsReadDifferentlyAreRefused(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"/a/b": "/a/b", "/": "/", "/caf%C3%A9": "/café", "/a%20b": "/a b", "/a/b.json": "/a/b.json", "/...": "/...", "/a:b@c": "/a:b@c",
		"/a/../b": "", "/a/./b": "", "/a/%2e%2e/b": "", "/a%2fb": "", "/a%2Fb": "", "/a%5cb": "", "/a;b": "", "/a%3Bb": "", "//a": "", "/a//b": "", "/a%00b": "", "/a%0ab": "", "/a%7f": "",
	} {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			t.Fatal(raw, err)
		}
		got, ok := canonicalPath(u.EscapedPath())
		if got != want || ok != (want != "") {
			t.Errorf("%s → %q, %v; want %q", raw, got, ok, want)
		}
	}
}

// FuzzCanonicalPath holds that what is decided on is what is forwarded: read
// again from its own escaped form, a path is the same.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/a/b", "/a%2fb", "/%2e%2e/x", "/caf%C3%A9", "/a;b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		path, ok := canonicalPath(u.EscapedPath())
		if !ok {
			return
		}
		forwarded := (&url.URL{Scheme: "http", Host: "x", Path: path}).String()
		again, err := url.Parse(forwarded)
		if err != nil || again.Path != path {
			t.Fatalf("%q was decided on as %q and forwarded as %q, %v", raw, path, forwarded, err)
		}
		if second, ok := canonicalPath(again.EscapedPath()); !ok || second != path {
			t.Fatalf("%q is canonical once and not twice", path)
		}
	})
}
