package proxy

import (
	"errors"
	"io"
	"math"
	"sync/atomic"

	"tollgate/internal/problem"
	"tollgate/internal/upstream"
)

// largestBody is how many bytes the call's body may have.
func (g *Gateway) largestBody(c *call) int64 {
	largest := int64(c.route.How.MaxBody)
	if largest == 0 {
		largest = g.cfg.MaxBody
	}
	if largest <= 0 {
		return math.MaxInt64
	}
	return largest
}

// checkBody refuses a body that is declared too large (RFC 9110, section
// 15.5.14). One that declares no length is held to the bound as it comes.
func (g *Gateway) checkBody(c *call) *refusal {
	if largest := g.largestBody(c); c.r.length > largest {
		return &refusal{Error: bodyTooLarge(largest)}
	}
	return nil
}

func bodyTooLarge(largest int64) *problem.Error {
	return problem.New("body-too-large", "The request's body is larger than %s, the most that this API takes.", upstream.Size(largest))
}

var errBodyGrew = errors.New("the request's body grew over its bound")

// boundedBody ends in an error, which breaks the upstream's request off, once
// more than left bytes have come.
type boundedBody struct {
	io.ReadCloser
	left int64
	over atomic.Bool
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.over.Store(true)
		return 0, errBodyGrew
	}
	return n, err
}
