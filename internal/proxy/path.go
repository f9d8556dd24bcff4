package proxy

import (
	"net/url"
	"strings"

	"tollgate/internal/wire"
)

// canonicalPath decodes an escaped path, if every program on the way would read
// it the same way. The escaped form is what is forwarded.
func canonicalPath(escaped string) (string, bool) {
	if !strings.HasPrefix(escaped, "/") {
		return "", false
	}
	for i := range len(escaped) {
		switch c := escaped[i]; {
		case c == '%':
			return decodedPath(escaped)
		case c <= 0x20, c == 0x7f, c == '\\', c == ';', c == '/' && i > 0 && escaped[i-1] == '/':
			return "", false
		}
	}
	return withoutDots(escaped)
}

// decodedPath is canonicalPath for one with escapes. Those of separators, and of
// bytes that no text has, are refused.
func decodedPath(escaped string) (string, bool) {
	small := strings.ToLower(escaped)
	for _, bad := range []string{"//", "%2f", "%5c", `\`, ";", "%3b", "%00"} {
		if strings.Contains(small, bad) {
			return "", false
		}
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return "", false
	}
	for i := range len(path) {
		if path[i] < 0x20 || path[i] == 0x7f {
			return "", false
		}
	}
	return withoutDots(path)
}

func withoutDots(path string) (string, bool) {
	if hasDots(path) {
		return "", false
	}
	return path, true
}

// hasDots reports whether a segment is “.” or “..”.
func hasDots(path string) bool {
	for i := strings.Index(path, "/."); i >= 0; {
		rest := strings.TrimPrefix(path[i+2:], ".")
		if rest == "" || rest[0] == '/' {
			return true
		}
		next := strings.Index(path[i+2:], "/.")
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}

// plainQuery reports whether every program reads the same pairs in a query: no
// “;”, which some take for “&”, and no broken escape.
func plainQuery(q string) bool {
	for i := 0; i < len(q); i++ {
		if q[i] == ';' || (q[i] == '%' && (i+2 >= len(q) || !wire.IsHex(q[i+1]) || !wire.IsHex(q[i+2]))) {
			return false
		}
	}
	return true
}
