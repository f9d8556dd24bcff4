package quota

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Set is the limits of one plan, or of one subscription that has an override,
// made ready. It never changes.
type Set struct {
	Rules      []Rule
	Concurrent bool // some rule bounds calls under way
	Adapts     bool // some rule moves
	plain      []Pick
	named      map[string][]Pick
}

// Pick is the rules of one scope that apply to an operation.
type Pick struct {
	scope uint8
	Rules []*Rule
}

// Subject is whose call it is.
type Subject struct {
	Subscription, Organization, Product, Key uuid.UUID // zero where nobody subscribed
	Operation                                uuid.UUID
	Name                                     string // the operation as limits name it, such as "GET /reports/{id}"
	IP                                       netip.Addr
	Test                                     bool // test calls have counters of their own

	Zone   *time.Location // the organization's, for schedules; nil: UTC
	Health Health         // the upstream's, for limits that adapt
}

// Key is whom a scope counts together.
type Key struct {
	a, b  [16]byte
	scope uint8
	test  bool
}

var scopes = map[Scope]uint8{PerApplication: 1, PerKey: 2, PerIP: 3, PerOrganization: 4, PerOperation: 5}

// Prepare makes limits ready, or says all that is wrong with them.
func Prepare(limits []Limit) (*Set, error) {
	s := &Set{Rules: make([]Rule, len(limits))}
	var errs []error
	for i, l := range limits {
		var err error
		s.Rules[i], err = NewRule(l, i)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	seen := map[uint64]bool{}
	for i := range s.Rules {
		for r := &s.Rules[i]; seen[r.id]; { // of two that differ in amounts only, the second counts for itself
			r.id++
		}
		seen[s.Rules[i].id] = true
	}
	s.index()
	return s, nil
}

func (s *Set) index() {
	for i := range s.Rules {
		s.Concurrent = s.Concurrent || s.Rules[i].Concurrent
		s.Adapts = s.Adapts || s.Rules[i].Adapts()
	}
	s.plain, s.named = s.pick(""), map[string][]Pick{}
	for i := range s.Rules {
		if name := s.Rules[i].Operation; name != "" && s.named[name] == nil {
			s.named[name] = s.pick(name)
		}
	}
}

// Only is the nth limit alone, counted where the whole set counts it.
func (s *Set) Only(n int) *Set {
	one := &Set{Rules: s.Rules[n : n+1]}
	one.index()
	return one
}

// For is the rules that apply to the named operation, by scope.
func (s *Set) For(name string) []Pick {
	if len(s.named) > 0 {
		if picks, ok := s.named[name]; ok {
			return picks
		}
	}
	return s.plain
}

func (s *Set) pick(name string) (picks []Pick) {
	for scope := uint8(1); scope <= uint8(len(scopes)); scope++ {
		p := Pick{scope: scope}
		for i := range s.Rules {
			r := &s.Rules[i]
			if scopes[r.Scope] == scope && (r.Operation == "" || r.Operation == name) {
				p.Rules = append(p.Rules, r)
			}
		}
		if len(p.Rules) > 0 {
			picks = append(picks, p)
		}
	}
	return picks
}

// Key is whom the pick's scope counts together with who. Addresses of version 6
// count by their /64, which is what one customer of a provider holds.
func (p *Pick) Key(who *Subject) Key {
	k := Key{scope: p.scope, test: who.Test, a: who.Subscription}
	if k.a == uuid.Nil {
		k.a = who.Product
	}
	switch p.scope {
	case 2:
		k.b = who.Key
	case 3:
		k.b = AddressOf(who.IP)
	case 4:
		k.a, k.b = who.Organization, who.Product
	case 5:
		k.b = who.Operation
	}
	return k
}

// AddressOf is the bytes by which an address is counted.
func AddressOf(ip netip.Addr) [16]byte {
	a := ip.As16()
	if ip.Is6() && !ip.Is4In6() {
		clear(a[8:])
	}
	return a
}

// ByAddress reports whether the key names a client's address, of which there
// may be any number.
func (k *Key) ByAddress() bool { return k.scope == scopes[PerIP] }

// Crowd is the key that addresses share for which there is no place left.
func (k Key) Crowd() Key {
	k.b = [16]byte{0: 0xff, 15: 0xff} // a multicast address, which calls nobody
	return k
}

// Append adds the key's 34 bytes to b.
func (k *Key) Append(b []byte) []byte {
	b = append(append(b, k.a[:]...), k.b[:]...)
	test := byte(0)
	if k.test {
		test = 1
	}
	return append(b, k.scope, test)
}

// Home is a number that all counters of one call share, whatever their scope:
// who holds them under one lock sees them all.
func (s *Subject) Home() uint64 {
	h := fold(s.Product)
	if s.Organization != uuid.Nil {
		h ^= fold(s.Organization) * 0x9e3779b97f4a7c15
	} else if s.Product == uuid.Nil {
		h = fold(s.Subscription)
	}
	return h * 0xbf58476d1ce4e5b9
}

func fold(id uuid.UUID) uint64 {
	return binary.LittleEndian.Uint64(id[:8]) ^ binary.LittleEndian.Uint64(id[8:])
}

// identity hashes everything of a limit but its amounts. The number must be the
// same in every gateway, since it names counters in Redis.
func identity(l Limit) uint64 {
	h := fnv.New64a()
	var b [9]byte
	binary.LittleEndian.PutUint64(b[:], uint64(l.Window))
	if l.Concurrent {
		b, l.Algorithm = [9]byte{8: 1}, ""
	} else if l.Algorithm == "" {
		l.Algorithm = FixedWindow
	}
	h.Write(b[:])
	for _, part := range []string{string(l.Algorithm), string(l.Scope), l.Operation} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return h.Sum64()
}
