package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// bench is a group with a clock that stands until it is moved.
type bench struct {
	t   fataler
	g   *Group
	now time.Time
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newBench(t fataler, p Policy, weights ...int) *bench {
	t.Helper()
	g, err := NewGroup(start, targets(weights...), p)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return &bench{t, g, start}
}

// targets are called a, b, c and so on.
func targets(weights ...int) (out []Target) {
	for i, w := range weights {
		out = append(out, Target{URL: fmt.Sprintf("http://%c", 'a'+i), Weight: w})
	}
	return out
}

// pick picks without reporting.
func (b *bench) pick() Call {
	b.t.Helper()
	c, ok := b.g.Pick(b.now, nil)
	if !ok {
		b.t.Fatalf("no target")
	}
	return c
}

func (b *bench) report(c Call, o Outcome) { b.g.Report(c, o, time.Millisecond, b.now) }

// calls makes n calls whose outcome depends on the target, and names the targets.
func (b *bench) calls(n int, outcome func(host string) Outcome) (hosts string) {
	b.t.Helper()
	for range n {
		c := b.pick()
		hosts += c.Member.URL.Host
		b.report(c, outcome(c.Member.URL.Host))
	}
	return hosts
}

func (b *bench) states() (out []State) {
	for _, s := range b.g.Status(b.now) {
		out = append(out, s.State)
	}
	return out
}

func (b *bench) want(states ...State) {
	b.t.Helper()
	if got := b.states(); !slices.Equal(got, states) {
		b.t.Fatalf("states are %v, want %v", got, states)
	}
}

func always(o Outcome) func(string) Outcome { return func(string) Outcome { return o } }

// failing is the outcome where some hosts fail.
func failing(hosts ...string) func(string) Outcome {
	return func(host string) Outcome {
		if slices.Contains(hosts, host) {
			return Failure
		}
		return Success
	}
}

func TestTargetsTakeTurnsSmoothlyByWeight(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{}, 5, 1, 1)
	if got := b.calls(14, always(Success)); got != "aabacaaaabacaa" {
		t.Errorf("turns: %s", got)
	}
}

func TestEachTargetGetsExactlyItsShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 6).Draw(t, "weights")
		b := newBench(t, Policy{}, weights...)
		total, seen := 0, map[string]int{}
		for _, w := range weights {
			total += w
		}
		for n := 1; n <= 2*total; n++ {
			seen[b.calls(1, always(Success))]++
			for i, w := range weights { // never a whole call too many
				if host := string(rune('a' + i)); float64(seen[host]) >= float64(n*w)/float64(total)+float64(len(weights)) {
					t.Fatalf("after %d calls %s has %d", n, host, seen[host])
				}
			}
		}
		for i, w := range weights {
			if host := string(rune('a' + i)); seen[host] != 2*w {
				t.Fatalf("%s of weight %d had %d calls in two rounds", host, w, seen[host])
			}
		}
	})
}

func TestFewestCallsUnderWayGoByWeight(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Balance: LeastRequests}, 2, 1)
	var open []Call
	for range 9 {
		open = append(open, b.pick())
	}
	if s := b.g.Status(b.now); s[0].Underway != 6 || s[1].Underway != 3 {
		t.Errorf("under way: %d and %d", s[0].Underway, s[1].Underway)
	}
	for _, c := range open {
		if c.Member.URL.Host == "b" {
			b.report(c, Success)
		}
	}
	if c := b.pick(); c.Member.URL.Host != "b" {
		t.Error("the idle target was not called")
	}
}

func TestATargetIsEjectedAfterFailuresInARow(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Passive: Passive{Failures: 3, Eject: 10 * time.Second}, Breaker: Breaker{Percent: -1}}, 1, 1)
	b.calls(4, failing("a"))
	b.want(Healthy, Healthy)
	b.calls(2, failing("a"))
	b.want(Ejected, Healthy)
	if got := b.calls(4, always(Success)); got != "bbbb" {
		t.Errorf("an ejected target was called: %s", got)
	}
	b.now = b.now.Add(10 * time.Second)
	b.want(Healthy, Healthy)
}

func TestASuccessInBetweenAndFaultsOfClientsEjectNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Passive: Passive{Failures: 3}, Breaker: Breaker{Calls: 1000}}, 1, 1)
	for range 10 {
		b.calls(4, failing("a"))
		b.calls(2, always(Success))
	}
	b.calls(1000, always(ClientFault))
	b.want(Healthy, Healthy)
	b.calls(4, failing("a"))
	b.calls(100, always(ClientFault)) // neither counts nor absolves
	b.calls(2, failing("a"))
	b.want(Ejected, Healthy)
}

func TestTheLastTargetIsNeverEjected(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, Policy{Passive: Passive{Failures: 2}, Breaker: Breaker{Percent: -1}, Active: Active{Path: "/", Unhealthy: 2}}, 1, 1, 1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m := b.g.members[rapid.IntRange(0, 2).Draw(t, "member")]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				b.report(b.pick(), Failure)
			case 1:
				b.g.Checked(m, false, b.now)
			case 2:
				b.g.Checked(m, true, b.now)
			case 3:
				b.now = b.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			}
			if !slices.Contains(b.states(), Healthy) {
				t.Fatalf("nothing is left: %v", b.states())
			}
		}
	})
}

func TestABreakerOpensOnAShareOfFailuresAndProbesOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Passive: Passive{Failures: -1}, Breaker: Breaker{Percent: 50, Calls: 10, Window: 10 * time.Second, Open: 5 * time.Second}}, 1)
	b.calls(5, always(Success))
	b.calls(4, always(Failure))
	b.want(Healthy) // too few calls to judge
	straggler := b.pick()
	b.calls(1, always(Failure))
	b.want(Open)
	if _, ok := b.g.Pick(b.now, nil); ok {
		t.Fatal("an open breaker let a call through")
	}
	b.report(straggler, Success) // it began before: says nothing
	b.want(Open)

	b.now = b.now.Add(5 * time.Second)
	b.want(HalfOpen)
	probe := b.pick()
	if _, ok := b.g.Pick(b.now, nil); ok {
		t.Fatal("two probes at once")
	}
	b.report(probe, ClientFault)
	probe = b.pick() // the first told nothing
	b.report(probe, Failure)
	b.want(Open)

	b.now = b.now.Add(5 * time.Second)
	b.report(b.pick(), Success)
	b.want(Healthy)
	b.calls(9, always(Failure)) // with the probe, 9 of 10: what was before the probe is forgotten
	b.want(Open)
}

func TestABreakerForgetsWhatIsOlderThanItsWindow(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Passive: Passive{Failures: -1}, Breaker: Breaker{Calls: 10, Window: 10 * time.Second}}, 1)
	for range 50 { // one failure a second, nine of them and one more within any ten seconds
		b.calls(1, always(Failure))
		b.now = b.now.Add(1200 * time.Millisecond)
	}
	b.want(Healthy)
}

func TestAnEjectedTargetServesWhereTheOthersBreakersAreOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Passive: Passive{Failures: 2, Eject: time.Hour}, Breaker: Breaker{Calls: 20, Open: time.Hour}}, 1, 1)
	b.calls(3, failing("a"))
	b.want(Ejected, Healthy)
	b.calls(30, failing("b"))
	b.want(Ejected, Open)
	if got := b.calls(3, always(Success)); got != "aaa" {
		t.Errorf("called %s", got)
	}
}

func TestManyCallersGetExactlyOneProbe(t *testing.T) {
	t.Parallel()
	for range 50 {
		b := newBench(t, Policy{Passive: Passive{Failures: -1}, Breaker: Breaker{Calls: 1, Open: time.Second}}, 1)
		b.calls(1, always(Failure))
		b.now = b.now.Add(time.Second)
		var probes atomic.Int32
		var all sync.WaitGroup
		gate := make(chan struct{})
		calls := make(chan Call, 64)
		for range 64 {
			all.Go(func() {
				<-gate
				if c, ok := b.g.Pick(b.now, nil); ok {
					probes.Add(1)
					calls <- c
				}
			})
		}
		close(gate)
		all.Wait()
		if probes.Load() != 1 {
			t.Fatalf("%d probes", probes.Load())
		}
		b.report(<-calls, Success)
		b.want(Healthy)
	}
}

// TestHalfOpenNeverHasTwoProbesUnderAnyHistory runs callers, failures and time
// against each other and watches that, while the breaker is not closed, at most
// one call that began after it opened is under way.
func TestHalfOpenNeverHasTwoProbesUnderAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, Policy{Passive: Passive{Failures: -1}, Breaker: Breaker{Percent: 50, Calls: 2, Open: time.Second, Window: time.Second}}, 1)
		type underway struct {
			c     Call
			probe bool
		}
		var open []underway
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 5).Draw(t, "step"); {
			case step < 2:
				closed := b.states()[0] == Healthy
				if c, ok := b.g.Pick(b.now, nil); ok {
					open = append(open, underway{c, !closed})
				} else if closed {
					t.Fatalf("a closed breaker refused a call")
				}
			case step < 5 && len(open) > 0:
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				wasProbe, before := open[i].probe, b.states()[0]
				b.report(open[i].c, rapid.SampledFrom([]Outcome{Success, Failure, ClientFault}).Draw(t, "outcome"))
				open = slices.Delete(open, i, i+1)
				if before != Healthy && !wasProbe && b.states()[0] != before {
					t.Fatalf("a call from before changed an open breaker")
				}
			case step == 5:
				b.now = b.now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			}
			probes := 0
			for _, u := range open {
				if u.probe {
					probes++
				}
			}
			if probes > 1 {
				t.Fatalf("%d probes under way", probes)
			}
		}
	})
}

func TestActiveChecksTakeATargetOutAndBringItBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Active: Active{Path: "/healthz", Every: 10 * time.Second, Healthy: 2, Unhealthy: 3}}, 1, 1)
	m := b.g.members[0]
	due := b.g.Due(b.now)
	if len(due) != 2 || due[0].Active.Timeout != 2*time.Second || len(b.g.Due(b.now)) != 0 {
		t.Fatalf("due: %+v", due)
	}
	b.now = b.now.Add(10 * time.Second)
	if len(b.g.Due(b.now)) != 2 {
		t.Error("not due again after the interval")
	}
	for i, ok := range []bool{false, false, true, false, false, false, true, false, true, true} {
		b.g.Checked(m, ok, b.now)
		want := []State{Healthy, Healthy, Healthy, Healthy, Healthy, Down, Down, Down, Down, Healthy}[i]
		b.want(want, Healthy)
	}
	for range 3 {
		b.g.Checked(m, false, b.now)
	}
	b.want(Down, Healthy)
	if err := b.g.Update(targets(1, 1), Policy{}); err != nil {
		t.Fatal(err)
	}
	b.g.Due(b.now) // checks were turned off
	b.want(Healthy, Healthy)
}

func TestTargetsThatStayKeepTheirState(t *testing.T) {
	t.Parallel()
	p := Policy{Passive: Passive{Failures: 1, Eject: time.Hour}}
	b := newBench(t, p, 1, 1)
	b.calls(2, failing("a"))
	b.want(Ejected, Healthy)
	c := b.pick()
	if err := b.g.Update(targets(7, 1, 1), p); err != nil {
		t.Fatal(err)
	}
	b.want(Ejected, Healthy, Healthy)
	if b.g.Update([]Target{{URL: "ftp://x"}}, p) == nil || len(b.g.Status(b.now)) != 3 {
		t.Error("an invalid target was taken")
	}
	if err := b.g.Update(targets(7), p); err != nil {
		t.Fatal(err)
	}
	b.report(c, Failure) // of a target that has gone
	if got := b.calls(1, always(Success)); got != "a" {
		t.Errorf("the only target, ejected before, is not called: %s", got)
	}
}

func TestRepeatsAreSafeBoundedAndSpreadOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a  Attempt
		ok bool
	}{
		{Attempt{http.MethodGet, true, 1, NoAnswer}, true}, {Attempt{http.MethodPut, true, 2, Answered}, true}, {Attempt{http.MethodDelete, true, 1, NotReached}, true},
		{Attempt{http.MethodPost, true, 1, NotReached}, true}, {Attempt{http.MethodPost, true, 1, NoAnswer}, false}, {Attempt{http.MethodPatch, true, 1, Answered}, false},
		{Attempt{http.MethodGet, false, 1, NoAnswer}, false}, {Attempt{http.MethodPost, false, 1, NotReached}, false}, {Attempt{http.MethodGet, true, 1, Begun}, false},
		{Attempt{http.MethodGet, true, 3, NoAnswer}, false}, {Attempt{"get", true, 1, NoAnswer}, false},
	} {
		b := newBench(t, Policy{Retry: Retry{Attempts: 2, Backoff: 100 * time.Millisecond}}, 1)
		wait, ok := b.g.Retry(c.a)
		most := 100 * time.Millisecond << (c.a.Number - 1)
		if ok != c.ok || (ok && (wait < most/2 || wait > most)) {
			t.Errorf("%+v: %v after %s", c.a, ok, wait)
		}
	}
	if _, ok := newBench(t, Policy{Retry: Retry{Attempts: -1}}, 1).g.Retry(Attempt{http.MethodGet, true, 1, NotReached}); ok {
		t.Error("a repeat where none are wanted")
	}
}

func TestRepeatsKeepToTheirBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		budget := rapid.IntRange(1, 100).Draw(t, "budget")
		b := newBench(t, Policy{Retry: Retry{Budget: budget}, Breaker: Breaker{Percent: -1}}, 1)
		calls, repeats := 0, 0
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "call") {
				b.calls(1, always(Failure))
				calls++
			}
			if _, ok := b.g.Retry(Attempt{http.MethodGet, true, 1, NotReached}); ok {
				repeats++
			}
			if repeats*100 > calls*budget+maxTokens {
				t.Fatalf("%d repeats of %d calls with a budget of %d %%", repeats, calls, budget)
			}
		}
	})
}

func TestARepeatGoesToAnotherTarget(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{}, 100, 1)
	first := b.pick()
	second, ok := b.g.Pick(b.now, first.Member)
	if !ok || second.Member == first.Member {
		t.Error("the failed target was picked again")
	}
	alone := newBench(t, Policy{}, 1)
	first = alone.pick()
	if c, ok := alone.g.Pick(alone.now, first.Member); !ok || c.Member != first.Member {
		t.Error("the only target was not tried again")
	}
}

func TestHealthSumsTheTargetsUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, Policy{Breaker: Breaker{Calls: 1000}, Passive: Passive{Failures: -1}}, 1, 1)
	b.calls(8, failing("a"))
	b.g.Report(b.pick(), Success, 10*time.Millisecond, b.now)
	if h := b.g.Health(b.now); h.Calls != 9 || h.Errors != 44 || h.FirstByte != 2*time.Millisecond || !h.Well {
		t.Errorf("health: %+v", h)
	}
	if h := b.g.Health(b.now.Add(time.Minute)); h.Calls != 0 || h.Errors != 0 || h.FirstByte != 0 {
		t.Errorf("a minute later: %+v", h)
	}
}

func TestPickingAndReportingAllocateNothing(t *testing.T) { // not in parallel: it counts allocations
	b := newBench(t, Policy{}, 1, 2, 3)
	if n := testing.AllocsPerRun(1000, func() { b.report(b.pick(), Success) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPickAndReport(b *testing.B) {
	for _, n := range []int{1, 3, 16} {
		g := newBench(b, Policy{}, slices.Repeat([]int{1}, n)...).g
		b.Run(fmt.Sprint(n, " targets"), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c, _ := g.Pick(start, nil)
					g.Report(c, Success, time.Millisecond, start)
				}
			})
		})
	}
}
