package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tollgate/internal/identity"
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
	c.on(path, func(conn net.Conn, _ captured) bool {
		_, err := io.WriteString(conn, answer)
		return err == nil
	})
}

func (c *capture) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		got, err := readStrictly(r)
		if err != nil {
			if !errors.Is(err, io.EOF) {
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
// in two ways. The end between two requests is io.EOF.
func readStrictly(r *bufio.Reader) (got captured, err error) {
	line := func() string {
		s, e := r.ReadString('\n')
		switch {
		case err != nil:
		case e != nil:
			err = fmt.Errorf("ended in %q: %w", s, e)
			if s == "" && got.line == "" {
				err = io.EOF // also where the connection was reset
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
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
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

// goodKey puts the application on a plan without limits and makes a key.
func (b *bundle) goodKey() string {
	b.subscribe(b.app, "active", 0, 0)
	return b.key(b.app, token.Live)
}

// audit holds what the upstream saw against what the database holds, after the
// gateway has ended: each call once in both, with identity and addresses that are ours.
func (b *bundle) audit(c *capture) {
	b.t.Helper()
	b.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) > 0 {
		b.t.Errorf("the upstream could not read %q", c.bad)
	}
	seen := map[string]bool{}
	for _, r := range append(slices.Clone(c.seen), c.cut...) {
		id := r.values("x-request-id")
		if len(id) != 1 || seen[id[0]] {
			b.t.Errorf("%s has request ids %q", r.line, id)
			continue
		}
		seen[id[0]] = true
		b.auditHeaders(r)
	}
	rows, err := b.db.Query(context.Background(), `SELECT request_id::text, status, billable FROM usage_events WHERE billable OR status NOT IN (400, 499)`)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	metered := 0
	for rows.Next() {
		var id string
		var status int
		var billable bool
		if err := rows.Scan(&id, &status, &billable); err != nil {
			b.t.Fatal(err)
		}
		metered++
		if !seen[id] {
			b.t.Errorf("%s was metered with status %d, billable %t, and never reached the upstream", id, status, billable)
		}
	}
	if metered != len(seen) {
		b.t.Errorf("%d calls reached the upstream, %d were metered", len(seen), metered)
	}
}

func (b *bundle) auditHeaders(r captured) {
	b.t.Helper()
	for _, l := range r.lines {
		name, value, _ := strings.Cut(l, ":")
		plain := strings.Map(func(c rune) rune {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return '-'
			}
			return c
		}, strings.ToLower(name))
		if (plain == "content-length" || plain == "transfer-encoding") && plain != strings.ToLower(name) {
			b.t.Errorf("%s reached the upstream with %q", r.line, l)
		}
		ours := name == "X-Request-Id" || name == "X-Forwarded-For" || name == "X-Forwarded-Host" || name == "X-Forwarded-Proto" || name == identity.Header
		for _, word := range []string{"identity", "consumer", "credential", "forwarded", "real-ip", "client-ip", "override", "rewrite", "request-id", "authorization", "api-key", "connecting-ip", "original-url"} {
			if strings.Contains(plain, word) && !ours {
				b.t.Errorf("%s reached the upstream with %q", r.line, l)
			}
		}
		if strings.Contains(value, "forged") {
			b.t.Errorf("%s reached the upstream with %q", r.line, l)
		}
	}
	for _, name := range []string{"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "host", "tollgate-identity"} {
		if v := r.values(name); len(v) != 1 {
			b.t.Errorf("%s reached the upstream with %s %q", r.line, name, v)
		}
	}
	if v := r.values("x-forwarded-for"); len(v) == 1 && v[0] != "127.0.0.1" {
		b.t.Errorf("%s came from %q", r.line, v)
	}
	if v := r.values("tollgate-identity"); len(v) == 1 {
		if who, err := identity.Verify([]byte(secret), v[0], time.Now()); err != nil || who.Organization != b.org {
			b.t.Errorf("%s says it is %+v, %v", r.line, who, err)
		}
	}
}
