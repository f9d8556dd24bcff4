package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// Link is one connection to an upstream.
type Link struct {
	watched
	Response Response
	Chunks   Chunks

	up     *Upstream
	buf    []byte
	r, w   int // what was read and not yet taken
	reused bool
	since  time.Time

	plain      bool // no TLS: the socket is read and written directly
	head, body []byte
	sent       bool
	failure    error
	step       func(fd uintptr) bool // exchange, bound once
}

// Put gives a connection back whose answer was read to its end at now.
func (l *Link) Put(now time.Time) {
	if l.Response.Close || l.r != l.w || !l.until(time.Time{}) {
		l.Discard()
		return
	}
	if cap(l.buf) > keptBuffer {
		l.buf = make([]byte, smallBuffer)
	}
	l.r, l.w, l.since = 0, 0, now
	u := l.up
	u.mu.Lock()
	full := len(u.idle) >= maxIdle
	if !full {
		u.idle = append(u.idle, l)
	}
	u.mu.Unlock()
	if full {
		l.Discard()
	}
}

// Discard closes a connection that cannot be used again.
func (l *Link) Discard() {
	l.up.Watch.remove(&l.watched)
	_ = l.Close()
}

// Until bounds what is read from now on.
func (l *Link) Until(at time.Time) { l.until(at) }

// Ask sends a request and reads the head of its answer, until which it waits, into
// Response. A connection that rested is looked at first: the upstream may have
// closed it, or sent what nobody asked for, which must not answer this request.
// Then the error is ErrDead, and nothing was sent.
func (l *Link) Ask(head, body []byte, until time.Time) error {
	if !l.until(until) {
		return ErrLate
	}
	var err error
	if l.plain {
		err = l.askPlain(head, body)
	} else {
		err = l.askSecure(head, body)
	}
	if err != nil {
		return l.explain(err)
	}
	return l.ReadHead()
}

func (l *Link) askSecure(head, body []byte) error {
	if l.reused && l.left(true) {
		return ErrDead
	}
	return l.write(head, body)
}

func (l *Link) write(head, body []byte) error {
	if len(body) == 0 {
		_, err := l.Write(head)
		return err
	}
	buffers := net.Buffers{head, body}
	_, err := buffers.WriteTo(l.Conn)
	return err
}

func (l *Link) askPlain(head, body []byte) error {
	l.head, l.body, l.sent, l.failure = head, body, false, nil
	err := l.raw.Read(l.step)
	l.head, l.body = nil, nil
	if l.failure != nil {
		return l.failure
	}
	return err
}

// exchange looks, sends, and, when it is called again because something has
// come, reads. It reports false to wait. One wait around all three saves finding
// out by a system call that there is nothing to read yet.
func (l *Link) exchange(fd uintptr) bool {
	if !l.sent && !l.reused {
		return l.send(int(fd))
	}
	n, err := receive(int(fd), l.buf)
	switch {
	case errors.Is(err, errNothing):
		return !l.sent && l.send(int(fd))
	case !l.sent:
		l.failure = ErrDead
	case err != nil:
		l.failure = err
	default:
		l.w, l.reused = n, false
	}
	return true
}

// send reports whether it failed.
func (l *Link) send(fd int) bool {
	l.sent = true
	if len(l.body) > 0 {
		l.failure = l.write(l.head, l.body)
	} else {
		l.failure = transmit(fd, l.Conn, l.head)
	}
	return l.failure != nil
}

// ReadHead reads the head of the next answer into Response. After an interim one
// (1xx) it is called again.
func (l *Link) ReadHead() error {
	for {
		if l.r < l.w {
			size, v, err := l.Response.Parse(l.buf[l.r:l.w])
			if err != nil {
				return err
			}
			if v == Plain {
				l.r += size
				l.Chunks.Reset()
				return nil
			}
		}
		if err := l.fill(); err != nil {
			return err
		}
	}
}

func (l *Link) fill() error {
	if l.r > 0 {
		l.w = copy(l.buf, l.buf[l.r:l.w])
		l.r = 0
	}
	if l.w == len(l.buf) {
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}
	n, err := l.Read(l.buf[l.w:])
	l.w += n
	if n > 0 {
		l.reused = false // it lives: what goes wrong from here on is not staleness
		return nil
	}
	return l.explain(err)
}

// explain says what a failed read or write means.
func (l *Link) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case l.late():
		return ErrLate
	case l.reused && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		return ErrStale
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// Buffered is what of the body has been read already.
func (l *Link) Buffered() []byte { return l.buf[l.r:l.w] }

// Take marks n buffered bytes as used.
func (l *Link) Take(n int) { l.r += n }

// More reads more of the body into the buffer, which must have been taken whole.
// The error is io.EOF where the upstream ended the connection in good order.
func (l *Link) More() error {
	l.r, l.w = 0, 0
	if len(l.buf) < keptBuffer {
		l.buf = make([]byte, keptBuffer) // a body that did not come with its head is likely large
	}
	n, err := l.Read(l.buf)
	l.w = n
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) && !l.late() {
		return io.EOF
	}
	return l.explain(err)
}
