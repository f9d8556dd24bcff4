package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// maxSlug bounds the addresses of pages.
const maxSlug = 80

// slug names the operation's page: by operationId, else by method and path.
// When that is taken a hash of method and path follows, which does not depend
// on the order of the document.
func (b *builder) slug(op Operation) string {
	call := op.Method + " " + op.Path
	names := []string{slugText(op.OperationID), slugText(call)}
	for _, name := range names {
		if name != "" && len(name) <= maxSlug && !b.slugs[name] {
			b.slugs[name] = true
			return name
		}
	}
	sum := sha256.Sum256([]byte(call))
	name := names[0]
	if name == "" {
		name = names[1]
	}
	if len(name) > maxSlug-13 {
		name = strings.TrimRight(name[:maxSlug-13], "-")
	}
	return unique(b.slugs, name+"-"+hex.EncodeToString(sum[:6]))
}

// unique returns name, numbered when it is taken, and takes it.
func unique(taken map[string]bool, name string) string {
	try := name
	for i := 2; taken[try]; i++ {
		try = name + "-" + itoa(i)
	}
	taken[try] = true
	return try
}

// slugText writes s in lower case ASCII letters, digits and single hyphens;
// camelCase is split.
func slugText(s string) string {
	var b strings.Builder
	var last rune
	for _, r := range s {
		upper := unicode.IsUpper(r)
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			if upper && (unicode.IsLower(last) || unicode.IsDigit(last)) {
				b.WriteByte('-')
			}
			b.WriteRune(unicode.ToLower(r))
		case b.Len() > 0 && last != '-':
			r = '-'
			b.WriteByte('-')
		default:
			r = '-'
		}
		last = r
		if b.Len() > 4*maxSlug {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}
