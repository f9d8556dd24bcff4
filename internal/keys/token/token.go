// Package token is the format of an API key: how one is made, checked without a
// lookup, and hashed for storage.
//
//	tg_live_<30 random characters><6 characters of checksum>
//
// The prefix makes leaked keys easy to find by scanners; 30 base62 characters
// carry 178 random bits.
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
)

// Mode says whether calls with a key are billed.
type Mode string

// Live calls are metered and billed; Test calls have their own limits and are never billed.
const (
	Live Mode = "live"
	Test Mode = "test"
)

// Valid reports whether m is a mode.
func (m Mode) Valid() bool { return m == Live || m == Test }

const (
	brand       = "tg"
	randomLen   = 30
	checksumLen = 6
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Length is the number of characters of every key.
const Length = len(brand) + len("_live_") + randomLen + checksumLen

// Hash is a key as it is stored: HMAC-SHA-256 under the pepper.
type Hash [sha256.Size]byte

// ErrMalformed says that a string cannot be a key of ours.
var ErrMalformed = errors.New("not a Tollgate key: its form or checksum is wrong")

// Mint makes a new key. It is shown once and never stored.
func Mint(mode Mode) string {
	body := brand + "_" + string(mode) + "_" + randomText()
	sum := checksumOf(body)
	return body + string(sum[:])
}

// Check reports the mode of a well-formed key, without any lookup.
func Check(key string) (Mode, error) {
	if len(key) != Length || !strings.HasPrefix(key, brand+"_") {
		return "", ErrMalformed
	}
	mode := Mode(key[len(brand)+1 : len(brand)+5])
	body := key[:Length-checksumLen]
	if !mode.Valid() || body[len(brand)+5] != '_' || checksumOf(body) != [checksumLen]byte([]byte(key[Length-checksumLen:])) {
		return "", ErrMalformed
	}
	return mode, nil
}

// Sum hashes key under pepper.
func Sum(pepper []byte, key string) Hash { return NewHasher(pepper).Sum(key) }

// Hasher hashes many keys under one pepper.
type Hasher struct{ states sync.Pool }

// NewHasher makes a hasher.
func NewHasher(pepper []byte) *Hasher {
	pepper = slices.Clone(pepper)
	return &Hasher{states: sync.Pool{New: func() any { return &hashing{mac: hmac.New(sha256.New, pepper)} }}}
}

// hashing keeps everything that one sum needs, so that none is allocated.
type hashing struct {
	mac hash.Hash
	key [Length]byte
	sum [sha256.Size]byte
}

// Sum hashes key. It may be called from several goroutines at once.
func (h *Hasher) Sum(key string) Hash {
	s := h.states.Get().(*hashing)
	defer h.states.Put(s)
	s.mac.Reset()
	s.mac.Write(append(s.key[:0], key...))
	s.mac.Sum(s.sum[:0])
	return s.sum
}

// Display is what may be shown of a key later: its prefix and last four characters.
func Display(key string) string {
	return key[:len(brand)+6] + "…" + key[len(key)-4:]
}

// randomText draws uniformly: bytes that would favour some characters are thrown away.
func randomText() string {
	out := make([]byte, 0, randomLen)
	buf := make([]byte, randomLen*2)
	for {
		_, _ = rand.Read(buf) // never fails, see crypto/rand
		for _, b := range buf {
			if int(b) >= len(alphabet)*(256/len(alphabet)) {
				continue
			}
			if out = append(out, alphabet[int(b)%len(alphabet)]); len(out) == randomLen {
				return string(out)
			}
		}
	}
}

// checksumOf is the CRC-32 of body in six base62 digits.
func checksumOf(body string) (out [checksumLen]byte) {
	sum := crc32.ChecksumIEEE([]byte(body))
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = alphabet[sum%62]
		sum /= 62
	}
	return out
}
