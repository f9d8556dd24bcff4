// Package keys holds the API keys of applications: made, shown once, rotated
// with an overlap, revoked.
package keys

import (
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
	Name string
	Mode token.Mode
}

// Validate reports what is wrong, field by field.
func (k NewKey) Validate() error {
	v := problem.Invalid{}
	v.Check(strings.TrimSpace(k.Name) != "", "name", "Give the key a name, so that you know it again.")
	v.Check(len(k.Name) <= 80, "name", "Use at most 80 characters.")
	v.Check(k.Mode.Valid(), "mode", "Choose live or test.")
	return v.Err()
}

// MaxOverlap is how long an old key may stay valid after rotation.
const MaxOverlap = 30 * 24 * time.Hour
