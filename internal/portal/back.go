package portal

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"tollgate/internal/permissions"
	"tollgate/internal/portal/request"
)

// waysBack are GET routes for the addresses that forms post to and that have no
// page: a refused form leaves its address in the browser, and whoever opens it
// again is led to the page that holds the form, which is the nearest one above.
// Public addresses are left out: programs post to them, not forms.
func waysBack(routes []Route) (out []Route) {
	pages := map[string]Route{}
	for _, rt := range routes {
		if rt.Method == http.MethodGet {
			pages[rt.Path] = rt
		}
	}
	for _, rt := range routes {
		if _, has := pages[rt.Path]; has || rt.Method != http.MethodPost || rt.Needs == permissions.Public {
			continue
		}
		above, found := pages[path.Dir(rt.Path)]
		for at := path.Dir(rt.Path); !found && at != "/"; {
			at = path.Dir(at)
			above, found = pages[at]
		}
		if found {
			out = append(out, Route{http.MethodGet, rt.Path, above.Needs, leadTo(above.Path)})
		}
	}
	return out
}

// leadTo redirects to the part of the asked address that the pattern names.
func leadTo(pattern string) request.Handler {
	parts := strings.Count(strings.TrimSuffix(pattern, "/"), "/")
	return func(r *request.Request) error {
		asked := strings.Split(r.HTTP().URL.Path, "/")
		above := url.URL{Path: "/" + strings.Join(asked[1:1+parts], "/")}
		return r.Redirect(above.String())
	}
}
