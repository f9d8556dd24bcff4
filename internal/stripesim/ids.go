package stripesim

import (
	"crypto/rand"
	"math/big"
)

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID returns a random id with Stripe's prefix for the kind of object.
func newID(prefix string) string {
	b := make([]byte, 24)
	n := big.NewInt(int64(len(idAlphabet)))
	for i := range b {
		k, err := rand.Int(rand.Reader, n)
		if err != nil { // crypto/rand never fails on supported systems
			panic("stripesim: no randomness: " + err.Error())
		}
		b[i] = idAlphabet[k.Int64()]
	}
	return prefix + string(b)
}
