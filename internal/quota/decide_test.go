package quota

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
)

func prepared(t *testing.T, limits ...Limit) *Set {
	t.Helper()
	s, err := Prepare(limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// table is the books of a test, found by key.
type table map[Key]*Book

func (tb table) decide(s *Set, c Call) Decision {
	return Decide(s.For(c.Who.Name), tb.books(s, c.Who), c)
}

func (tb table) books(s *Set, who *Subject) (books []*Book) {
	for _, p := range s.For(who.Name) {
		k := p.Key(who)
		if tb[k] == nil {
			tb[k] = &Book{}
		}
		books = append(books, tb[k])
	}
	return books
}

func TestSeveralLimitsDecideTogether(t *testing.T) {
	t.Parallel()
	s, tb := prepared(t,
		Limit{Algorithm: TokenBucket, Scope: PerKey, Calls: 2, Window: time.Second},
		Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 3, Window: time.Hour},
	), table{}
	for i, want := range []struct {
		at      time.Duration
		passes  bool
		rule    int
		remains int64
		retry   int64
	}{
		{0, true, 0, 1, 0},
		{0, true, 0, 0, 0},
		{0, false, 0, 0, 1},
		{time.Second, true, 1, 0, 0},
		{2 * time.Second, false, 1, 0, 3598},
	} {
		d := tb.decide(s, Call{Who: &somebody, Cost: 1, Now: start + want.at.Microseconds()})
		if d.OK != want.passes || d.Rule.Index != want.rule || d.Status.Remaining != want.remains || d.Status.Retry != want.retry {
			t.Errorf("call %d: %+v, want %+v", i, d, want)
		}
	}
}

func TestTheRefusalThatLastsLongestIsShown(t *testing.T) {
	t.Parallel()
	s, tb := prepared(t,
		Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 1, Window: time.Hour},
		Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 1, Window: time.Second},
	), table{}
	tb.decide(s, Call{Who: &somebody, Now: start})
	if d := tb.decide(s, Call{Who: &somebody, Now: start}); d.Rule.Index != 0 || d.Status.Retry != 3600 {
		t.Errorf("%+v", d)
	}
}

func TestScopesCountWhatTheyName(t *testing.T) {
	t.Parallel()
	id := func(n byte) uuid.UUID { return uuid.UUID{n} }
	ip := netip.MustParseAddr
	one := Subject{Subscription: id(1), Organization: id(2), Product: id(3), Key: id(4), Operation: id(5), IP: ip("192.0.2.1")}
	with := func(change func(*Subject)) Subject { s := one; change(&s); return s }
	for _, tt := range []struct {
		name  string
		scope Scope
		other Subject
		apart bool
	}{
		{"an application's keys", PerApplication, with(func(s *Subject) { s.Key = id(9) }), false},
		{"two applications", PerApplication, with(func(s *Subject) { s.Subscription = id(9) }), true},
		{"two keys", PerKey, with(func(s *Subject) { s.Key = id(9) }), true},
		{"two addresses", PerIP, with(func(s *Subject) { s.IP = ip("192.0.2.2") }), true},
		{"one address, written for version 6", PerIP, with(func(s *Subject) { s.IP = ip("::ffff:192.0.2.1") }), false},
		{"an organization's applications", PerOrganization, with(func(s *Subject) { s.Subscription, s.Key = id(9), id(9) }), false},
		{"two organizations", PerOrganization, with(func(s *Subject) { s.Organization = id(9) }), true},
		{"two products of an organization", PerOrganization, with(func(s *Subject) { s.Product = id(9) }), true},
		{"two operations", PerOperation, with(func(s *Subject) { s.Operation = id(9) }), true},
		{"test and live", PerApplication, with(func(s *Subject) { s.Test = true }), true},
	} {
		s, tb := prepared(t, Limit{Algorithm: FixedWindow, Scope: tt.scope, Calls: 1, Window: time.Hour}), table{}
		tb.decide(s, Call{Who: &one, Now: start})
		if d := tb.decide(s, Call{Who: &tt.other, Now: start}); d.OK != tt.apart {
			t.Errorf("%s: passes=%v", tt.name, d.OK)
		}
	}
}

func TestAddressesOfVersion6CountByTheirNetwork(t *testing.T) {
	t.Parallel()
	a, b, c := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:2"), netip.MustParseAddr("2001:db8:0:1::1")
	if AddressOf(a) != AddressOf(b) || AddressOf(a) == AddressOf(c) {
		t.Error("a /64 is one caller, and no more than that")
	}
}

func TestALimitOnAnOperationLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s, tb := prepared(t,
		Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 100, Window: time.Hour},
		Limit{Algorithm: FixedWindow, Scope: PerApplication, Operation: "GET /reports/{id}", Calls: 1, Window: time.Hour},
	), table{}
	reports, books := somebody, somebody
	reports.Name, books.Name = "GET /reports/{id}", "GET /books"
	for i, want := range []struct {
		who     *Subject
		passes  bool
		remains int64
	}{{&reports, true, 0}, {&books, true, 98}, {&reports, false, 0}, {&books, true, 97}} {
		if d := tb.decide(s, Call{Who: want.who, Now: start}); d.OK != want.passes || d.Status.Remaining != want.remains {
			t.Errorf("call %d: %+v", i, d)
		}
	}
}

func TestTwoLimitsThatDifferInAmountsOnlyCountApart(t *testing.T) {
	t.Parallel()
	l := Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 2, Window: time.Hour}
	s, tb := prepared(t, l, l), table{}
	for i, want := range []bool{true, true, false} {
		if d := tb.decide(s, Call{Who: &somebody, Now: start}); d.OK != want {
			t.Errorf("call %d: %+v", i, d)
		}
	}
}

func TestCallsUnderWayAreGivenBackOnce(t *testing.T) {
	t.Parallel()
	var limits []Limit
	for _, scope := range []Scope{PerApplication, PerKey, PerIP, PerOrganization, PerOperation} {
		limits = append(limits, Limit{Concurrent: true, Scope: scope, Calls: 2})
	}
	s, tb := prepared(t, limits...), table{}
	c := Call{Who: &somebody, Cost: 50, Now: start} // a heavy call is still one call under way
	first, second, third := tb.decide(s, c), tb.decide(s, c), tb.decide(s, c)
	if !first.OK || !second.OK || third.OK || third.Status.Retry != 1 || !third.Rule.Concurrent {
		t.Fatalf("%v %v %+v", first.OK, second.OK, third)
	}
	third.Done()
	if d := tb.decide(s, c); d.OK {
		t.Error("a refused call gave back what it never had")
	}
	first.Done()
	first.Done()
	if d := tb.decide(s, c); !d.OK || d.Status.Remaining != 0 {
		t.Errorf("after one has ended: %+v", d)
	}
	if d := tb.decide(s, c); d.OK {
		t.Error("giving back twice counted twice")
	}
}

func TestACallRefusedByItsRateHoldsNoPlace(t *testing.T) {
	t.Parallel()
	s, tb := prepared(t,
		Limit{Concurrent: true, Scope: PerApplication, Calls: 2},
		Limit{Algorithm: FixedWindow, Scope: PerApplication, Calls: 1, Window: time.Second},
	), table{}
	d := tb.decide(s, Call{Who: &somebody, Now: start})
	if tb.decide(s, Call{Who: &somebody, Now: start}).OK {
		t.Fatal("two calls of one passed")
	}
	d.Done()
	st := Look(nil, s.For(""), tb.books(s, &somebody), Call{Who: &somebody, Now: start})
	if st[0].Remaining != 2 {
		t.Errorf("calls under way: %+v", st[0])
	}
}

func TestACallThatWeighsTooMuchIsToldSo(t *testing.T) {
	t.Parallel()
	s, tb := prepared(t, Limit{Algorithm: LeakyBucket, Scope: PerApplication, Calls: 100, Burst: 2, Window: time.Second}), table{}
	if d := tb.decide(s, Call{Who: &somebody, Cost: 4, Now: start}); d.OK || !d.Never || d.Status.Retry != 0 || d.Status.Remaining != 3 {
		t.Errorf("%+v", d)
	}
	if d := tb.decide(s, Call{Who: &somebody, Cost: 3, Now: start}); !d.OK {
		t.Errorf("%+v", d)
	}
}

func TestNoLimitsLetEverythingThrough(t *testing.T) {
	t.Parallel()
	if d := (table{}).decide(prepared(t), Call{Who: &somebody, Now: start}); !d.OK || d.Rule != nil {
		t.Errorf("%+v", d)
	}
}
