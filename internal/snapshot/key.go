package snapshot

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
)

// Credential is an API key that has not been revoked. It has no pointers, so
// that a million of them cost the garbage collector nothing, and is never changed.
type Credential struct {
	Hash                 token.Hash
	ID, Org, Application uuid.UUID
	Expires              int64  // microseconds since the Unix epoch; see Expired
	access               uint32 // number of its restrictions in the view; 0: none
	Test                 bool
}

// never is Expires of a key that does not expire.
const never = math.MaxInt64

// Expired reports whether the key has ended at a moment.
func (c *Credential) Expired(now time.Time) bool { return now.UnixMicro() >= c.Expires }

// Mode is the key's mode.
func (c *Credential) Mode() token.Mode {
	if c.Test {
		return token.Test
	}
	return token.Live
}

type credentialKey token.Hash

func (k credentialKey) sum() uint64 { return binary.BigEndian.Uint64(k[:]) } // an HMAC is random

func (c *Credential) key() credentialKey      { return credentialKey(c.Hash) }
func (c *Credential) is(k credentialKey) bool { return c.Hash == token.Hash(k) }
func (c *Credential) ident() uuid.UUID        { return c.ID }

// Lookup finds a key that was not revoked; nil if there is none. The caller
// checks Expired and, with Access, what it may be used for.
func (v *View) Lookup(h token.Hash) *Credential {
	return v.keys.find(credentialKey(h))
}

// Access is what a key of this view is restricted to; never nil.
func (v *View) Access(c *Credential) *AccessSet { return v.access[c.access] }

// AccessSet is a key's restrictions, prepared. The zero value restricts nothing.
type AccessSet struct {
	Access
	scopes map[string]bool
}

func newAccessSet(a Access) *AccessSet {
	s := &AccessSet{Access: a, scopes: make(map[string]bool, len(a.Scopes))}
	for _, scope := range a.Scopes {
		s.scopes[scope] = true
	}
	return s
}

// Allows reports whether a key may call op of r.
func (s *AccessSet) Allows(r *Route, op *Operation) bool {
	return len(s.scopes) == 0 || s.scopes[r.API] || s.scopes[op.scope]
}

// From reports whether a key may be used from addr.
func (s *AccessSet) From(addr netip.Addr) bool {
	if len(s.Networks) == 0 {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, n := range s.Networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
