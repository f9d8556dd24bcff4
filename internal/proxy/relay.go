package proxy

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/wire"
)

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
