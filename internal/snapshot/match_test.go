package snapshot

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"tollgate/internal/upstream"
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

var anyTarget = []upstream.Target{{URL: "http://u", Weight: 1}}

func TestRoutesPreferNamedHostsAndLongPrefixesAndEndAtSegments(t *testing.T) {
	t.Parallel()
	v, err := Build(&Data{Versions: []Version{
		{ID: uuid.New(), API: "root", PathPrefix: "/a", LiveTargets: anyTarget},
		{ID: uuid.New(), API: "deep", PathPrefix: "/a/b", LiveTargets: anyTarget},
		{ID: uuid.New(), API: "hosted", Host: "api.example", LiveTargets: anyTarget},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ host, path, api, within string }{
		{"x", "/a/things", "root", "/things"}, {"x", "/a/b/things", "deep", "/things"}, {"x", "/a", "root", "/"}, {"x", "/ab", "", ""}, {"x", "/a/bc", "root", "/bc"},
		{"API.example", "/a/b", "hosted", "/a/b"}, {"x", "", "", ""}, {"x", "a", "", ""}, {strings.Repeat("x", 300), "/a", "root", "/"},
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

// linear is routing as it reads in the documentation: a walk over all routes.
func linear(routes []*Route, host, path string) (found *Route, within string) {
	for _, r := range routes {
		if r.Host != "" && !strings.EqualFold(r.Host, host) {
			continue
		}
		rest, ok := strings.CutPrefix(path, r.PathPrefix)
		if !ok || (rest != "" && rest[0] != '/') {
			continue
		}
		if rest == "" {
			rest = "/"
		}
		if found == nil || (r.Host != "" && found.Host == "") || (r.Host != "") == (found.Host != "") && len(r.PathPrefix) > len(found.PathPrefix) {
			found, within = r, rest
		}
	}
	return found, within
}

func TestRoutingIsAWalkOverAllRoutesInLessTime(t *testing.T) {
	t.Parallel()
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "a.b", "~"})
	path := rapid.Custom(func(t *rapid.T) string {
		segments := rapid.SliceOfN(segment, 0, 4).Draw(t, "segments")
		if len(segments) == 0 {
			return ""
		}
		return "/" + strings.Join(segments, "/")
	})
	host := rapid.SampledFrom([]string{"", "one.example", "two.example", "b"})
	rapid.Check(t, func(t *rapid.T) {
		byPlace := map[string]Version{}
		for range rapid.IntRange(0, 12).Draw(t, "routes") {
			v := Version{ID: uuid.New(), Host: host.Draw(t, "host"), PathPrefix: path.Draw(t, "prefix"), LiveTargets: anyTarget}
			byPlace[v.Host+v.PathPrefix] = v
		}
		d := &Data{}
		for _, v := range byPlace {
			d.Versions = append(d.Versions, v)
		}
		v, err := Build(d)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			asked := rapid.SampledFrom([]string{"one.example", "ONE.example", "two.example", "b", "B", "", "other"}).Draw(t, "asked host")
			called := path.Draw(t, "path") + rapid.SampledFrom([]string{"", "/", "x", "//"}).Draw(t, "end")
			wantRoute, wantWithin := linear(v.Routes(), asked, called)
			if r, within := v.Route(asked, called); r != wantRoute || within != wantWithin {
				t.Fatalf("%q %q → %+v %q, want %+v %q", asked, called, r, within, wantRoute, wantWithin)
			}
		}
	})
}

func TestAnInvalidViewIsRefusedWhole(t *testing.T) {
	t.Parallel()
	sub, key := Subscription{ID: uuid.New()}, Credential{ID: uuid.New()}
	for name, d := range map[string]*Data{
		"upstream without host":      {Versions: []Version{{LiveTargets: []upstream.Target{{URL: "http://"}}}}},
		"upstream of another scheme": {Versions: []Version{{LiveTargets: []upstream.Target{{URL: "file:///etc"}}}}},
		"version without upstream":   {Versions: []Version{{}}},
		"policy out of range":        {Versions: []Version{{LiveTargets: anyTarget, Policy: upstream.Policy{Balance: "dice"}}}},
		"subscription without terms": {Subscriptions: []Subscription{sub}},
		"two keys of one id":         {Keys: []Credential{key, key}},
	} {
		if _, err := Build(d); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
