package memory

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"tollgate/internal/quota"
)

// The size of the table of failures: 64 Ki addresses in 1.5 MB.
const (
	failureSets = 16 << 10
	failureWays = 4
)

// Failures counts the bad keys of each client address, so that guessing is slow
// and cheap to turn away. Its memory is fixed: when more addresses fail within a
// minute than it holds, those with the fewest failures are forgotten. Addresses
// of version 6 count by their /64. It is safe for concurrent use.
type Failures struct {
	most int64
	seed maphash.Seed
	mu   [64]sync.Mutex
	sets [failureSets][failureWays]failure
}

type failure struct {
	address uint64 // hashed; 0: free
	since   int64  // µs: when its minute began
	count   int64
}

const failureWindow = int64(time.Minute / time.Microsecond)

// NewFailures lets each address fail most times in the minute that begins with
// its first failure. 0: any number of times.
func NewFailures(most int) *Failures {
	return &Failures{most: int64(most), seed: maphash.MakeSeed()}
}

// Blocked reports for how many whole seconds an address has to wait before it
// may try another key; 0: it need not.
func (f *Failures) Blocked(ip netip.Addr, now time.Time) int64 {
	if f.most == 0 {
		return 0
	}
	set, mu, address := f.place(ip)
	mu.Lock()
	defer mu.Unlock()
	for i := range set {
		if e := &set[i]; e.address == address && e.runs(now.UnixMicro()) && e.count >= f.most {
			return (e.since + failureWindow - now.UnixMicro() + 999_999) / 1_000_000
		}
	}
	return 0
}

// Add counts a bad key.
func (f *Failures) Add(ip netip.Addr, now time.Time) {
	if f.most == 0 {
		return
	}
	set, mu, address := f.place(ip)
	at := now.UnixMicro()
	mu.Lock()
	defer mu.Unlock()
	least := &set[0]
	for i := range set {
		e := &set[i]
		if e.address == address && e.runs(at) {
			e.count++
			return
		}
		if e.weight(at) < least.weight(at) {
			least = e
		}
	}
	*least = failure{address, at, 1}
}

func (e *failure) runs(now int64) bool { return now >= e.since && now < e.since+failureWindow }

// weight is how much would be lost by forgetting e.
func (e *failure) weight(now int64) int64 {
	if !e.runs(now) {
		return 0
	}
	return e.count
}

func (f *Failures) place(ip netip.Addr) (*[failureWays]failure, *sync.Mutex, uint64) {
	b := quota.AddressOf(ip)
	h := maphash.Bytes(f.seed, b[:]) | 1
	n := (h >> 1) % failureSets
	return &f.sets[n], &f.mu[n%uint64(len(f.mu))], h
}
