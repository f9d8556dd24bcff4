// Package static holds the stylesheet, scripts, fonts and favicon of every page,
// served from memory under content-hashed addresses that never change meaning.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed css/*.css js/*.js fonts/*.woff2 favicon.svg
var sources embed.FS

// Prefix is the path under which Handler must be mounted.
const Prefix = "/static/"

// asset is one file ready to be served.
type asset struct {
	name string // name before the hash, such as app.css
	url  string
	etag string
	mime string
	body []byte
}

type assets struct {
	byName map[string]*asset
	byURL  map[string]*asset
}

// loaded is built on first use. What is embedded cannot change, so it cannot fail later.
var loaded = sync.OnceValue(load)

// URL returns the hashed address of app.css, app.js, theme.js, favicon.svg or a font.
// An unknown name is a programming error and panics.
func URL(name string) string {
	found, ok := loaded().byName[name]
	if !ok {
		panic("static: no file " + name)
	}
	return found.url
}

// Handler serves every file under Prefix. Hashed addresses may be kept for ever.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, ok := loaded().byURL[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", found.mime)
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		header.Set("ETag", found.etag)
		header.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, found.name, time.Time{}, bytes.NewReader(found.body))
	})
}

func load() *assets {
	all := &assets{byName: map[string]*asset{}, byURL: map[string]*asset{}}
	all.add("favicon.svg", "image/svg+xml", mustRead("favicon.svg"))
	for _, name := range mustList("fonts") {
		all.add(path.Base(name), "font/woff2", mustRead(name))
	}
	all.add("theme.js", "text/javascript; charset=utf-8", mustRead("js/theme.js"))
	scripts := slices.DeleteFunc(mustList("js"), func(name string) bool { return name == "js/theme.js" })
	all.add("app.js", "text/javascript; charset=utf-8", join(scripts))
	all.add("app.css", "text/css; charset=utf-8", all.withFontURLs(join(mustList("css"))))
	return all
}

func (a *assets) add(name, mime string, body []byte) {
	sum := sha256.Sum256(body)
	hash := base64.RawURLEncoding.EncodeToString(sum[:9])
	extension := path.Ext(name)
	file := &asset{
		name: name, mime: mime, body: body, etag: `"` + hash + `"`,
		url: Prefix + strings.TrimSuffix(name, extension) + "." + hash + extension,
	}
	a.byName[name], a.byURL[file.url] = file, file
}

// withFontURLs replaces url("x.woff2") by the hashed address of that font.
func (a *assets) withFontURLs(css []byte) []byte {
	for name, file := range a.byName {
		css = bytes.ReplaceAll(css, []byte(`url("`+name+`")`), []byte(`url("`+file.url+`")`))
	}
	return css
}

// join concatenates the files in the order of their names.
func join(names []string) []byte {
	var out bytes.Buffer
	for _, name := range names {
		out.Write(mustRead(name))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func mustList(dir string) []string {
	entries, err := fs.ReadDir(sources, dir)
	if err != nil {
		panic(fmt.Errorf("static: list %s: %w", dir, err))
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, dir+"/"+entry.Name())
	}
	return names
}

func mustRead(name string) []byte {
	body, err := sources.ReadFile(name)
	if err != nil {
		panic(fmt.Errorf("static: read %s: %w", name, err))
	}
	return body
}
