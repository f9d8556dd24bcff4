// Package memory keeps what limits have counted in the gateway's own memory.
package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"tollgate/internal/quota"
)

// counterShards is how many parts, each under its own lock, counters lie in.
const counterShards = 256

// Counters decides on calls by what this gateway has counted. It is safe for
// concurrent use; use NewCounters.
//
// Everything that one call is counted in lies in one part, so that a decision
// takes one lock, and a customer's flood waits for no lock but its own.
type Counters struct {
	addresses atomic.Int64 // books by address, in all parts
	most      int64
	seed      maphash.Seed
	crowded   atomic.Int64
	parts     [counterShards]part
	swept     atomic.Uint64 // the table that Sweep went on from
}

// part is split into tables so that none of them takes long to grow.
type part struct {
	mu     sync.Mutex
	tables [16]table
}

// NewCounters makes empty counters that keep at most addresses books of limits
// per client address (10⁶ are about 300 MB). Addresses beyond count together,
// as one, until others have been idle for long enough to be swept: such a limit
// never becomes unlimited, and those that are known keep their own.
func NewCounters(addresses int) *Counters {
	return &Counters{most: int64(addresses), seed: maphash.MakeSeed()}
}

// Decide lets a call of the given weight through all of set's limits that apply
// to it, and counts it, or counts it in none. A call that was let through must
// be given back with Done when it has ended.
func (c *Counters) Decide(set *quota.Set, who *quota.Subject, cost int64, now time.Time) quota.Decision {
	return c.DecideOn(set, quota.Call{Who: who, Cost: cost, Now: now.UnixMicro()})
}

// DecideOn decides on a call of which more is known.
func (c *Counters) DecideOn(set *quota.Set, call quota.Call) quota.Decision {
	picks := set.For(call.Who.Name)
	if len(picks) == 0 {
		return quota.Decision{OK: true}
	}
	var books [5]*quota.Book
	p := &c.parts[call.Who.Home()%counterShards]
	p.mu.Lock()
	c.find(p, picks, call.Who, &books)
	d := quota.Decide(picks, books[:], call)
	p.mu.Unlock()
	return d
}

// Peek appends where each limit that applies stands to into, in set's order of
// scopes, and counts nothing.
func (c *Counters) Peek(into []quota.Status, set *quota.Set, who *quota.Subject, now time.Time) []quota.Status {
	picks := set.For(who.Name)
	var books [5]*quota.Book
	p := &c.parts[who.Home()%counterShards]
	p.mu.Lock()
	defer p.mu.Unlock()
	c.find(p, picks, who, &books)
	return quota.Look(into, picks, books[:], quota.Call{Who: who, Now: now.UnixMicro()})
}

// Demand reports the amounts in force of each rule that applies, in the order
// of picks, for decisions that are taken elsewhere.
func (c *Counters) Demand(into []quota.Force, set *quota.Set, call quota.Call) []quota.Force {
	picks := set.For(call.Who.Name)
	var books [5]*quota.Book
	p := &c.parts[call.Who.Home()%counterShards]
	p.mu.Lock()
	defer p.mu.Unlock()
	c.find(p, picks, call.Who, &books)
	return quota.Forces(into, picks, books[:], call)
}

func (c *Counters) find(p *part, picks []quota.Pick, who *quota.Subject, books *[5]*quota.Book) {
	for i := range picks {
		k := picks[i].Key(who)
		h := c.hash(&k)
		b := p.table(h).get(h, &k)
		if b == nil {
			b = c.open(p, k, h)
		}
		books[i] = &b.Book
	}
}

func (c *Counters) hash(k *quota.Key) uint64 { return maphash.Comparable(c.seed, *k) | 1 }

func (p *part) table(hash uint64) *table { return &p.tables[hash>>1%uint64(len(p.tables))] }

func (c *Counters) open(p *part, k quota.Key, h uint64) *book {
	if k.ByAddress() {
		if c.addresses.Load() >= c.most {
			c.crowded.Add(1)
			k = k.Crowd()
			h = c.hash(&k)
			if b := p.table(h).get(h, &k); b != nil {
				return b
			}
		}
		c.addresses.Add(1)
	}
	b := &book{key: k}
	p.table(h).add(h, b)
	return b
}

// Crowded is how many calls were counted together with others' for want of a
// place for their address.
func (c *Counters) Crowded() int64 { return c.crowded.Load() }

// Sweep goes on from where it last stopped through n tables, of 4,096, each
// under its own lock, and forgets the books whose counts have all passed.
func (c *Counters) Sweep(now time.Time, n int) {
	for range n {
		i := int(c.swept.Add(1)) % (len(c.parts) * len(c.parts[0].tables))
		p := &c.parts[i%len(c.parts)]
		p.mu.Lock()
		c.sweep(&p.tables[i/len(c.parts)], now.UnixMicro())
		p.mu.Unlock()
	}
}

func (c *Counters) sweep(t *table, now int64) {
	for i := 0; i < len(t.slots); {
		b := t.slots[i].book
		if b == nil || !b.Idle(now) {
			i++
			continue
		}
		if b.key.ByAddress() {
			c.addresses.Add(-1)
		}
		t.remove(i) // what moves into the gap is looked at next
	}
	if len(t.slots) > 64 && t.used < len(t.slots)/16 {
		t.fit()
	}
}

// Len is how many books are kept.
func (c *Counters) Len() (n int) {
	for i := range c.parts {
		p := &c.parts[i]
		p.mu.Lock()
		for j := range p.tables {
			n += p.tables[j].used
		}
		p.mu.Unlock()
	}
	return n
}
