package upstream

import (
	"sync"
	"time"
)

// Name names a group: the upstream's id and whether it takes test calls.
type Name struct {
	Upstream [16]byte
	Test     bool
}

// Groups keeps the groups of all upstreams, so that their state outlives the
// view that names them.
type Groups struct {
	base time.Time
	mu   sync.Mutex
	all  map[Name]*Group
}

// NewGroups makes an empty registry. base is any moment that has passed.
func NewGroups(base time.Time) *Groups { return &Groups{base: base, all: map[Name]*Group{}} }

// Set makes or updates a group. On an error nothing changes.
func (r *Groups) Set(name Name, targets []Target, policy Policy) (*Group, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.all[name]; g != nil {
		return g, g.Update(targets, policy)
	}
	g, err := NewGroup(r.base, targets, policy)
	if err != nil {
		return nil, err
	}
	r.all[name] = g
	return g, nil
}

// Keep forgets the groups for which keep is false.
func (r *Groups) Keep(keep func(Name) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.all {
		if !keep(name) {
			delete(r.all, name)
		}
	}
}

// All lists the groups.
func (r *Groups) All() map[Name]*Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[Name]*Group, len(r.all))
	for name, g := range r.all {
		out[name] = g
	}
	return out
}
