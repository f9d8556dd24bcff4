package wire

import "bytes"

// Bounds of a plain request. Larger ones take the standard path.
const (
	maxHeaders = 64
	maxHead    = 16 << 10
	// MaxBody is how large a body may be that is read whole before the request is
	// forwarded.
	MaxBody = 64 << 10
)

// Request is the head of a plain request. Its strings point into the
// connection's buffer.
type Request struct {
	Method  string
	Path    string // as sent, starting with a slash
	Encoded bool   // Path holds percent escapes
	Query   string // as sent, without the question mark
	Host    string
	Length  int64 // of the body
	Close   bool  // the client wants no further request on this connection

	Headers []Header // all but Host, Content-Length and Connection
	store   [maxHeaders]Header
}

// Verdict is what became of reading a head.
type Verdict int

// The verdicts.
const (
	Plain    Verdict = iota // read
	Partial                 // plain so far, and not at its end
	Standard                // not plain: net/http's
)

// Parse reads a head from the start of b and says how long it is.
func (r *Request) Parse(b []byte) (size int, v Verdict) {
	line, rest, v := cutLine(b)
	if v != Plain {
		if v == Partial && !couldBegin(b) {
			return 0, Standard
		}
		return 0, v
	}
	if !r.parseStart(line) {
		return 0, Standard
	}
	r.Host, r.Length, r.Close, r.Headers = "", -1, false, r.store[:0]
	for {
		line, rest, v = cutLine(rest)
		switch {
		case v != Plain:
			return 0, v
		case len(line) == 0:
			return len(b) - len(rest), r.finish()
		case !r.parseHeader(line):
			return 0, Standard
		}
	}
}

func (r *Request) finish() Verdict {
	if r.Host == "" {
		return Standard
	}
	r.Length = max(r.Length, 0)
	return Plain
}

// cutLine cuts the first line off b; it must end with CR LF.
func cutLine(b []byte) (line, rest []byte, v Verdict) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i < 0 && len(b) > maxHead:
		return nil, nil, Standard
	case i < 0:
		return nil, nil, Partial
	case i == 0 || b[i-1] != '\r':
		return nil, nil, Standard
	}
	return b[:i-1], b[i+1:], Plain
}

var methods = [...]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}

// couldBegin reports whether b may become a plain request, so that HTTP/2 and
// TLS are not kept waiting for the end of a line.
func couldBegin(b []byte) bool {
	for _, m := range methods {
		n := min(len(b), len(m))
		if string(b[:n]) == m[:n] {
			return true
		}
	}
	return false
}

func (r *Request) parseStart(line []byte) bool {
	sp := bytes.IndexByte(line, ' ')
	const version = " HTTP/1.1"
	if sp < 0 || len(line) < sp+len(version)+2 || string(line[len(line)-len(version):]) != version {
		return false
	}
	if r.Method = method(line[:sp]); r.Method == "" {
		return false
	}
	return r.parseTarget(line[sp+1 : len(line)-len(version)])
}

func method(b []byte) string {
	for _, m := range methods {
		if string(b) == m {
			return m
		}
	}
	return ""
}

func (r *Request) parseTarget(t []byte) bool {
	if len(t) == 0 || t[0] != '/' {
		return false
	}
	path, query := t, []byte(nil)
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		path, query = t[:i], t[i+1:]
	}
	var plain bool
	if r.Encoded, plain = escapes(path, isPath); !plain {
		return false
	}
	if _, plain = escapes(query, isQuery); !plain {
		return false
	}
	r.Path, r.Query = text(path), text(query)
	return true
}

// escapes reports whether b has percent escapes, and whether it is otherwise
// made of the given class alone.
func escapes(b []byte, bits uint8) (some, plain bool) {
	for i := 0; i < len(b); i++ {
		if class[b[i]]&bits != 0 {
			continue
		}
		if b[i] != '%' || i+2 >= len(b) || !IsHex(b[i+1]) || !IsHex(b[i+2]) {
			return some, false
		}
		some, i = true, i+2
	}
	return some, true
}

// IsHex reports whether c is a hexadecimal digit.
func IsHex(c byte) bool {
	return (c >= '0' && c <= '9') || (lower[c] >= 'a' && lower[c] <= 'f')
}

func (r *Request) parseHeader(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !all(line[:colon], isToken) {
		return false
	}
	name, raw := line[:colon], trim(line[colon+1:])
	if !all(raw, isValue) {
		return false
	}
	return r.add(text(name), raw)
}

// add takes one header in. Those that change how a message is framed or carried
// are read here, or make the request not plain.
func (r *Request) add(name string, raw []byte) bool {
	switch len(name) {
	case 2:
		if Is(name, "te") {
			return false
		}
	case 4:
		if Is(name, "host") {
			plain := r.Host == "" && len(raw) > 0 && all(raw, isHost)
			r.Host = text(raw)
			return plain
		}
	case 6:
		if Is(name, "expect") {
			return false
		}
	case 7:
		if Is(name, "upgrade") || Is(name, "trailer") {
			return false
		}
	case 10:
		if Is(name, "connection") {
			closes := Is(text(raw), "close")
			r.Close = r.Close || closes
			return closes || Is(text(raw), "keep-alive")
		}
		if Is(name, "keep-alive") {
			return false
		}
	case 14:
		if Is(name, "content-length") {
			n, ok := number(raw)
			ok = ok && r.Length < 0 && n <= MaxBody
			r.Length = n
			return ok
		}
		if Is(name, "http2-settings") {
			return false
		}
	case 16:
		if Is(name, "proxy-connection") {
			return false
		}
	case 17:
		if Is(name, "transfer-encoding") {
			return false
		}
	}
	if len(r.Headers) == maxHeaders {
		return false
	}
	r.Headers = append(r.Headers, Header{name, text(raw)})
	return true
}
