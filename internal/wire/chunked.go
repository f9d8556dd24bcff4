package wire

import "errors"

// ErrChunk says that a chunked body is framed wrongly.
var ErrChunk = errors.New("a chunk is framed wrongly")

// Chunks takes a chunked body apart (RFC 9112, section 7.1). Extensions are
// dropped; trailers are kept for the caller to filter. The zero value stands
// before the first chunk.
type Chunks struct {
	state  chunkState
	left   int64 // bytes of the present chunk still to come
	digits int
	line   []byte // the trailer line that is being read
	total  int    // bytes of trailers so far

	Trailers []string // whole lines, without their ends
}

type chunkState uint8

const (
	atSize chunkState = iota
	inExtension
	atSizeEnd // LF of a size line
	inData
	atDataCR
	atDataLF
	inTrailer
	atTrailerLF
	atEnd
)

const maxTrailers = 8 << 10

// Reset makes c ready for another body.
func (c *Chunks) Reset() { *c = Chunks{line: c.line[:0], Trailers: c.Trailers[:0]} }

// Next takes framing off the start of b: data is the first run of body bytes in
// it, rest what follows. It reports done once the body has ended; then rest is
// what stands behind it. Data and rest empty and not done: more is needed.
func (c *Chunks) Next(b []byte) (data, rest []byte, done bool, err error) {
	for i := 0; i < len(b); i++ {
		if c.state == inData {
			n := min(int64(len(b)-i), c.left)
			if c.left -= n; c.left == 0 {
				c.state = atDataCR
			}
			return b[i : i+int(n)], b[i+int(n):], false, nil
		}
		if err := c.step(b[i]); err != nil {
			return nil, nil, false, err
		}
		if c.state == atEnd {
			return nil, b[i+1:], true, nil
		}
	}
	return nil, nil, false, nil
}

func (c *Chunks) step(x byte) error {
	switch c.state {
	case atSize:
		return c.sizeByte(x)
	case inExtension:
		if x == '\r' {
			c.state = atSizeEnd
		} else if class[x]&isAnswer == 0 {
			return ErrChunk
		}
	case atSizeEnd:
		if x != '\n' {
			return ErrChunk
		}
		c.digits = 0
		if c.state = inData; c.left == 0 {
			c.state = inTrailer
		}
	case atDataCR:
		c.state = atDataLF
		return want(x, '\r')
	case atDataLF:
		c.state = atSize
		return want(x, '\n')
	case inTrailer:
		return c.trailerByte(x)
	case atTrailerLF:
		return c.trailerEnd(x)
	}
	return nil
}

func want(x, expected byte) error {
	if x != expected {
		return ErrChunk
	}
	return nil
}

func (c *Chunks) sizeByte(x byte) error {
	switch {
	case IsHex(x) && c.digits < 15:
		d := int64(lower[x] - '0')
		if d > 9 {
			d = int64(lower[x]-'a') + 10
		}
		c.left, c.digits = c.left<<4|d, c.digits+1
	case c.digits == 0:
		return ErrChunk
	case x == '\r':
		c.state = atSizeEnd
	case x == ';':
		c.state = inExtension
	default:
		return ErrChunk
	}
	return nil
}

func (c *Chunks) trailerByte(x byte) error {
	if x == '\r' {
		c.state = atTrailerLF
		return nil
	}
	if c.total++; class[x]&isAnswer == 0 || c.total > maxTrailers {
		return ErrChunk
	}
	c.line = append(c.line, x)
	return nil
}

func (c *Chunks) trailerEnd(x byte) error {
	if x != '\n' {
		return ErrChunk
	}
	if len(c.line) == 0 {
		c.state = atEnd
		return nil
	}
	c.Trailers = append(c.Trailers, string(c.line))
	c.line, c.state = c.line[:0], inTrailer
	return nil
}
