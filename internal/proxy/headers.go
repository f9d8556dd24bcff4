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
// canonical form: lower case, with every other character as a dash, which is how
// some upstreams make variables of them.
func strip(name string) bool {
	var buf [32]byte // longer than every reserved name
	n := min(len(name), len(buf))
	for i := range n {
		switch b := name[i]; {
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9':
			buf[i] = b
		case b >= 'A' && b <= 'Z':
			buf[i] = b + 'a' - 'A'
		default:
			buf[i] = '-'
		}
	}
	return reserved(buf[:n]) || reservedPrefix(buf[:n])
}

func reserved(canonical []byte) bool {
	switch string(canonical) {
	case "authorization", "x-api-key", "upgrade", "connection", "http2-settings", "proxy-authorization",
		"content-length", "transfer-encoding", "proxy-connection", "keep-alive", // framed anew: what is left is an alias
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
