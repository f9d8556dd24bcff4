package upstream

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// maxTokens bounds the retry budget: ten repeats at once after a quiet time.
const maxTokens = 10 * 100

// Trouble is how an attempt failed.
type Trouble uint8

// The kinds of trouble.
const (
	NotReached Trouble = iota // no connection: the target has not seen the call
	NoAnswer                  // it was sent, and no answer began
	Answered                  // the answer was 502, 503 or 504
	Begun                     // part of the answer has gone to the client
)

// Attempt is an attempt that failed.
type Attempt struct {
	Method  string
	Whole   bool // the body can be sent again from its start: none, or held whole
	Number  int  // attempts made so far, 1 after the first
	Trouble Trouble
}

// Repeatable reports whether a repeat is worth it and safe: calls that never
// reached the target, and idempotent ones, as long as nothing of an answer has
// gone out.
func (a Attempt) Repeatable() bool {
	if !a.Whole || a.Trouble == Begun {
		return false
	}
	return a.Trouble == NotReached || Idempotent(a.Method)
}

// Idempotent reports whether a request may be sent twice (RFC 9110, section
// 9.2.2).
func Idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Retry decides whether to repeat a call, and after which wait: the backoff,
// doubled with each attempt, less up to half of it. A yes takes from the budget.
func (g *Group) Retry(a Attempt) (wait time.Duration, ok bool) {
	if !a.Repeatable() {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.policy.Retry
	if a.Number < 1 || a.Number > p.Attempts || g.tokens < 100 {
		return 0, false
	}
	g.tokens -= 100
	wait = min(p.Backoff<<min(a.Number-1, 10), time.Minute)
	return wait - rand.N(wait/2+1), true
}
