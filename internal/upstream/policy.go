// Package upstream is how calls are spread over the addresses of an upstream:
// balancing, health, breaking, retrying. It is pure: it opens no connection, and
// time is passed in.
package upstream

import "time"

// Policy is how an upstream is called. Zero values mean the defaults beside them.
type Policy struct {
	Balance  Balance  `json:"balance,omitempty"`
	Active   Active   `json:"active,omitzero"`
	Passive  Passive  `json:"passive,omitzero"`
	Breaker  Breaker  `json:"breaker,omitzero"`
	Timeouts Timeouts `json:"timeouts,omitzero"`
	Retry    Retry    `json:"retry,omitzero"`

	WebSocket bool `json:"websocket,omitempty"` // whether calls may turn into WebSocket connections
	MaxBody   Size `json:"max_body,omitempty"`  // of a request, as sent; 0: the gateway's MAX_REQUEST_BODY, negative: any
}

// Balance is how a target is chosen.
type Balance string

// The ways to choose.
const (
	RoundRobin    Balance = "round_robin"    // in turn, by weight; the default
	LeastRequests Balance = "least_requests" // the one with the fewest calls under way for its weight
)

// Target is one address of an upstream.
type Target struct {
	URL    string
	Weight int // 1 to 1000
}

// Active health checks ask each target on their own.
type Active struct {
	Path      string        `json:"path,omitempty"`      // empty: no active checks
	Every     time.Duration `json:"every,omitempty"`     // 10 s
	Timeout   time.Duration `json:"timeout,omitempty"`   // 2 s
	Status    int           `json:"status,omitempty"`    // the one that is expected; 0: any 2xx or 3xx
	Healthy   int           `json:"healthy,omitempty"`   // successes in a row that bring a target back; 2
	Unhealthy int           `json:"unhealthy,omitempty"` // failures in a row that eject it; 3
}

// Passive health checks learn from calls. Faults of clients never count.
type Passive struct {
	Failures int           `json:"failures,omitempty"` // in a row that eject a target; 0: 5, negative: none
	Eject    time.Duration `json:"eject,omitempty"`    // 30 s
}

// Breaker stops calling a target that fails most calls, then lets one probe through.
type Breaker struct {
	Percent int           `json:"percent,omitempty"` // failed calls within Window that open it; 0: 50, negative: none
	Calls   int           `json:"calls,omitempty"`   // at least this many within Window; 20
	Window  time.Duration `json:"window,omitempty"`  // 10 s
	Open    time.Duration `json:"open,omitempty"`    // before a probe; 5 s
}

// Timeouts bound a call.
type Timeouts struct {
	Connect   time.Duration `json:"connect,omitempty"`    // 5 s
	FirstByte time.Duration `json:"first_byte,omitempty"` // of the answer; 0: as Call
	Call      time.Duration `json:"call,omitempty"`       // whole; 0: the gateway's UPSTREAM_TIMEOUT
}

// Retry repeats calls where repeating is safe: idempotent methods whose body the
// gateway holds whole, and calls that never reached the target.
type Retry struct {
	Attempts int           `json:"attempts,omitempty"` // beyond the first; 0: 1, negative: none
	Backoff  time.Duration `json:"backoff,omitempty"`  // before the first repeat, doubled each time, with jitter; 25 ms
	Budget   int           `json:"budget,omitempty"`   // repeats per hundred calls; 0: 20
}

// CORS is what an API allows browsers of other origins.
type CORS struct {
	Origins     []string `json:"origins,omitempty"` // exact, or "*"; none: the gateway adds nothing and forwards preflights
	Methods     []string `json:"methods,omitempty"` // none: those of the API
	Headers     []string `json:"headers,omitempty"` // that a page may send, beside the simple ones and the key's
	Expose      []string `json:"expose,omitempty"`  // that a page may read, beside the limits'
	Credentials bool     `json:"credentials,omitempty"`
	MaxAge      int      `json:"max_age,omitempty"` // seconds
}
