package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tollgate/internal/keys/token"
)

// capture is an upstream that reads bytes strictly and keeps what it was sent.
type capture struct {
	listener net.Listener
	mu       sync.Mutex
	seen     []captured
	cut      []captured // that ended too early
	bad      []string   // what it could not read as a request
	answers  map[string]func(net.Conn, captured) (goOn bool)
}

type captured struct {
	line  string
	lines []string // of headers, as they came
	body  string
}

func newCapture(t testing.TB) *capture {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{listener: l, answers: map[string]func(net.Conn, captured) bool{}}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *capture) url() string { return "http://" + c.listener.Addr().String() }

// behind puts a capturing upstream behind the gateway.
func behind(c *capture) func(*bundle) { return func(b *bundle) { b.target = c.url() } }

// called says how the upstream is called.
func called(policy string) func(*bundle) { return func(b *bundle) { b.policy = policy } }

// once lets each call be sent once, however the upstream fails.
const once = `{"breaker": {"percent": -1}, "passive": {"failures": -1}, "retry": {"attempts": -1}}`

// on says what to answer to a path. Call it before the path is called.
func (c *capture) on(path string, answer func(net.Conn, captured) (goOn bool)) {
	c.answers[path] = answer
}

// says answers a path with bytes as they are.
func (c *capture) says(path, answer string) {
	text := []byte(answer) // once: some are large
	c.on(path, func(conn net.Conn, _ captured) bool {
		_, err := conn.Write(text)
		return err == nil
	})
}

func (c *capture) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		got, err := readStrictly(r)
		if err != nil {
			if !between(err) {
				c.mu.Lock()
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
					c.cut = append(c.cut, got)
				} else {
					c.bad = append(c.bad, err.Error())
				}
				c.mu.Unlock()
			}
			return
		}
		c.mu.Lock()
		c.seen = append(c.seen, got)
		answer := c.answers[strings.SplitN(got.path(), "?", 2)[0]]
		c.mu.Unlock()
		if answer == nil {
			answer = func(conn net.Conn, r captured) bool {
				body := r.line
				if r.method() == "HEAD" {
					body = ""
				}
				_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				return err == nil
			}
		}
		if !answer(conn, got) {
			return
		}
	}
}

// readStrictly reads a request, and accepts nothing that two programs could read
// in two ways. The end between two requests is errBetween.
func readStrictly(r *bufio.Reader) (got captured, err error) {
	line := func() string {
		s, e := r.ReadString('\n')
		switch {
		case err != nil:
		case e != nil:
			err = fmt.Errorf("ended in %q: %w", s, e)
			if s == "" && got.line == "" {
				err = errBetween // also where the connection was reset
			}
		case !strings.HasSuffix(s, "\r\n") || strings.ContainsAny(s[:len(s)-2], "\r\x00"):
			err = fmt.Errorf("a bare CR, LF or NUL in %q", s)
		}
		return strings.TrimSuffix(s, "\r\n")
	}
	if got.line = line(); err == nil && strings.Count(got.line, " ") != 2 {
		err = fmt.Errorf("request line %q", got.line)
	}
	for err == nil {
		l := line()
		if l == "" {
			break
		}
		got.lines = append(got.lines, l)
		if name, _, ok := strings.Cut(l, ":"); !ok || strings.ContainsAny(name, " \t") {
			err = fmt.Errorf("header line %q", l)
		}
	}
	if err != nil {
		return got, err
	}
	lengths, codings := got.values("content-length"), got.values("transfer-encoding")
	switch {
	case len(lengths)+len(codings) > 1:
		return got, fmt.Errorf("%q and %q at once", lengths, codings)
	case len(lengths) == 1:
		n, e := strconv.ParseUint(lengths[0], 10, 31)
		body := make([]byte, n)
		if _, full := io.ReadFull(r, body); e != nil || full != nil {
			return got, fmt.Errorf("a body of %q: %w, %w", lengths[0], e, full)
		}
		got.body = string(body)
	case len(codings) == 1 && codings[0] == "chunked":
		for err == nil {
			n, e := strconv.ParseUint(line(), 16, 31)
			if err == nil && e != nil {
				return got, fmt.Errorf("a chunk's size: %w", e)
			}
			if err != nil {
				break
			}
			body := make([]byte, n)
			if _, full := io.ReadFull(r, body); full != nil {
				return got, fmt.Errorf("a chunk: %w", full)
			}
			got.body += string(body)
			if n == 0 {
				for l := line(); l != "" && err == nil; l = line() {
					got.lines = append(got.lines, l) // a trailer must be as clean as a header
				}
				break
			}
			if line() != "" && err == nil {
				return got, fmt.Errorf("a chunk of %d is followed by bytes", n)
			}
		}
	case len(codings) == 1:
		return got, fmt.Errorf("transfer coding %q", codings[0])
	}
	return got, err
}

// between reports an end that lies between two requests; one within wraps io.EOF.
func between(err error) bool { return errors.Is(err, errBetween) }

var errBetween = errors.New("the connection ended between two requests")

func (r captured) method() string { return strings.SplitN(r.line, " ", 2)[0] }
func (r captured) path() string   { return strings.Split(r.line, " ")[1] }

// values are those of the header with a name in lower case.
func (r captured) values(name string) (out []string) {
	for _, l := range r.lines {
		if n, v, _ := strings.Cut(l, ":"); strings.ToLower(n) == name {
			out = append(out, strings.TrimSpace(v))
		}
	}
	return out
}

// calls are those so far.
func (c *capture) calls() []captured {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

// goodKey puts the application on a plan without limits and makes a key.
func (b *bundle) goodKey() string {
	b.subscribe(b.app, "active", 0, 0)
	return b.key(b.app, token.Live)
}
