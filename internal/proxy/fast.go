package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
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

// appendHead writes an upstream's status and headers, except what is ours to say.
func (c *call) appendHead(b []byte, r *wire.Response) []byte {
	b = appendStatus(b, r.Status, r.Reason)
	for i := range r.Headers {
		if h := &r.Headers[i]; !isLimitHeader(h.Name) && !wire.Is(h.Name, "x-request-id") && !c.isCORSHeader(h.Name) {
			b = appendField(b, h.Name, h.Value)
		}
	}
	return b
}

// relay passes the answer on.
func (g *Gateway) relay(c *call, l *wire.Link) {
	now := g.look(c)
	c.out.status, c.out.firstByte = l.Response.Status, now.Sub(c.started)
	x, r := c.fast, &l.Response
	c.readUnitsHeader(r)
	b := c.appendHead(x.Out[:0], r)
	b = append(appendID(append(b, "X-Request-Id: "...), c.id), "\r\n"...)
	b = c.appendLimits(b)
	b = c.appendCORS(b)
	if !r.Dated {
		b = appendField(b, "Date", g.dates.at(now))
	}
	bodiless := r.Bodiless(c.r.method)
	switch {
	case r.Length >= 0 && r.Status != http.StatusNoContent:
		b = appendNumber(b, "Content-Length: ", r.Length)
	case !bodiless:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	x.Out = appendEnd(b, x.Keep)
	var err error
	switch {
	case bodiless || r.Length == 0:
		err = g.finish(c, now)
	case r.Length > 0:
		err = g.relayLength(c, l, now)
	default:
		err = g.relayChunks(c, l)
	}
	g.settle(c, l, err)
}

// readUnitsHeader counts what the answer's head says the call has used.
func (c *call) readUnitsHeader(r *wire.Response) {
	name := unitsHeader(c.op)
	if name == "" {
		return
	}
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) {
			c.out.count(r.Headers[i].Value)
		}
	}
}

// finish meters the call and then sends what is left of its answer.
func (g *Gateway) finish(c *call, now time.Time) error {
	c.out.complete = true
	c.readUnits()
	if err := g.meter(c, now); err != nil {
		return err // unrecorded: the client must not get the whole answer
	}
	return c.fast.Flush()
}

// settle puts the upstream's connection back, or gives it up when the answer was
// not passed on to its end.
func (g *Gateway) settle(c *call, l *wire.Link, err error) {
	if here := c.fast.Got(); here && err == nil {
		l.Put(c.now)
		return
	}
	l.Discard()
	c.out.fault = c.out.fault || c.fast.Gone()
	c.fast.Keep = false // the client sees that its answer ends too early
	_ = g.meter(c, g.look(c))
}

// relayLength passes on a body whose length is known.
func (g *Gateway) relayLength(c *call, l *wire.Link, now time.Time) error {
	for left := l.Response.Length; ; {
		part := l.Buffered()
		part = part[:min(int64(len(part)), left)]
		left -= int64(len(part))
		c.out.bytes += uint64(len(part))
		c.keepForUnits(part)
		if left == 0 {
			c.out.complete = true
			c.readUnits()
			if err := g.meter(c, now); err != nil {
				return err
			}
		}
		if err := c.send(part); err != nil {
			return err
		}
		l.Take(len(part))
		if left == 0 {
			return nil
		}
		if err := g.more(c, l); err != nil {
			return err
		}
		now = g.look(c)
	}
}

// joined is how large a part of a body may be to be copied behind what else is
// to be sent; larger ones are sent beside it.
const joined = 8 << 10

// send sends Out and part.
func (c *call) send(part []byte) error {
	x := c.fast
	switch {
	case len(part) > joined:
		return x.FlushWith(part)
	case len(part) > 0:
		x.Out = append(x.Out, part...)
	}
	if len(x.Out) == 0 {
		return nil
	}
	return x.Flush()
}

// more reads more of the upstream's body; its end is too early.
func (g *Gateway) more(c *call, l *wire.Link) error {
	g.pause(c, l)
	err := l.More()
	if err == nil {
		return nil
	}
	c.out.broken = !c.fast.Gone()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// pause gives the upstream anew as long as it may pause in its answer, and the
// client a little longer to take what comes.
func (g *Gateway) pause(c *call, l *wire.Link) {
	until := g.look(c).Add(c.left(g.cfg.Timeout))
	l.Until(until)
	c.fast.Until(until.Add(lastOfBody + slack))
}

// relayChunks passes on a body whose end is said by its framing, or by the end
// of the connection. What arrived is passed on at once.
func (g *Gateway) relayChunks(c *call, l *wire.Link) error {
	for {
		done, err := c.cutChunks(l)
		if err != nil {
			c.out.broken = !c.fast.Gone()
			c.rate.Done()
			_ = c.fast.Flush() // what came before; the end is missing
			return err
		}
		if done {
			return g.finishChunks(c, l)
		}
		if len(c.fast.Out) > 0 {
			if err := c.fast.Flush(); err != nil {
				return err
			}
		}
		g.pause(c, l)
		if err := l.More(); err != nil {
			if errors.Is(err, io.EOF) && !l.Response.Chunked { // ended by the connection
				l.Response.Close = true
				return g.finishChunks(c, l)
			}
			c.out.broken = !c.fast.Gone()
			return err
		}
	}
}

// cutChunks moves what is buffered into Out, in chunks of our own.
func (c *call) cutChunks(l *wire.Link) (done bool, err error) {
	if !l.Response.Chunked {
		part := l.Buffered()
		c.appendChunk(part)
		l.Take(len(part))
		return false, nil
	}
	for b := l.Buffered(); len(b) > 0; b = l.Buffered() {
		data, rest, done, err := l.Chunks.Next(b)
		if err != nil {
			return false, err
		}
		c.appendChunk(data)
		l.Take(len(b) - len(rest))
		if done {
			return true, nil
		}
	}
	return false, nil
}

func (c *call) appendChunk(data []byte) {
	if len(data) == 0 {
		return
	}
	c.out.bytes += uint64(len(data))
	c.keepForUnits(data)
	x := c.fast
	x.Out = append(strconv.AppendInt(x.Out, int64(len(data)), 16), "\r\n"...)
	x.Out = append(append(x.Out, data...), "\r\n"...)
}

// finishChunks ends the client's body, with the upstream's trailers.
func (g *Gateway) finishChunks(c *call, l *wire.Link) error {
	x := c.fast
	x.Out = append(x.Out, "0\r\n"...)
	for _, line := range l.Chunks.Trailers {
		if name, _, ok := strings.Cut(line, ":"); ok && trailerPasses(name) {
			x.Out = append(append(x.Out, line...), "\r\n"...)
		}
	}
	x.Out = append(x.Out, "\r\n"...)
	return g.finish(c, g.look(c))
}

// trailerPasses reports whether a trailer field may follow a body: none that
// frames a message, and none of ours (RFC 9110, section 6.5.1).
func trailerPasses(name string) bool {
	if !wire.Token(name) || isLimitHeader(name) {
		return false
	}
	for _, never := range [...]string{"content-length", "transfer-encoding", "connection", "host", "trailer", "x-request-id", "content-encoding", "content-type", "set-cookie"} {
		if wire.Is(name, never) {
			return false
		}
	}
	return true
}
