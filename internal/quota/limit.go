package quota

import "time"

// Algorithm is how a rate limit counts.
type Algorithm string

// The algorithms.
const (
	FixedWindow   Algorithm = "fixed_window"   // so many per window, windows aligned to the Unix epoch
	SlidingWindow Algorithm = "sliding_window" // two counters, the earlier one weighted by how much of it still overlaps
	SlidingLog    Algorithm = "sliding_log"    // the moment of each call is kept: exact, for small limits
	TokenBucket   Algorithm = "token_bucket"   // refills evenly, holds up to Burst
	LeakyBucket   Algorithm = "leaky_bucket"   // smooths: calls pass evenly, Burst of them may run ahead
)

// Scope is whose calls a limit counts together.
type Scope string

// The scopes.
const (
	PerApplication  Scope = "application"  // all calls of a subscription
	PerKey          Scope = "key"          // each key apart
	PerIP           Scope = "ip"           // each client address apart
	PerOrganization Scope = "organization" // all of an organization's subscriptions to the product together
	PerOperation    Scope = "operation"    // each operation of a subscription apart
)

// Limit is one limit of a plan, as it is enforced. Its counters are named by
// everything but Calls, Burst and Adapt, so that a change of those keeps what
// the running window has counted.
type Limit struct {
	Concurrent bool // bounds calls under way; Algorithm and Window mean nothing then
	Algorithm  Algorithm
	Scope      Scope
	Operation  string        // such as "GET /reports/{id}"; empty: every operation
	Calls      int64         // per Window, or under way; at least 1
	Burst      int64         // token bucket: what it holds, 0: Calls; leaky bucket: how many may run ahead of the even pace
	Window     time.Duration // whole seconds, at most 366 days
	Adapt      Adapt
}

// Adapt says how a limit moves with time, demand and the upstream's health.
// Percentages are of Calls and Burst; 0 means that part is off.
type Adapt struct {
	Schedule []Slot `json:"schedule,omitempty"` // the first that matches counts
	Surge    Surge  `json:"surge,omitzero"`
	Shrink   Shrink `json:"shrink,omitzero"`
}

// Slot raises or lowers a limit on some days between two times of day.
type Slot struct {
	Days     []time.Weekday `json:"days,omitempty"` // none: every day
	From, To string         // "15:04" in the organization's time zone; To before From passes midnight
	Percent  int64          `json:"percent"` // 1 to 1000
}

// Surge raises a limit for a while when a caller suddenly needs more and the
// upstreams are healthy.
type Surge struct {
	Percent int64         `json:"percent,omitempty"` // 101 to 1000
	For     time.Duration `json:"for,omitempty"`     // how long a raise lasts; as long again must pass before the next
}

// Shrink lowers a limit while the upstream is unwell.
type Shrink struct {
	Percent int64         `json:"percent,omitempty"` // 1 to 99
	Errors  int64         `json:"errors,omitempty"`  // per cent of answers that are 5xx; 0: not looked at
	Latency time.Duration `json:"latency,omitempty"` // mean time to the first byte; 0: not looked at
}
