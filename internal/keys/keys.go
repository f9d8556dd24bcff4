// Package keys holds the API keys of applications: made, shown once, rotated
// with an overlap, revoked.
package keys

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
	"tollgate/internal/problem"
)

// Key is an API key as it is stored: without the key.
type Key struct {
	ID            uuid.UUID
	OrgID         uuid.UUID
	ApplicationID uuid.UUID
	Name          string
	Mode          token.Mode
	Display       string
	Hash          []byte
	CreatedAt     time.Time
	ExpiresAt     *time.Time
	RevokedAt     *time.Time
	Replaced      bool           // rotated: ExpiresAt is the end of the overlap
	Scopes        []string       // APIs ("shop") and operations ("shop/list-things") that it may call; none: all
	Networks      []netip.Prefix // that it may be used from; none: all
}

// Works reports whether calls with k are accepted at a moment.
func (k Key) Works(at time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || at.Before(*k.ExpiresAt))
}

// Listed is a key with its last use, which comes from metering.
type Listed struct {
	Key
	LastUsedAt     *time.Time
	LastStatus     int
	LastDurationUs int64
}

// NewKey is what somebody types to make a key.
type NewKey struct {
	Name      string
	Mode      token.Mode
	ExpiresAt *time.Time     // nil: never
	Scopes    []string       // as in Key
	Networks  []netip.Prefix // as in Key; ParseNetworks reads them
}

const (
	maxScopes   = 100
	maxNetworks = 50
)

var scopePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}(/[A-Za-z0-9._~-]{1,200})?$`)

// Validate reports what is wrong, field by field.
func (k NewKey) Validate() error {
	v := problem.Invalid{}
	v.Check(strings.TrimSpace(k.Name) != "", "name", "Give the key a name, so that you know it again.")
	v.Check(len(k.Name) <= 80, "name", "Use at most 80 characters.")
	v.Check(k.Mode.Valid(), "mode", "Choose live or test.")
	v.Check(len(k.Scopes) <= maxScopes, "scopes", "Choose at most %d APIs and operations.", maxScopes)
	for _, s := range k.Scopes {
		v.Check(scopePattern.MatchString(s), "scopes", "“%s” names no operation. Write the API and the operation as their pages' addresses do, such as shop/list-things.", s)
	}
	v.Check(len(k.Networks) <= maxNetworks, "networks", "Give at most %d networks.", maxNetworks)
	return v.Err()
}

// MaxOverlap is how long an old key may stay valid after rotation.
const MaxOverlap = 30 * 24 * time.Hour

// MaxLifetime is how far in the future a key may expire.
const MaxLifetime = 10 * 366 * 24 * time.Hour

// ParseNetworks reads networks and single addresses of both families, separated
// by white space or commas. Errors name the field networks.
func ParseNetworks(text string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	v := problem.Invalid{}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		p, wrong := parseNetwork(word)
		v.Check(wrong == "", "networks", "%s", wrong)
		out = append(out, p)
	}
	return out, v.Err()
}

// parseNetwork reads one network; wrong says what is wrong with it.
func parseNetwork(word string) (p netip.Prefix, wrong string) {
	p, err := netip.ParsePrefix(word)
	if addr, single := netip.ParseAddr(word); err != nil && single == nil && addr.Zone() == "" {
		p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return p, "“" + printable(word) + "” is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32."
	case p.Addr().Is4In6():
		return p, printable(word) + " is an IPv4 address in IPv6 form. Write it as IPv4, such as 192.0.2.0/24."
	case p != p.Masked():
		return p, printable(word) + " names an address within a network. Write " + p.Masked().String() + " for the network, or " + p.Addr().String() + " for the address alone."
	}
	return p, ""
}

func printable(word string) string { return word[:min(len(word), 60)] }
