package snapshot

import (
	"testing"

	"github.com/google/uuid"
)

func TestOperationsAreFoundByTheMostLiteralPath(t *testing.T) {
	t.Parallel()
	m := matcher{}
	for _, path := range []string{"/", "/books", "/books/{id}", "/books/new", "/books/{id}/pages/{page}", "/files/{name}.json", "/files/{name}", "/{any}/end", "/trailing/"} {
		m.add(&Operation{ID: uuid.New(), Method: "GET", Path: path})
	}
	for path, want := range map[string]string{
		"/": "/", "/books": "/books", "/books/new": "/books/new", "/books/42": "/books/{id}", "/books/new/pages/2": "/books/{id}/pages/{page}",
		"/files/a.json": "/files/{name}.json", "/files/a.xml": "/files/{name}", "/files/.json": "/files/{name}", "/books/end": "/books/{id}", "/x/end": "/{any}/end",
		"/books/": "", "/nothing": "", "/books/1/pages": "", "/trailing/": "/trailing/", "/trailing": "",
	} {
		got := ""
		if op := m.match("GET", path); op != nil {
			got = op.Path
		}
		if got != want {
			t.Errorf("%s → %q, want %q", path, got, want)
		}
	}
	if m.match("POST", "/books") != nil {
		t.Error("another method matched")
	}
}

func TestRoutesPreferNamedHostsAndLongPrefixesAndEndAtSegments(t *testing.T) {
	t.Parallel()
	v, err := Build(&Data{Versions: []Version{
		{ID: uuid.New(), API: "root", PathPrefix: "/a", LiveURL: "http://u"},
		{ID: uuid.New(), API: "deep", PathPrefix: "/a/b", LiveURL: "http://u"},
		{ID: uuid.New(), API: "hosted", Host: "api.example", LiveURL: "http://u"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ host, path, api, within string }{
		{"x", "/a/things", "root", "/things"}, {"x", "/a/b/things", "deep", "/things"}, {"x", "/a", "root", "/"}, {"x", "/ab", "", ""}, {"x", "/a/bc", "root", "/bc"},
		{"API.example", "/a/b", "hosted", "/a/b"},
	} {
		r, within := v.Route(c.host, c.path)
		api := ""
		if r != nil {
			api = r.API
		}
		if api != c.api || within != c.within {
			t.Errorf("%s%s → %s %s, want %s %s", c.host, c.path, api, within, c.api, c.within)
		}
	}
}

func TestAnInvalidViewIsRefusedWhole(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]*Data{
		"hash of the wrong size": {Keys: []Key{{Hash: []byte("short")}}},
		"upstream without host":  {Versions: []Version{{LiveURL: "http://"}}},
		"upstream of a scheme":   {Versions: []Version{{LiveURL: "file:///etc"}}},
	} {
		if _, err := Build(d); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
