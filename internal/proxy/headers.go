package proxy

import "net/http"

// cleanHeaders removes what a client may not tell an upstream: keys, protocol
// switches, and every spelling of identity and forwarding headers.
func cleanHeaders(h http.Header) {
	for name := range h {
		if strip(name) {
			delete(h, name)
		}
	}
}

// strip reports whether a client's header stays here. Names are compared in
// canonical form: lower case, with every separator as a dash.
func strip(name string) bool {
	var buf [32]byte // longer than every reserved name
	n := min(len(name), len(buf))
	for i := range n {
		switch b := name[i]; {
		case b == '_' || b == '.':
			buf[i] = '-'
		case b >= 'A' && b <= 'Z':
			buf[i] = b + 'a' - 'A'
		default:
			buf[i] = b
		}
	}
	return reserved(buf[:n]) || reservedPrefix(buf[:n])
}

func reserved(canonical []byte) bool {
	switch string(canonical) {
	case "authorization", "x-api-key", "upgrade", "connection", "http2-settings", "proxy-authorization",
		"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-request-id",
		"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url":
		return true
	}
	return false
}

func reservedPrefix(canonical []byte) bool {
	for _, prefix := range [...]string{"tollgate-", "x-tollgate-", "x-consumer-", "x-credential-", "x-forwarded-"} {
		if len(canonical) >= len(prefix) && string(canonical[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}
