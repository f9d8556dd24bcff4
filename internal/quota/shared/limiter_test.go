package shared

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"tollgate/internal/quota"
	"tollgate/internal/quota/memory"
	"tollgate/internal/quota/shared/redistest"
)

var (
	noon       = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	algorithms = []quota.Algorithm{quota.FixedWindow, quota.SlidingWindow, quota.SlidingLog, quota.TokenBucket, quota.LeakyBucket}
)

// gateway makes the limiter of one gateway. The timeout is long, since a busy
// machine is not what these tests are about.
func gateway(t testing.TB, s *redistest.Server, mode Mode, prefix string) *Limiter {
	t.Helper()
	client, err := Connect(s.URL, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return New(Options{Client: client, Local: memory.NewCounters(1000), Mode: mode, Gateway: uuid.NewString(), Timeout: 10 * time.Second, Prefix: prefix})
}

func prepare(t testing.TB, limits ...quota.Limit) *quota.Set {
	t.Helper()
	s, err := quota.Prepare(limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The script and package quota must be one arithmetic: same verdicts, same
// headers, for calls of any weight at any time, under several limits at once.
func TestRedisDecidesAsMemoryDoes(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		var limits []quota.Limit
		for range rapid.IntRange(1, 3).Draw(rt, "limits") {
			limits = append(limits, quota.Limit{
				Algorithm: rapid.SampledFrom(algorithms).Draw(rt, "algorithm"),
				Scope:     quota.PerApplication,
				Calls:     rapid.OneOf(rapid.Int64Range(1, 10), rapid.Int64Range(1, 3000)).Draw(rt, "calls"),
				Burst:     rapid.Int64Range(1, 20).Draw(rt, "burst"),
				Window:    time.Duration(rapid.Int64Range(1, 100).Draw(rt, "seconds")) * time.Second,
			})
		}
		set := prepare(t, limits...)
		l, local := gateway(t, s, Exact, fmt.Sprint(runs.Add(1), ":")), memory.NewCounters(0)
		who, now := quota.Subject{Subscription: uuid.UUID{1}}, noon
		for i := range rapid.IntRange(1, 30).Draw(rt, "calls") {
			now = now.Add(time.Duration(rapid.OneOf(rapid.Int64Range(0, 300_000), rapid.Int64Range(0, 100_000_000)).Draw(rt, "after")) * time.Microsecond)
			cost := rapid.Int64Range(1, 12).Draw(rt, "cost")
			got, want := l.Decide(t.Context(), set, &who, cost, now), local.Decide(set, &who, cost, now)
			if got.OK != want.OK || got.Never != want.Never {
				rt.Fatalf("call %d: Redis %+v, memory %+v", i, got, want)
			}
			if !got.Never && got.Status.Retry != want.Status.Retry {
				rt.Fatalf("call %d: Redis %+v, memory %+v", i, got.Status, want.Status)
			}
			if len(limits) == 1 && !got.Never && limits[0].Algorithm != quota.FixedWindow && got.Status != want.Status {
				rt.Fatalf("call %d: Redis %+v, memory %+v", i, got.Status, want.Status)
			}
		}
		_ = l.o.Client.Close()
	})
}

func TestAThousandGoroutinesOfThreeGatewaysForTheLastToken(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for _, mode := range []Mode{Exact, Leased} {
		for _, a := range algorithms {
			set := prepare(t,
				quota.Limit{Algorithm: a, Scope: quota.PerApplication, Calls: 10, Burst: 9, Window: time.Hour},
				quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerKey, Calls: 5000, Window: time.Hour})
			prefix := fmt.Sprint(mode, a)
			gateways := []*Limiter{gateway(t, s, mode, prefix), gateway(t, s, mode, prefix), gateway(t, s, mode, prefix)}
			who := quota.Subject{Subscription: uuid.New()}
			last := set.Rules[0].Capacity(set.Rules[0].Planned()) - 1
			if d := gateways[0].Decide(t.Context(), set, &who, last, noon); !d.OK {
				t.Fatalf("%s %s: %+v", mode, a, d)
			}
			var passed atomic.Int64
			var wg sync.WaitGroup
			for i := range 1000 {
				wg.Go(func() {
					mine := who
					if d := gateways[i%3].Decide(t.Context(), set, &mine, 1, noon); d.OK {
						passed.Add(1)
					}
				})
			}
			wg.Wait()
			if passed.Load() != 1 {
				t.Errorf("%s, %s: %d calls passed, want 1", mode, a, passed.Load())
			}
		}
	}
}

func TestALeaseIsSpentWithoutRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := gateway(t, s, Leased, "")
	set := prepare(t, quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerApplication, Calls: 10_000, Window: time.Hour})
	who := quota.Subject{Subscription: uuid.New()}
	for i := range int64(10_000) {
		d := l.Decide(t.Context(), set, &who, 1, noon)
		if !d.OK || d.Status.Remaining != 10_000-i-1 {
			t.Fatalf("call %d: %+v", i, d)
		}
	}
	if d := l.Decide(t.Context(), set, &who, 1, noon); d.OK || d.Status.Retry != 3600 {
		t.Errorf("%+v", d)
	}
	if trips := testutil.ToFloat64(l.meter.trips); trips > 100 {
		t.Errorf("%v round trips for ten thousand calls", trips)
	}
}

func TestAFloodOfRefusedCallsIsSparedRedis(t *testing.T) {
	t.Parallel()
	l := gateway(t, redistest.Start(t), Exact, "")
	set := prepare(t, quota.Limit{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 1, Window: time.Minute})
	who := quota.Subject{Subscription: uuid.New()}
	for range 1000 {
		l.Decide(t.Context(), set, &who, 1, noon)
	}
	if trips := testutil.ToFloat64(l.meter.trips); trips != 2 {
		t.Errorf("%v round trips, want one that passed and one that did not", trips)
	}
	if d := l.Decide(t.Context(), set, &who, 1, noon.Add(59_900*time.Millisecond)); d.OK || d.Status.Retry != 1 {
		t.Errorf("%+v", d)
	}
	if d := l.Decide(t.Context(), set, &who, 1, noon.Add(time.Minute)); !d.OK {
		t.Errorf("refused when it should pass: %+v", d)
	}
}

func TestARaisedLimitIsNotRefusedFromMemory(t *testing.T) {
	t.Parallel()
	l := gateway(t, redistest.Start(t), Exact, "")
	limit := quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerApplication, Calls: 1, Window: time.Hour}
	who := quota.Subject{Subscription: uuid.New()}
	small := prepare(t, limit)
	for _, want := range []bool{true, false, false} {
		if d := l.Decide(t.Context(), small, &who, 1, noon); d.OK != want {
			t.Fatalf("%+v", d)
		}
	}
	limit.Calls = 3
	if d := l.Decide(t.Context(), prepare(t, limit), &who, 1, noon); !d.OK || d.Status.Remaining != 1 {
		t.Errorf("after the upgrade: %+v", d)
	}
}

func TestCallsUnderWayAreCountedByEachGateway(t *testing.T) {
	t.Parallel()
	l := gateway(t, redistest.Start(t), Leased, "")
	set := prepare(t,
		quota.Limit{Concurrent: true, Scope: quota.PerApplication, Calls: 1},
		quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerApplication, Calls: 2, Window: time.Hour})
	who := quota.Subject{Subscription: uuid.New()}
	d := l.Decide(t.Context(), set, &who, 1, noon)
	if again := l.Decide(t.Context(), set, &who, 1, noon); !d.OK || again.OK || !again.Rule.Concurrent {
		t.Fatalf("%+v, %+v", d, again)
	}
	d.Done()
	d = l.Decide(t.Context(), set, &who, 1, noon)
	d.Done()
	if refused := l.Decide(t.Context(), set, &who, 1, noon); !d.OK || refused.OK || refused.Rule.Concurrent {
		t.Fatalf("%+v, %+v", d, refused)
	}
	if left := l.Peek(nil, set, &who, noon); left[0].Remaining != 1 || left[1].Remaining != 0 {
		t.Errorf("%+v", left)
	}
}

func TestWithoutRedisAGatewayKeepsToItsShare(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	set := prepare(t, quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerApplication, Calls: 30, Window: time.Hour})
	l := gateway(t, s, Exact, "")
	for range 3 {
		gateway(t, s, Exact, "").Beat(t.Context(), noon.Add(-gone).Add(-time.Second)) // long gone
	}
	for _, other := range []*Limiter{gateway(t, s, Exact, ""), gateway(t, s, Exact, ""), l} {
		other.Beat(t.Context(), noon)
	}
	if l.Gateways() != 3 || !l.Shared() {
		t.Fatalf("%d gateways, shared=%v", l.Gateways(), l.Shared())
	}
	who := quota.Subject{Subscription: uuid.New()}
	admitted := func(n int, now time.Time) (passed int) {
		for range n {
			if l.Decide(t.Context(), set, &who, 1, now).OK {
				passed++
			}
		}
		return passed
	}
	if got := admitted(4, noon); got != 4 {
		t.Fatalf("%d calls passed", got)
	}
	s.Kill()
	if got := admitted(100, noon); got != 6 || l.Shared() {
		t.Errorf("%d more calls passed without Redis, want a third of thirty in all", got)
	}
	if failed := testutil.ToFloat64(l.meter.failures); failed != 1 {
		t.Errorf("%v calls waited for Redis in vain, want one", failed)
	}
	l.Beat(t.Context(), noon)
	if l.Gateways() != 3 {
		t.Errorf("without Redis %d gateways are known", l.Gateways())
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := admitted(100, noon.Add(time.Hour)); got != 30 || !l.Shared() {
		t.Errorf("%d calls passed in the first window with Redis again, shared=%v", got, l.Shared())
	}
}
