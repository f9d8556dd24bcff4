package quota

import (
	"fmt"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var (
	algorithms = []Algorithm{FixedWindow, SlidingWindow, SlidingLog, TokenBucket, LeakyBucket}
	start      = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).UnixMicro()
	somebody   = Subject{Subscription: uuid.UUID{1}}
)

// step is a call, so many µs after the one before.
type step struct{ after, cost int64 }

// run is a set of one limit and the calls that met it.
type run struct {
	set   *Set
	steps []step
}

func (r run) rule() *Rule { return &r.set.Rules[0] }

// replay makes the calls anew and returns the book and the time.
func (r run) replay() (*Book, int64) {
	b, now := &Book{}, start
	for _, s := range r.steps {
		now += s.after
		r.call(b, s.cost, now)
	}
	return b, now
}

func (r run) call(b *Book, cost, now int64) Decision {
	return Decide(r.set.For(""), []*Book{b}, Call{Who: &somebody, Cost: cost, Now: now})
}

// draw makes a limit of the algorithm, and calls around its rate.
func draw(t *rapid.T, a Algorithm) run {
	l := Limit{
		Algorithm: a, Scope: PerApplication,
		Calls:  rapid.OneOf(rapid.Int64Range(1, 8), rapid.Int64Range(1, 3000)).Draw(t, "calls"),
		Burst:  rapid.Int64Range(0, 10).Draw(t, "burst"),
		Window: time.Duration(rapid.OneOf(rapid.Int64Range(1, 10), rapid.Int64Range(1, 100_000)).Draw(t, "seconds")) * time.Second,
	}
	set, err := Prepare([]Limit{l})
	if err != nil {
		t.Fatal(err)
	}
	even := l.Window.Microseconds() / l.Calls
	gap := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 3*even), rapid.Int64Range(0, 3*l.Window.Microseconds()))
	cost := rapid.OneOf(rapid.Just(int64(1)), rapid.Int64Range(1, set.Rules[0].Capacity(set.Rules[0].Planned())+1))
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step { return step{gap.Draw(t, "after"), cost.Draw(t, "cost")} }), 1, 40).Draw(t, "steps")
	return run{set, steps}
}

func eachAlgorithm(t *testing.T, property func(*rapid.T, Algorithm)) {
	t.Parallel()
	for _, a := range algorithms {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { property(t, a) })
		})
	}
}

func TestVerdictsAreThoseOfANaiveModel(t *testing.T) {
	eachAlgorithm(t, func(t *rapid.T, a Algorithm) {
		r := draw(t, a)
		m, b, now := models[a](r.rule()), &Book{}, start
		for i, s := range r.steps {
			now += s.after
			want := m.passes(now, s.cost)
			d := r.call(b, s.cost, now)
			if d.OK != want {
				t.Fatalf("call %d: passed=%v, the model says %v (%+v)", i, d.OK, want, d.Status)
			}
			if never := s.cost > r.rule().Capacity(r.rule().Planned()); d.Never != never {
				t.Fatalf("call %d of weight %d: never=%v", i, s.cost, d.Never)
			}
			if d.OK {
				m.count(now, s.cost)
			}
			if left := d.Status.Remaining; left < 0 || m.passes(now, left+1) || left > 0 && !m.passes(now, left) {
				t.Fatalf("call %d: %d remain, the model says otherwise", i, left)
			}
		}
	})
}

func TestARefusedCallPassesAtRetryAfterAndNoSecondEarlier(t *testing.T) {
	eachAlgorithm(t, func(t *rapid.T, a Algorithm) {
		r := draw(t, a)
		cost := rapid.Int64Range(1, r.rule().Capacity(r.rule().Planned())).Draw(t, "cost")
		b, now := r.replay()
		d := r.call(b, cost, now)
		if d.OK {
			return
		}
		at := func(seconds int64) bool {
			b, now := r.replay()
			return r.call(b, cost, now+seconds*1_000_000).OK
		}
		if !at(d.Status.Retry) || at(d.Status.Retry-1) {
			t.Fatalf("Retry-After %d: then %v, a second earlier %v", d.Status.Retry, at(d.Status.Retry), at(d.Status.Retry-1))
		}
	})
}

func TestALimitIsWholeAtResetAndNotBefore(t *testing.T) {
	eachAlgorithm(t, func(t *rapid.T, a Algorithm) {
		r := draw(t, a)
		b, now := r.replay()
		st := Look(nil, r.set.For(""), []*Book{b}, Call{Who: &somebody, Now: now})[0]
		full := r.rule().Capacity(r.rule().Planned())
		at := func(moment int64) int64 {
			b, _ := r.replay()
			return Look(nil, r.set.For(""), []*Book{b}, Call{Who: &somebody, Now: moment})[0].Remaining
		}
		reset := st.Reset.UnixMicro()
		if at(reset) != full {
			t.Fatalf("at reset %d of %d remain", at(reset), full)
		}
		if st.Remaining < full && reset > now && at(reset-1) == full {
			t.Fatal("it was whole before reset")
		}
	})
}

func TestARefusedCallConsumesNothing(t *testing.T) {
	eachAlgorithm(t, func(t *rapid.T, a Algorithm) {
		r := draw(t, a)
		b, now := r.replay()
		look := func() Status {
			return Look(nil, r.set.For(""), []*Book{b}, Call{Who: &somebody, Now: now})[0]
		}
		before := look()
		if d := r.call(b, before.Remaining+1, now); d.OK {
			t.Fatalf("%d remained and one more passed", before.Remaining)
		}
		if after := look(); after != before {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	})
}

// Also when the clock jumps and when the limit in force moves.
func TestRemainingNeverGrowsWithinAFixedWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set, err := Prepare([]Limit{{Algorithm: FixedWindow, Scope: PerApplication, Calls: 20, Window: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		b, told, reset, now := &Book{}, int64(math.MaxInt64), time.Time{}, start
		for range rapid.IntRange(1, 50).Draw(t, "n") {
			now += rapid.Int64Range(-30_000_000, 20_000_000).Draw(t, "jump")
			c := Call{Who: &somebody, Cost: rapid.Int64Range(1, 3).Draw(t, "cost"), Now: now, Nodes: rapid.Int64Range(1, 3).Draw(t, "nodes")}
			st := Decide(set.For(""), []*Book{b}, c).Status
			if st.Reset.Before(reset) {
				t.Fatal("an earlier window was opened again")
			}
			if st.Reset.After(reset) {
				told, reset = math.MaxInt64, st.Reset
			}
			if st.Remaining < 0 || st.Remaining > told {
				t.Fatalf("%d remain after %d were told", st.Remaining, told)
			}
			told = st.Remaining
		}
	})
}

func TestAChangeOfAmountsKeepsWhatWasCounted(t *testing.T) {
	t.Parallel()
	for _, a := range algorithms {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			of := func(calls, burst int64) run {
				set, err := Prepare([]Limit{{Algorithm: a, Scope: PerApplication, Calls: calls, Burst: burst, Window: time.Hour}})
				if err != nil {
					t.Fatal(err)
				}
				return run{set: set}
			}
			small, large, b := of(10, 9), of(100, 99), &Book{}
			size := func(r run) int64 { return r.rule().Capacity(r.rule().Planned()) }
			for range 5 {
				small.call(b, 1, start)
			}
			if d := large.call(b, 1, start); !d.OK || d.Status.Remaining != size(large)-6 {
				t.Errorf("after the upgrade %d remain of %d, want 6 counted", d.Status.Remaining, size(large))
			}
			large.call(b, 30, start)
			if d := small.call(b, 1, start); d.OK || d.Status.Remaining != 0 || d.Never {
				t.Errorf("after the downgrade: %+v", d)
			}
		})
	}
}

// model is an algorithm told plainly.
type model interface {
	passes(now, cost int64) bool
	count(now, cost int64)
}

var models = map[Algorithm]func(*Rule) model{
	FixedWindow:   func(r *Rule) model { return &windows{r: r, counts: map[int64]int64{}} },
	SlidingWindow: func(r *Rule) model { return &windows{r: r, counts: map[int64]int64{}, slides: true} },
	SlidingLog:    func(r *Rule) model { return &calls{r: r} },
	TokenBucket:   func(r *Rule) model { return &bucket{r: r, level: new(big.Rat)} },
	LeakyBucket:   func(r *Rule) model { return &bucket{r: r, level: new(big.Rat)} },
}

type windows struct {
	r      *Rule
	counts map[int64]int64
	slides bool
}

func (w *windows) passes(now, cost int64) bool {
	n := now / w.r.size
	used := big.NewRat(w.counts[n]+cost, 1)
	if w.slides {
		overlap := big.NewRat(w.r.ticks-(now%w.r.size)/w.r.grain, w.r.ticks)
		used.Add(used, overlap.Mul(overlap, big.NewRat(w.counts[n-1], 1)))
	}
	return used.Cmp(big.NewRat(w.r.Calls, 1)) <= 0
}

func (w *windows) count(now, cost int64) { w.counts[now/w.r.size] += cost }

type calls struct {
	r    *Rule
	past []step // after is the moment
}

func (c *calls) passes(now, cost int64) bool {
	for _, p := range c.past {
		if p.after+c.r.size > now {
			cost += p.cost
		}
	}
	return cost <= c.r.Calls
}

// count keeps the exact moment of a small limit, and of a large one the end of
// the thousandth of a window in which it lies.
func (c *calls) count(now, cost int64) {
	if c.r.Calls > 1000 {
		step := c.r.size / 1000
		now = (now + step - 1) / step * step
	}
	c.past = append(c.past, step{now, cost})
}

type bucket struct {
	r     *Rule
	level *big.Rat // calls in it
	tick  int64
}

func (b *bucket) leaked(now int64) *big.Rat {
	rest := new(big.Rat).Sub(b.level, big.NewRat((now/b.r.grain-b.tick)*b.r.Calls, b.r.ticks))
	if rest.Sign() < 0 {
		rest.SetInt64(0)
	}
	return rest
}

func (b *bucket) passes(now, cost int64) bool {
	size := b.r.Burst
	if b.r.Algorithm == LeakyBucket {
		size++
	} else if size == 0 {
		size = b.r.Calls
	}
	return new(big.Rat).Add(b.leaked(now), big.NewRat(cost, 1)).Cmp(big.NewRat(size, 1)) <= 0
}

func (b *bucket) count(now, cost int64) {
	b.level, b.tick = b.leaked(now), now/b.r.grain
	b.level.Add(b.level, big.NewRat(cost, 1))
}

func TestWrongLimitsAreNamed(t *testing.T) {
	t.Parallel()
	good := Limit{Algorithm: TokenBucket, Scope: PerKey, Calls: 10, Window: time.Minute}
	for name, spoil := range map[string]func(*Limit){
		"no calls":          func(l *Limit) { l.Calls = 0 },
		"too many calls":    func(l *Limit) { l.Calls = MaxCalls + 1 },
		"negative burst":    func(l *Limit) { l.Burst = -1 },
		"unknown algorithm": func(l *Limit) { l.Algorithm = "guess" },
		"unknown scope":     func(l *Limit) { l.Scope = "planet" },
		"no window":         func(l *Limit) { l.Window = 0 },
		"half a second":     func(l *Limit) { l.Window = 1500 * time.Millisecond },
		"a long window":     func(l *Limit) { l.Window = MaxWindow + time.Second },
		"a bad time of day": func(l *Limit) { l.Adapt.Schedule = []Slot{{From: "8", To: "09:00", Percent: 50}} },
		"no percentage":     func(l *Limit) { l.Adapt.Schedule = []Slot{{From: "08:00", To: "09:00"}} },
	} {
		l := good
		spoil(&l)
		if _, err := Prepare([]Limit{good, l}); err == nil || fmt.Sprint(err)[:8] != "limit 1:" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Prepare([]Limit{good}); err != nil {
		t.Error(err)
	}
}
