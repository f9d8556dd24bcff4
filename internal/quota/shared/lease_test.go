package shared

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"tollgate/internal/quota"
	"tollgate/internal/quota/memory"
	"tollgate/internal/quota/shared/redistest"
)

// Whatever the calls' times and weights, and whoever gets them: what gateways
// let through from slices, one gateway would have let through too.
func TestLeasesNeverLetMoreThrough(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var runs atomic.Int64
	gateways := []*Limiter{gateway(t, s, Leased, ""), gateway(t, s, Leased, ""), gateway(t, s, Leased, "")}
	rapid.Check(t, func(rt *rapid.T) {
		limit := quota.Limit{
			Algorithm: rapid.SampledFrom(algorithms).Draw(rt, "algorithm"), Scope: quota.PerApplication,
			Calls: rapid.Int64Range(40, 400).Draw(rt, "calls"), Burst: rapid.Int64Range(0, 300).Draw(rt, "burst"),
			Window: time.Duration(rapid.Int64Range(1, 100).Draw(rt, "seconds")) * time.Second,
		}
		set, alone := prepare(t, limit), memory.NewCounters(0)
		who, now := quota.Subject{Subscription: uuid.UUID{15: byte(runs.Add(1)), 14: byte(runs.Load() >> 8)}}, noon
		who.Organization = who.Subscription
		even := limit.Window.Microseconds() / limit.Calls
		gap := rapid.OneOf(rapid.Int64Range(0, even), rapid.Int64Range(0, 3*even), rapid.Int64Range(0, 1), rapid.Int64Range(0, 20*even))
		for i := range rapid.IntRange(1, 300).Draw(rt, "n") {
			now = now.Add(time.Duration(gap.Draw(rt, "after")) * time.Microsecond)
			l := gateways[rapid.IntRange(0, 2).Draw(rt, "gateway")]
			cost := rapid.SampledFrom([]int64{1, 1, 1, 2, 7}).Draw(rt, "cost")
			if !l.Decide(t.Context(), set, &who, cost, now).OK {
				continue
			}
			if d := alone.Decide(set, &who, cost, now); !d.OK {
				rt.Fatalf("call %d passed and is over: %+v", i, d)
			}
		}
	})
}

func TestARefusalToldToWaitIsNotKeptLonger(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for _, a := range algorithms {
		l := gateway(t, s, Leased, string(a))
		set := prepare(t, quota.Limit{Algorithm: a, Scope: quota.PerApplication, Calls: 100, Burst: 99, Window: time.Minute})
		who, now := quota.Subject{Subscription: uuid.New()}, noon
		for range 1000 {
			d := l.Decide(t.Context(), set, &who, 1, now)
			if !d.OK {
				now = now.Add(time.Duration(d.Status.Retry) * time.Second)
				if d := l.Decide(t.Context(), set, &who, 1, now); !d.OK {
					t.Fatalf("%s: refused after the wait: %+v", a, d)
				}
			}
			now = now.Add(time.Duration(len(a)) * 10 * time.Millisecond)
		}
	}
}

// BenchmarkLeased decides on calls of slices in hand, as nearly all are.
func BenchmarkLeased(b *testing.B) {
	s := redistest.Start(b)
	for _, n := range []uint32{1, 1000} {
		b.Run(fmt.Sprint(n, "_subjects"), func(b *testing.B) {
			l := gateway(b, s, Leased, fmt.Sprint(n, ":"))
			set := prepare(b,
				quota.Limit{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 100_000_000, Window: time.Second},
				quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerApplication, Calls: 1_000_000_000, Window: time.Hour})
			var who quota.Subject
			b.ReportAllocs()
			for i := range b.N {
				k := uint32(i) % n
				who.Subscription = uuid.UUID{byte(k), byte(k >> 8)}
				who.Organization = who.Subscription
				l.Decide(b.Context(), set, &who, 1, noon.Add(time.Duration(i)*time.Microsecond))
			}
			b.ReportMetric(1000*total(l.meter.trips)/float64(b.N), "trips/1000")
		})
	}
}
