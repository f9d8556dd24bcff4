package memory

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
)

// BenchmarkDecide decides on calls of random subjects under two limits.
func BenchmarkDecide(b *testing.B) {
	sets := map[string][]quota.Limit{
		"token_bucket+fixed_window": {
			{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 1000, Window: time.Second},
			{Algorithm: quota.FixedWindow, Scope: quota.PerApplication, Calls: 1_000_000, Window: time.Hour},
		},
		"two_scopes": {
			{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 1000, Window: time.Second},
			{Algorithm: quota.SlidingWindow, Scope: quota.PerKey, Calls: 1_000_000, Window: time.Hour},
		},
		"with_concurrency": {
			{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 1000, Window: time.Second},
			{Concurrent: true, Scope: quota.PerApplication, Calls: 1000},
		},
	}
	for name, limits := range sets {
		set, err := quota.Prepare(limits)
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{1_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				counters := NewCounters(0)
				var who quota.Subject
				be := func(i uint64) {
					binary.LittleEndian.PutUint64(who.Subscription[:], i*0x9e3779b97f4a7c15)
					who.Key, who.Organization, who.Product = who.Subscription, who.Subscription, uuid.UUID{1}
				}
				for i := range n {
					be(uint64(i))
					counters.Decide(set, &who, 1, noon)
				}
				runtime.GC()
				b.ReportAllocs()
				b.ResetTimer()
				rng := rand.New(rand.NewPCG(1, 2))
				for i := range b.N {
					be(rng.Uint64N(uint64(n)))
					d := counters.Decide(set, &who, 1, noon.Add(time.Duration(i)*time.Microsecond))
					d.Done()
				}
			})
		}
	}
}
