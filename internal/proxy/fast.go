package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tollgate/internal/identity"
	"tollgate/internal/upstream"
	"tollgate/internal/wire"
)

// serveFast forwards a call that every step let pass, and meters it once.
func (g *Gateway) serveFast(c *call) {
	defer func() { g.end(c, c.now) }()
	c.out.in = uint64(len(c.fast.Body))
	l, err := g.exchange(c)
	if err != nil {
		g.fail(c, err)
		return
	}
	g.relay(c, l)
}

// look reads the clock for c. What follows at once goes by the same time: the
// clock is read three times a call, not at each step.
func (g *Gateway) look(c *call) time.Time {
	c.now = g.Clock.Steady()
	return c.now
}

// fail answers a call that got no answer.
func (g *Gateway) fail(c *call, err error) {
	c.fast.Got()
	c.out.ours = true
	if c.fast.Gone() { // nobody is there to read an answer
		c.out.status, c.out.fault, c.fast.Keep = statusGone, true, false
		_ = g.meter(c, g.look(c)) // logged and counted there
		return
	}
	e := errUnreachable
	if errors.Is(err, wire.ErrLate) || errors.Is(err, context.DeadlineExceeded) {
		e = errTimeout
	}
	c.out.status, c.out.complete = e.Status(), true
	_ = g.meter(c, g.look(c)) // logged and counted there; nothing is billed
	g.answerError(c, e, err)
}

// appendRequest writes the head that the upstream gets.
func (g *Gateway) appendRequest(b []byte, c *call) []byte {
	x, target := c.fast, c.url()
	b = append(append(b, c.r.method...), ' ')
	b = append(b, strings.TrimSuffix(target.EscapedPath(), "/")...)
	if c.fast.Request.Encoded {
		b = append(b, (&url.URL{Path: c.within}).EscapedPath()...)
	} else {
		b = append(b, c.within...)
	}
	if c.r.query != "" {
		b = append(append(b, '?'), c.r.query...)
	}
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), target.Host...), "\r\n"...)
	plain := unitsPath(c.op) != "" // units are read from the answer, which must not be compressed
	parent, state := c.spans.parent()
	for i := range x.Request.Headers {
		if h := &x.Request.Headers[i]; !strip(h.Name) && (!plain || !wire.Is(h.Name, "accept-encoding")) && (parent == "" || !traceHeader(h.Name)) {
			b = appendField(b, h.Name, h.Value)
		}
	}
	b = append(c.r.client.AppendTo(append(b, "X-Forwarded-For: "...)), "\r\n"...)
	b = appendField(b, "X-Forwarded-Host", c.r.host)
	b = append(appendID(append(b, "X-Forwarded-Proto: http\r\nX-Request-Id: "...), c.id), "\r\n"...)
	if plain {
		b = append(b, "Accept-Encoding: identity\r\n"...)
	}
	if parent != "" {
		b = appendField(b, "Traceparent", parent)
	}
	if state != "" {
		b = appendField(b, "Tracestate", state)
	}
	if c.route.SignIdentity && c.key != nil {
		b = appendField(b, identity.Header, g.identity(c))
	}
	if len(x.Body) > 0 || c.r.method == http.MethodPost || c.r.method == http.MethodPut || c.r.method == http.MethodPatch {
		b = appendNumber(b, "Content-Length: ", int64(len(x.Body)))
	}
	return append(b, "\r\n"...)
}

func traceHeader(name string) bool {
	return wire.Is(name, "traceparent") || wire.Is(name, "tracestate")
}

// exchange sends the request and reads the head of its answer, again and
// elsewhere as long as the upstream's policy says so.
func (g *Gateway) exchange(c *call) (*wire.Link, error) {
	for n := 1; ; n++ {
		until := g.look(c).Add(c.left(g.firstByte(c)))
		c.fast.Until(until.Add(lastOfBody + slack))
		c.spans.attempt(c.url().Host)
		c.fast.Out = g.appendRequest(c.fast.Out[:0], c)
		l, trouble, err := g.try(c, until)
		if (err == nil && !transient(l.Response.Status)) || c.fast.Gone() {
			return l, err
		}
		if !g.repeat(c, upstream.Attempt{Method: c.r.method, Whole: true, Number: n, Trouble: trouble}) {
			return l, err
		}
		if l != nil {
			l.Discard()
		}
	}
}

// try makes one attempt. A connection that the upstream had closed meanwhile is
// no attempt: it is replaced, once, where repeating is safe.
func (g *Gateway) try(c *call, until time.Time) (*wire.Link, upstream.Trouble, error) {
	up := g.links.to(c.url())
	connect := c.route.How.Timeouts.Connect
	l, err := up.Get(c.now, connect)
	for err == nil {
		switch err = g.ask(c, l, until); {
		case err == nil:
			return l, upstream.Answered, nil
		case errors.Is(err, wire.ErrDead): // nothing was sent
			l, err = up.Get(c.now, connect)
		case errors.Is(err, wire.ErrStale) && upstream.Idempotent(c.r.method):
			l, err = up.Fresh(connect)
		default:
			return nil, upstream.NoAnswer, err
		}
	}
	return nil, upstream.NotReached, err
}

// maxInterim bounds interim answers, which an upstream could send for ever.
const maxInterim = 8

// ask sends the request on l and reads until there is a final answer's head. It
// discards l when that fails.
func (g *Gateway) ask(c *call, l *wire.Link, until time.Time) error {
	c.fast.Await(l)
	err := l.Ask(c.fast.Out, c.fast.Body, until)
	for n := 0; err == nil; n++ {
		switch r := &l.Response; {
		case r.Status >= 200:
			return nil
		case n == maxInterim, r.Status == http.StatusSwitchingProtocols: // nobody asked to switch
			err = wire.ErrAnswer
		case r.Status != http.StatusContinue: // that one is between the upstream and us
			err = g.passInterim(c, r)
		}
		if err == nil {
			err = l.ReadHead()
		}
	}
	l.Discard()
	return err
}

// passInterim passes an early hint on (RFC 8297). The request is still needed
// in Out, for a repeat: the hint is written beside it.
func (g *Gateway) passInterim(c *call, r *wire.Response) error {
	request := len(c.fast.Out)
	b := c.appendHead(c.fast.Out, r)
	c.fast.Out = b[request:]
	err := c.fast.FlushWith([]byte("\r\n"))
	c.fast.Out = b[:request]
	return err
}
