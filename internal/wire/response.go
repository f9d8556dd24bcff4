package wire

import (
	"bytes"
	"errors"
	"slices"
)

// MaxAnswerHead bounds the head of an upstream's answer.
const MaxAnswerHead = 64 << 10

// ErrAnswer says that an upstream's answer is not HTTP/1.1, or says two things
// at once about where it ends.
var ErrAnswer = errors.New("the upstream's answer is malformed")

// Response is the head of an upstream's answer. Its strings point into the
// connection's buffer.
type Response struct {
	Status  int
	Reason  string
	Length  int64 // of the body; -1: not said
	Chunked bool
	Close   bool // the connection ends with this answer
	Dated   bool // it has a Date
	Headers []Header

	old   bool // HTTP/1.0
	store [maxHeaders]Header
	named [][]byte // by Connection, beside the usual
}

// Parse reads a head from the start of b. Partial means that more is needed. The
// headers leave out those that belong to the connection (RFC 9110, section
// 7.6.1) and the length, which are fields of their own.
func (r *Response) Parse(b []byte) (size int, v Verdict, err error) {
	end := bytes.Index(b, []byte("\n\r\n"))
	if end < 0 {
		if len(b) > MaxAnswerHead {
			return 0, Partial, ErrAnswer
		}
		return 0, Partial, nil
	}
	size = end + 3
	r.Length, r.Chunked, r.Close, r.Dated, r.Headers, r.named = -1, false, false, false, r.store[:0], r.named[:0]
	rest := b[:end+1]
	line, rest, _ := answerLine(rest)
	if !r.parseStatus(line) {
		return 0, Plain, ErrAnswer
	}
	for len(rest) > 0 {
		var ok bool
		if line, rest, ok = answerLine(rest); !ok || !r.parseHeader(line) {
			return 0, Plain, ErrAnswer
		}
	}
	if r.Chunked && (r.Length >= 0 || r.old) { // RFC 9112, sections 6.3 and 6.1: smuggling, or nearly
		return 0, Plain, ErrAnswer
	}
	r.dropNamed()
	return size, Plain, nil
}

func answerLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i <= 0 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

func (r *Response) parseStatus(line []byte) bool {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' || (len(line) > 12 && line[12] != ' ') {
		return false
	}
	n, ok := number(line[9:12])
	if !ok || n < 100 || (line[7] != '0' && line[7] != '1') {
		return false
	}
	r.Status, r.Reason = int(n), ""
	r.old = line[7] == '0'
	r.Close = r.old
	if len(line) > 13 {
		if !all(line[13:], isAnswer) {
			return false
		}
		r.Reason = text(line[13:])
	}
	return true
}

func (r *Response) parseHeader(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !all(line[:colon], isToken) {
		return false
	}
	name, raw := text(line[:colon]), trim(line[colon+1:])
	return all(raw, isAnswer) && r.add(name, raw)
}

func (r *Response) add(name string, raw []byte) bool {
	switch {
	case Is(name, "content-length"):
		n, ok := number(raw)
		ok = ok && (r.Length < 0 || r.Length == n) // the same length twice is one length
		r.Length = n
		return ok
	case Is(name, "transfer-encoding"):
		ok := !r.Chunked && Is(text(raw), "chunked")
		r.Chunked = true
		return ok
	case Is(name, "connection"):
		for opt := range bytes.SplitSeq(raw, []byte(",")) {
			if opt = trim(opt); Is(text(opt), "close") {
				r.Close = true
			} else if Is(text(opt), "keep-alive") {
				r.Close = false // HTTP/1.0 that goes on
			} else if len(opt) > 0 {
				r.named = append(r.named, opt)
			}
		}
		return len(r.named) <= maxHeaders
	case Is(name, "keep-alive"), Is(name, "proxy-connection"), Is(name, "te"), Is(name, "upgrade"), Is(name, "trailer"):
		return true
	case Is(name, "date"):
		r.Dated = true
	}
	r.Headers = append(r.Headers, Header{name, text(raw)})
	return true
}

// dropNamed removes the headers that Connection named.
func (r *Response) dropNamed() {
	if len(r.named) == 0 {
		return
	}
	r.Headers = slices.DeleteFunc(r.Headers, func(h Header) bool {
		return slices.ContainsFunc(r.named, func(name []byte) bool { return bytes.EqualFold(name, []byte(h.Name)) })
	})
}

// Bodiless reports whether an answer to method has no body whatever its head says.
func (r *Response) Bodiless(method string) bool {
	return method == "HEAD" || r.Status < 200 || r.Status == 204 || r.Status == 304
}
