package memory

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"tollgate/internal/quota"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func prepare(t testing.TB, limits ...quota.Limit) *quota.Set {
	t.Helper()
	s, err := quota.Prepare(limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func address(i uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+i)))
}

func TestAThousandGoroutinesForTheLastToken(t *testing.T) {
	t.Parallel()
	for _, a := range []quota.Algorithm{quota.FixedWindow, quota.SlidingWindow, quota.SlidingLog, quota.TokenBucket, quota.LeakyBucket} {
		set := prepare(t,
			quota.Limit{Algorithm: a, Scope: quota.PerApplication, Calls: 10, Burst: 9, Window: time.Hour},
			quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerKey, Calls: 1000, Window: time.Hour})
		c, who := NewCounters(0), quota.Subject{Subscription: uuid.New()}
		last := set.Rules[0].Capacity(set.Rules[0].Planned()) - 1
		if d := c.Decide(set, &who, last, noon); !d.OK || d.Status.Remaining != 1 {
			t.Fatalf("%s: %+v", a, d)
		}
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				mine := who
				if d := c.Decide(set, &mine, 1, noon); d.OK {
					passed.Add(1)
				}
			})
		}
		wg.Wait()
		if passed.Load() != 1 {
			t.Errorf("%s: %d calls passed, want 1", a, passed.Load())
		}
		if left := c.Peek(nil, set, &who, noon); left[1].Remaining != 1000-last-1 {
			t.Errorf("%s: refused calls were counted: %+v", a, left[1])
		}
	}
}

func TestCallsUnderWayNeverExceedTheirLimit(t *testing.T) {
	t.Parallel()
	set := prepare(t, quota.Limit{Concurrent: true, Scope: quota.PerApplication, Calls: 3})
	c := NewCounters(0)
	var under, most, passed atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			who := quota.Subject{}
			for range 100 {
				d := c.Decide(set, &who, 1, noon)
				if !d.OK {
					continue
				}
				passed.Add(1)
				if n := under.Add(1); n > most.Load() {
					most.Store(n)
				}
				under.Add(-1)
				d.Done()
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || passed.Load() == 0 {
		t.Errorf("%d calls at once, %d passed", most.Load(), passed.Load())
	}
	if left := c.Peek(nil, set, &quota.Subject{}, noon); left[0].Remaining != 3 {
		t.Errorf("all have ended: %+v", left[0])
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	set := prepare(t,
		quota.Limit{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 10, Window: time.Second},
		quota.Limit{Algorithm: quota.SlidingLog, Scope: quota.PerKey, Calls: 100, Window: time.Second},
		quota.Limit{Algorithm: quota.SlidingWindow, Scope: quota.PerOperation, Calls: 100, Window: time.Hour},
		quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerIP, Calls: 100, Window: time.Hour, Adapt: quota.Adapt{Surge: quota.Surge{Percent: 150, For: time.Hour}}},
		quota.Limit{Concurrent: true, Scope: quota.PerOrganization, Calls: 100})
	c, who := NewCounters(10), quota.Subject{Subscription: uuid.New(), IP: address(1)}
	now := noon
	decide := func() {
		now = now.Add(30 * time.Millisecond)
		d := c.Decide(set, &who, 1, now)
		d.Done()
	}
	for range 1000 {
		decide()
	}
	if n := testing.AllocsPerRun(10_000, decide); n != 0 {
		t.Errorf("%v allocations a decision", n)
	}
}

func TestAddressesBeyondTheCapCountTogether(t *testing.T) {
	t.Parallel()
	set := prepare(t, quota.Limit{Algorithm: quota.FixedWindow, Scope: quota.PerIP, Calls: 5, Window: time.Minute})
	c, product := NewCounters(100), uuid.New()
	passes := func(i uint32, now time.Time) bool {
		d := c.Decide(set, &quota.Subject{Product: product, IP: address(i)}, 1, now)
		return d.OK
	}
	passed := 0
	for i := range uint32(100_000) {
		if passes(i, noon) {
			passed++
		}
	}
	if passed != 105 {
		t.Errorf("%d calls passed, want one for each of a hundred addresses and five for all others", passed)
	}
	if c.Len() > 101 || c.Crowded() != 100_000-100 {
		t.Errorf("%d books are kept, %d calls were crowded", c.Len(), c.Crowded())
	}
	if !passes(7, noon) {
		t.Error("an address that was known lost its own count")
	}
	later := noon.Add(time.Minute)
	c.Sweep(later, 4096)
	if c.Len() != 0 || !passes(200_000, later) {
		t.Errorf("%d books are kept when all have passed", c.Len())
	}
}

func TestSweepKeepsWhatStillCounts(t *testing.T) {
	t.Parallel()
	set := prepare(t,
		quota.Limit{Algorithm: quota.TokenBucket, Scope: quota.PerApplication, Calls: 60, Window: time.Minute},
		quota.Limit{Concurrent: true, Scope: quota.PerApplication, Calls: 10})
	c := NewCounters(0)
	idle, busy, under := quota.Subject{Subscription: uuid.New()}, quota.Subject{Subscription: uuid.New()}, quota.Subject{Subscription: uuid.New()}
	for who, cost := range map[*quota.Subject]int64{&idle: 5, &busy: 50, &under: 1} {
		d := c.Decide(set, who, cost, noon)
		if who != &under {
			d.Done()
		}
	}
	c.Sweep(noon.Add(10*time.Second), 4096)
	if c.Len() != 2 {
		t.Errorf("%d books are kept, want those of the busy and of the call under way", c.Len())
	}
	if d := c.Decide(set, &busy, 21, noon.Add(10*time.Second)); d.OK {
		t.Errorf("what was counted was forgotten: %+v", d)
	}
}

func TestATableFindsWhatAMapFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var tb table
		want := map[uint64]*book{}
		hash := rapid.Uint64Range(0, 40)
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			h := hash.Draw(t, "hash")<<20 | 1
			switch b := tb.get(h, &quota.Key{}); {
			case b != want[h]:
				t.Fatalf("%x: %p, want %p", h, b, want[h])
			case b == nil:
				want[h] = &book{}
				tb.add(h, want[h])
			default:
				for i := range tb.slots {
					if tb.slots[i].book == b {
						tb.remove(i)
						break
					}
				}
				delete(want, h)
			}
			if tb.used != len(want) {
				t.Fatalf("%d in use, want %d", tb.used, len(want))
			}
		}
	})
}

func TestBadKeysBlockTheirAddressForAMinute(t *testing.T) {
	t.Parallel()
	f, guesser := NewFailures(3), address(1)
	for i := range 3 {
		if wait := f.Blocked(guesser, noon); wait != 0 {
			t.Errorf("blocked for %d s after %d bad keys", wait, i)
		}
		f.Add(guesser, noon)
	}
	for after, want := range map[time.Duration]int64{0: 60, 500 * time.Millisecond: 60, 59 * time.Second: 1, time.Minute: 0} {
		if wait := f.Blocked(guesser, noon.Add(after)); wait != want {
			t.Errorf("after %s: %d s, want %d", after, wait, want)
		}
	}
	if f.Blocked(address(2), noon) != 0 {
		t.Error("another address is blocked")
	}
}

func TestAGuesserStaysBlockedUnderAFloodOfOthers(t *testing.T) {
	t.Parallel()
	f, guesser := NewFailures(3), address(1)
	for range 3 {
		f.Add(guesser, noon)
	}
	for i := range uint32(300_000) {
		f.Add(address(1000+i), noon)
	}
	if f.Blocked(guesser, noon) == 0 {
		t.Error("the guesser was forgotten for addresses that failed once")
	}
}
