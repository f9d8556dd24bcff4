// Package shared holds several gateways to common rate limits through Redis, at
// most one round trip for a call, or next to none where gateways lease slices.
// Without Redis each gateway keeps to its share.
package shared

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"tollgate/internal/quota"
	"tollgate/internal/quota/memory"
)

//go:embed limits.lua
var source string

var script = redis.NewScript(source)

// Mode is how often Redis is asked.
type Mode string

// The modes.
const (
	Exact  Mode = "exact"  // once for each call that passes
	Leased Mode = "leased" // once for each slice of a limit, which is then spent from memory
)

// Options of a Limiter. Client and Local are required.
type Options struct {
	Client   *redis.Client
	Local    *memory.Counters // decides alone when Redis is gone, and on calls under way always
	Mode     Mode             // empty: Leased
	Gateway  string           // names this gateway among those that share Redis
	Gateways int64            // how many there are until Redis tells; 0: one
	Timeout  time.Duration    // of one round trip; 0: 50 ms
	Pause    time.Duration    // without asking, after Redis did not answer; 0: 1 s
	Prefix   string           // of the keys in Redis; empty: "tollgate:"
}

// Limiter decides on calls together with other gateways. It is safe for
// concurrent use; use New.
type Limiter struct {
	o       Options
	retry   atomic.Int64 // µs: when Redis is asked again; 0: it answers
	nodes   atomic.Int64
	fills   [64]sync.Mutex // one caller of a stripe fetches a slice, the others wait for it
	stripes [64]stripe
	swept   atomic.Uint64
	meter   metrics
}

// Connect makes a client for Redis or Valkey (redis://, rediss://) that answers
// within timeout or gives up. It does not wait for the server.
func Connect(url string, timeout time.Duration) (*redis.Client, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("the address of Redis must be like redis://user:password@host:6379/0: %w", err)
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.DialerRetries = -1, 1 // a breaker decides when to try again
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

// New makes a limiter. Run keeps the number of gateways.
func New(o Options) *Limiter {
	if o.Mode == "" {
		o.Mode = Leased
	}
	if o.Timeout == 0 {
		o.Timeout = 50 * time.Millisecond
	}
	if o.Pause == 0 {
		o.Pause = time.Second
	}
	if o.Prefix == "" {
		o.Prefix = "tollgate:"
	}
	o.Gateways = max(o.Gateways, 1)
	l := &Limiter{o: o, meter: newMetrics()}
	l.nodes.Store(o.Gateways)
	for i := range l.stripes {
		l.stripes[i].purses = map[purseKey]*purse{}
	}
	return l
}

// Decide lets a call of the given weight through all of set's limits that apply
// to it, and counts it, or counts it in none. It always decides: when Redis does
// not answer in time this gateway keeps to its share of each limit. A call that
// was let through must be given back with Done when it has ended.
func (l *Limiter) Decide(ctx context.Context, set *quota.Set, who *quota.Subject, cost int64, now time.Time) quota.Decision {
	c := quota.Call{Who: who, Cost: quota.Weight(cost), Now: now.UnixMicro()}
	var few [4]want
	wants := l.wants(few[:0], set, &c)
	if len(wants) == 0 {
		return l.o.Local.DecideOn(set, c)
	}
	place := quota.Decision{OK: true}
	if set.Concurrent {
		if place = l.o.Local.DecideOn(set, with(c, quota.Current)); !place.OK {
			return place
		}
	}
	d, err := l.decide(ctx, wants, &c)
	switch {
	case err != nil:
		place.Done()
		l.meter.alone.Inc()
		c.Nodes = l.nodes.Load()
		return l.o.Local.DecideOn(set, c)
	case !d.OK:
		place.Done()
		if d.Rule.Adapt.Surge.Percent > 0 {
			c.Rule = d.Rule
			l.o.Local.DecideOn(set, with(c, quota.Refused))
		}
		return d
	}
	l.o.Local.DecideOn(set, with(c, quota.Recorded)) // so that this gateway knows its part when Redis goes
	place.Hand(&d)
	return d
}

func with(c quota.Call, only quota.Only) quota.Call { c.Only = only; return c }

// Peek appends where each limit that applies stands to into, as far as this
// gateway knows: of a shared rate, by what it last heard from Redis.
func (l *Limiter) Peek(into []quota.Status, set *quota.Set, who *quota.Subject, now time.Time) []quota.Status {
	return l.peek(l.o.Local.Peek(into, set, who, now), set, &quota.Call{Who: who, Now: now.UnixMicro()})
}

// decide asks memory first and Redis where memory does not know.
func (l *Limiter) decide(ctx context.Context, wants []want, c *quota.Call) (quota.Decision, error) {
	for i := range wants {
		if w := &wants[i]; c.Cost > w.rule.Capacity(w.force) {
			return quota.Decision{Never: true, Rule: w.rule, Status: w.rule.Status(w.force, 0, c.Now)}, nil
		}
	}
	s := &l.stripes[c.Who.Home()%uint64(len(l.stripes))]
	if d, decided := s.try(wants, c); decided {
		l.meter.memory.Inc()
		return d, nil
	}
	if leased(wants, c) {
		fill := &l.fills[c.Who.Home()%uint64(len(l.fills))]
		fill.Lock()
		defer fill.Unlock()
		if d, decided := s.try(wants, c); decided {
			l.meter.memory.Inc()
			return d, nil
		}
	}
	if !l.mayAsk(c.Now) {
		return quota.Decision{}, errPaused
	}
	s.reserve(wants, c)
	grants, err := l.ask(ctx, wants, c)
	l.asked(err, c.Now)
	return s.settle(wants, grants, err, c)
}

var errPaused = errors.New("redis did not answer lately")

// mayAsk lets one call try again once the pause after a failure has passed. A
// clock that jumped back does not prolong the pause.
func (l *Limiter) mayAsk(now int64) bool {
	at := l.retry.Load()
	if at == 0 {
		return true
	}
	pause := l.o.Pause.Microseconds()
	if now < at && now >= at-pause {
		return false
	}
	return l.retry.CompareAndSwap(at, now+pause)
}

func (l *Limiter) asked(err error, now int64) {
	l.meter.trips.Inc()
	if err != nil {
		l.meter.failures.Inc()
		l.retry.Store(now + l.o.Pause.Microseconds())
	} else if l.retry.Load() != 0 {
		l.retry.Store(0)
	}
}

// ask makes the round trip. A caller that goes away does not end it, since that
// would look like Redis not answering.
func (l *Limiter) ask(ctx context.Context, wants []want, c *quota.Call) ([]grant, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.o.Timeout)
	defer cancel()
	keys, args := make([]string, 0, 2*len(wants)), make([]any, 1, 1+10*len(wants))
	args[0] = c.Now
	for i := range wants {
		if w := &wants[i]; w.need > 0 {
			name := fmt.Sprintf("%s%x:%x", l.o.Prefix, w.rule.ID(), w.key.Append(nil))
			keys = append(keys, name, name+":log")
			args = w.arguments(args, l.nodes.Load())
		}
	}
	answer, err := script.Run(ctx, l.o.Client, keys, args...).Int64Slice()
	if err != nil {
		return nil, err
	}
	if len(answer) != 1+5*len(keys)/2 {
		return nil, fmt.Errorf("the script of limits answered %d numbers", len(answer))
	}
	grants := make([]grant, len(wants))
	for i, rest := range wants {
		if rest.need > 0 {
			grants[i] = grant{answer[0] == 1, answer[1], answer[2], answer[3], answer[4], answer[5]}
			answer = append(answer[:1], answer[6:]...)
		}
	}
	return grants, nil
}
