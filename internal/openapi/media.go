package openapi

import "strings"

type mediaClass int

const (
	mediaOther mediaClass = iota
	mediaJSON
	mediaForm
	mediaMultipart
)

// mediaKind tells how a media type's body is written.
func mediaKind(mediaType string) mediaClass {
	t, _, _ := strings.Cut(strings.ToLower(mediaType), ";")
	t = strings.TrimSpace(t)
	switch {
	case t == "application/x-www-form-urlencoded":
		return mediaForm
	case strings.HasPrefix(t, "multipart/"):
		return mediaMultipart
	case t == "*/*" || strings.HasSuffix(t, "/json") || strings.HasSuffix(t, "+json"):
		return mediaJSON
	}
	return mediaOther
}
