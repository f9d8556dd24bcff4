// Package wire speaks the plain part of HTTP/1.1, and speaks it cheaply: one
// goroutine per client connection, heads read in place, headers passed on
// without being taken apart. What is not plain (HTTP/2, upgrades, chunked or
// large request bodies, anything unusual or malformed) is handed over to
// net/http together with its connection, so that nothing is read less strictly
// here than there.
package wire

import "unsafe"

// Header is one header line. Name keeps the sender's spelling.
type Header struct{ Name, Value string }

// text views b as a string without copying. It is good for as long as b is not
// written to: until the next request on the connection.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // audited: see above

// Is reports whether s is name in any case; name is in lower case.
func Is(s, name string) bool {
	if len(s) != len(name) {
		return false
	}
	for i := range len(s) {
		if lower[s[i]] != name[i] {
			return false
		}
	}
	return true
}

// What a byte may be.
const (
	isToken  = 1 << iota // of a method or header name (RFC 9110, section 5.6.2)
	isPath               // of a path that every program reads the same: pchar without “;” and “%” (RFC 3986, section 3.3)
	isQuery              // of a plain query: without “;” and “%”
	isValue              // of a plain header value: visible ASCII, space and tab
	isAnswer             // of an upstream's header value: as isValue, and obs-text (RFC 9110, section 5.5)
	isHost               // of a Host header
)

var (
	class [256]uint8
	lower [256]byte
)

func init() {
	mark := func(chars string, bits uint8) {
		for i := range len(chars) {
			class[chars[i]] |= bits
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const digits = "0123456789"
	mark(letters+digits, isToken|isPath|isQuery|isHost)
	mark("!#$%&'*+-.^_`|~", isToken)
	mark("-._~!$&'()*+,=:@/", isPath|isQuery)
	mark("?[]{}|^`", isQuery)
	mark("-._:[]", isHost)
	for c := range 256 {
		lower[c] = byte(c)
		if c >= 'A' && c <= 'Z' {
			lower[c] += 'a' - 'A'
		}
		if c == '\t' || (c >= 0x20 && c < 0x7f) {
			class[c] |= isValue | isAnswer
		}
		if c >= 0x80 {
			class[c] |= isAnswer
		}
	}
}

// all reports whether every byte of b has one of bits.
func all(b []byte, bits uint8) bool {
	for _, c := range b {
		if class[c]&bits == 0 {
			return false
		}
	}
	return true
}

// trim removes spaces and tabs at both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// number reads decimal digits and nothing else.
func number(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// Token reports whether s can be the name of a header.
func Token(s string) bool {
	for i := range len(s) {
		if class[s[i]]&isToken == 0 {
			return false
		}
	}
	return s != ""
}
