package lease_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/subscriptions/period"
)

func balance() lease.Account {
	always := period.Always()
	return lease.Account{Subscription: uuid.New(), Start: always.Start, End: always.End, Seat: &quota.Seat{}}
}

// However credits and calls follow each other, what gateways hold together never
// exceeds the credits, also where one of them does not know of the latest yet,
// and in the end all of it is spent.
func TestABalanceIsNeverOversoldAndSpentToTheLastCall(t *testing.T) {
	t.Parallel()
	pool := pgtest.StaffPool(t)
	ctx := context.Background()
	rapid.Check(t, func(r *rapid.T) {
		var now hand
		a, credited, spent := balance(), rapid.Int64Range(0, 50).Draw(r, "start credit"), int64(0)
		var wallets [2]*lease.Wallet
		known := [2]int64{credited, credited}
		for i := range wallets {
			s := store(pool, uuid.NewString())
			s.Now = now.time
			wallets[i] = lease.New(s, time.Minute, now.time)
		}
		call := func(i int) lease.Outcome {
			id, st, out := wallets[i].Spend(ctx, a, lease.Quota{Calls: known[i], Hard: true})
			if st.Remaining < 0 || st.Remaining > known[i] {
				r.Fatalf("%d remain of %d", st.Remaining, known[i])
			}
			if out != lease.Spent {
				return out
			}
			if spent++; rapid.IntRange(0, 9).Draw(r, "answered") == 0 {
				wallets[i].Return(a, id)
				spent--
			}
			return out
		}
		one := func() int { return rapid.IntRange(0, 1).Draw(r, "gateway") }
		r.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {
				var granted int64
				err := pool.QueryRow(ctx, `SELECT coalesce(sum(granted), 0)::bigint FROM quota_grants WHERE subscription_id = $1`, a.Subscription).Scan(&granted)
				if err != nil || granted > credited || spent > credited {
					r.Fatalf("%d granted, %d spent of %d credited, %v", granted, spent, credited, err)
				}
			},
			"calls": func(*rapid.T) {
				for i := one(); rapid.IntRange(0, 20).Draw(r, "more") > 0; {
					call(i)
				}
			},
			"credit": func(*rapid.T) { credited += rapid.Int64Range(1, 50).Draw(r, "calls") },
			"told":   func(*rapid.T) { known[one()] = credited },
			"time passes": func(*rapid.T) {
				now.Add(rapid.SampledFrom(spans).Draw(r, "span"))
				w := wallets[one()]
				w.Sweep(start)
				if err := w.GiveBack(ctx); err != nil {
					r.Fatal(err)
				}
			},
		})
		known = [2]int64{credited, credited}
		for range 2 { // what one held ends, and the other takes it
			now.Add(int64(66 * time.Minute))
			for i, w := range wallets {
				w.Sweep(start)
				if err := w.GiveBack(ctx); err != nil {
					r.Fatal(err)
				}
				for call(i) == lease.Spent {
				}
			}
		}
		if spent != credited {
			r.Fatalf("%d of %d credited calls could be spent", spent, credited)
		}
	})
}

func TestACreditIsSpentAtOnceWhereNothingWasLeft(t *testing.T) {
	t.Parallel()
	var now hand // it stands still: no answer is too old to be believed
	w, a := lease.New(store(pgtest.StaffPool(t), "g"), time.Minute, now.time), balance()
	spent := int64(0)
	for _, credited := range []int64{0, 1, 3} {
		for ; spent < credited; spent++ {
			if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: credited, Hard: true}); out != lease.Spent {
				t.Fatalf("call %d of %d credited: outcome %v", spent+1, credited, out)
			}
		}
		if _, st, out := w.Spend(context.Background(), a, lease.Quota{Calls: credited, Hard: true}); out != lease.Exhausted || st.Remaining != 0 {
			t.Errorf("%d credited: %+v, outcome %v", credited, st, out)
		}
		if left := w.Peek(a, credited+2).Remaining; left != 2 {
			t.Errorf("%d remain of two more", left)
		}
	}
}

func TestAnAccountThatNobodySpendsFromIsForgotten(t *testing.T) {
	t.Parallel()
	var now hand
	s := &counting{left: 3}
	w, a := lease.New(s, time.Minute, now.time), balance()
	for range 3 {
		if _, _, out := w.Spend(context.Background(), a, lease.Quota{Calls: 10, Hard: true}); out != lease.Spent {
			t.Fatal(out)
		}
	}
	now.Add(int64(30 * 24 * time.Hour))
	w.Sweep(start)
	if left := w.Peek(a, 10).Remaining; left != 0 {
		t.Errorf("%d remain after a month", left)
	}
	now.Add(int64(2 * 24 * time.Hour))
	w.Sweep(start)
	if left := w.Peek(a, 10).Remaining; left != 10 { // what is not known is told as whole
		t.Errorf("%d remain of an account that should have been forgotten", left)
	}
}
