package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestOperationsAreFoundByWordsHalvesAndPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := b.publish(t, weather, api("weather"))
	for text, want := range map[string]string{
		"":                       "/forecast/{city} /stations /stations",
		"stat":                   "/stations /stations",
		"create":                 "/stations",
		"creating stations":      "/stations",
		"rain":                   "/forecast/{city}",
		"/forecast/{c":           "/forecast/{city}",
		"POST /stations":         "/stations",
		"ecast":                  "/forecast/{city}",
		"getForecast":            "/forecast/{city}",
		"' | ! & :* ( \\ % \x00": "",
		"nothing like this":      "",
	} {
		rows, total, err := b.Operations(b.staff, OperationQuery{Version: e.Version.ID, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, r := range rows {
			paths = append(paths, r.Path)
		}
		if got := strings.Join(paths, " "); got != want || total != len(rows) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	rows, _, err := b.Operations(b.staff, OperationQuery{Version: e.Version.ID, Tag: "Stations", Page: 1})
	if err != nil || len(rows) != 2 {
		t.Error(rows, err)
	}
	if rows, total, err := b.Operations(b.staff, OperationQuery{Version: e.Version.ID, Page: 2}); err != nil || len(rows) != 0 || total != 3 {
		t.Error(rows, total, err)
	}
	for _, text := range []string{"weather", "rain", "WEATH"} {
		if all, err := b.List(b.staff, text); err != nil || len(all) != 1 {
			t.Errorf("%q lists %d, %v", text, len(all), err)
		}
	}
}

func TestNamesAreTakenApart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"/repos/{owner}/pull_requests": {"repos", "owner", "pull", "requests"},
		"getUserByName":                {"get", "user", "by", "name"},
		"":                             nil,
		"Café-2":                       {"café", "2"},
	} {
		if got := words(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestStoredJSONHasNoNUL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a\x00b": `"ab"`, `a\u0000b`: `"a\\u0000b"`, `\` + "\x00": `"\\"`} {
		if got, err := storableJSON(in); err != nil || got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
}

func FuzzQueriesAreSafeForTheDatabase(f *testing.F) {
	for _, s := range []string{"GET /repos/{owner}", "' | !", "get", "é", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q := parseQuery(text)
		if strings.ContainsAny(q.words, `'|!()\<>`) || strings.Contains(q.like, "\x00") {
			t.Errorf("%q: %+v", text, q)
		}
	})
}
