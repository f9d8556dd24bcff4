package request

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
)

// Keep stores a value in the session until Take reads it: a secret that is
// shown on the next page and never again. It is sealed with the session's
// token, of which the database has only a hash.
func (r *Request) Keep(name, value string) {
	aead := r.sealer()
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails, see crypto/rand
	r.session.Put(r.ctx, name, aead.Seal(nonce, nonce, []byte(value), []byte(name)))
}

// Take reads a kept value and forgets it.
func (r *Request) Take(name string) string {
	aead, sealed := r.sealer(), r.session.PopBytes(r.ctx, name)
	if len(sealed) < aead.NonceSize() {
		return ""
	}
	value, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(name))
	if err != nil {
		return "" // sealed by another session
	}
	return string(value)
}

// sealer is AES-256-GCM under a key derived from the session's token.
func (r *Request) sealer() cipher.AEAD {
	key := sha256.Sum256([]byte("kept until the next page\n" + r.session.Token(r.ctx)))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes is always accepted
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM needs
	}
	return aead
}
