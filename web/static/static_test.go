package static

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header = header
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, request)
	return answer
}

func TestFilesAreServedForEver(t *testing.T) {
	t.Parallel()
	for name, mime := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "theme.js": "text/javascript; charset=utf-8",
		"favicon.svg": "image/svg+xml", "inter.woff2": "font/woff2", "jetbrains-mono.woff2": "font/woff2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := get(t, URL(name), nil)
			if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != mime {
				t.Errorf("got %d %s", answer.Code, answer.Header().Get("Content-Type"))
			}
			if got := answer.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
				t.Errorf("Cache-Control is %q", got)
			}
			again := get(t, URL(name), http.Header{"If-None-Match": {answer.Header().Get("ETag")}})
			if again.Code != http.StatusNotModified {
				t.Errorf("a known ETag got %d", again.Code)
			}
		})
	}
}

func TestOnlyHashedAddressesExist(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/static/app.css", "/static/", "/static/../static.go", "/static/css/00-tokens.css"} {
		if got := get(t, path, nil).Code; got != http.StatusNotFound {
			t.Errorf("%s got %d", path, got)
		}
	}
}

func TestStylesheetNamesHashedFonts(t *testing.T) {
	t.Parallel()
	css := get(t, URL("app.css"), nil).Body.Bytes()
	for _, name := range []string{"inter.woff2", "jetbrains-mono.woff2"} {
		if !bytes.Contains(css, []byte(URL(name))) {
			t.Errorf("%s is not named by its hashed address", name)
		}
	}
	if bytes.Contains(css, []byte("http:")) || bytes.Contains(css, []byte("https:")) {
		t.Error("the stylesheet names another host")
	}
}

func TestScriptsStaySmall(t *testing.T) {
	t.Parallel()
	size := get(t, URL("app.js"), nil).Body.Len() + get(t, URL("theme.js"), nil).Body.Len()
	if size > 15_000 {
		t.Errorf("%d bytes of script", size)
	}
}

func TestUnknownNamePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	URL("missing.css")
}
