package memory

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/quota"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestAThousandCallersForTheLastHundred(t *testing.T) {
	t.Parallel()
	l, who := New(), Caller{Subscription: uuid.New()}
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, ok := l.Take(who, []quota.Rate{{Calls: 100, Window: time.Hour}}, noon); ok {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d calls passed, want 100", passed.Load())
	}
}

func TestARefusedCallConsumesNothingOfAnyLimit(t *testing.T) {
	t.Parallel()
	l, who := New(), Caller{Subscription: uuid.New()}
	rates := []quota.Rate{{Calls: 1, Window: time.Second}, {Calls: 3, Window: time.Hour}}
	for i, want := range []bool{true, false, false} {
		if _, ok := l.Take(who, rates, noon); ok != want {
			t.Errorf("call %d: %v", i, ok)
		}
	}
	st, ok := l.Take(who, rates, noon.Add(time.Second))
	if !ok || st.Remaining != 0 {
		t.Errorf("after the second: %+v, %v", st, ok)
	}
	if st, ok = l.Take(who, rates, noon.Add(2*time.Second)); !ok {
		t.Errorf("the hour was consumed by refused calls: %+v", st)
	}
	if st, ok = l.Take(who, rates, noon.Add(3*time.Second)); ok || st.Window != time.Hour || st.RetryAfter(noon.Add(3*time.Second)) != 3597 {
		t.Errorf("fourth of three: %+v, %v", st, ok)
	}
}

func TestTestCallsHaveCountersOfTheirOwn(t *testing.T) {
	t.Parallel()
	l, sub := New(), uuid.New()
	one := []quota.Rate{{Calls: 1, Window: time.Hour}}
	for _, test := range []bool{false, true} {
		if _, ok := l.Take(Caller{sub, test}, one, noon); !ok {
			t.Errorf("test=%v was refused", test)
		}
	}
}

func TestARaisedLimitKeepsTheRunningCount(t *testing.T) {
	t.Parallel()
	l, who := New(), Caller{Subscription: uuid.New()}
	l.Take(who, []quota.Rate{{Calls: 1, Window: time.Hour}}, noon)
	if st, ok := l.Take(who, []quota.Rate{{Calls: 3, Window: time.Hour}}, noon); !ok || st.Remaining != 1 {
		t.Errorf("%+v, %v", st, ok)
	}
}

func TestSweepForgetsOnlyWhatHasPassed(t *testing.T) {
	t.Parallel()
	l, who := New(), Caller{Subscription: uuid.New()}
	one := []quota.Rate{{Calls: 1, Window: time.Hour}}
	l.Take(who, one, noon)
	l.Sweep(noon.Add(59 * time.Minute))
	if _, ok := l.Take(who, one, noon.Add(59*time.Minute)); ok {
		t.Error("the running window was forgotten")
	}
	l.Sweep(noon.Add(time.Hour))
	for i := range l.shards {
		if len(l.shards[i].callers) != 0 {
			t.Error("a passed window was kept")
		}
	}
}
