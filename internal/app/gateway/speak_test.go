package gateway_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// speaks sends bytes as they are on a connection of its own and reads all that
// comes until the gateway closes it: the bytes must make it do so.
func (b *bundle) speaks(raw string) (answers []answer) {
	b.t.Helper()
	return b.speaksTo(b.cfg.Listen, raw)
}

type answer struct {
	status int
	header http.Header
	body   string
	whole  bool
}

func (b *bundle) speaksTo(addr, raw string) (answers []answer) {
	b.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	go func() { _, _ = io.WriteString(conn, raw) }() // refused ones are not read to their end
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		b.t.Fatal(err)
	}
	for r := bufio.NewReader(conn); ; {
		a, err := readAnswer(r, "GET")
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				b.t.Errorf("the connection stays open after %q", raw[:min(len(raw), 200)])
			}
			return answers
		}
		answers = append(answers, a)
	}
}

func readAnswer(r *bufio.Reader, method string) (answer, error) {
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err == nil}, nil
}

func statuses(answers []answer) (out []int) {
	for _, a := range answers {
		out = append(out, a.status)
	}
	return out
}

// asked makes a request of lines.
func asked(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// line is a connection on which one call follows another.
type line struct {
	net.Conn
	r *bufio.Reader
}

func (b *bundle) line() *line {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.cfg.Listen)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return &line{conn, bufio.NewReader(conn)}
}

// get calls a path with a key and, if there are any, more headers.
func (l *line) get(path, key string, more ...string) (answer, error) {
	_, _ = io.WriteString(l, asked(append([]string{"GET " + path + " HTTP/1.1", "Host: x", "X-API-Key: " + key}, more...)...))
	return readAnswer(l.r, "GET")
}
