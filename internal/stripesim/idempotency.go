package stripesim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"sync"
)

// savedAnswer is the first answer given under an idempotency key.
type savedAnswer struct {
	Key         string
	Fingerprint string // of method, path and parameters
	Status      int
	Body        string
	Created     int64
}

func (a savedAnswer) recordID() string { return "idempotency:" + a.Key }
func (savedAnswer) recordKind() string { return "idempotency" }

// inFlight holds the keys of requests that are executing now.
type inFlight struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (f *inFlight) claim(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[key] {
		return false
	}
	f.keys[key] = true
	return true
}

func (f *inFlight) release(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key)
}

// replay returns the answer saved under the key. Stripe may forget keys after
// 24 hours; here they are always forgotten then, so that nothing relies on them.
func replay(t *tx, key, fingerprint string, now int64) (*answer, *apiError) {
	if key == "" {
		return nil, nil
	}
	saved, ok := find[savedAnswer](t, savedAnswer{Key: key}.recordID())
	if !ok || now-saved.Created >= day {
		return nil, nil
	}
	if saved.Fingerprint != fingerprint {
		return nil, &apiError{
			Status: http.StatusBadRequest, Type: "idempotency_error",
			Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request.",
		}
	}
	return &answer{status: saved.Status, body: []byte(saved.Body), replayed: true}, nil
}

func keyInUse(key string) *apiError {
	return &apiError{
		Status: http.StatusConflict, Type: "idempotency_error", Code: "idempotency_key_in_use",
		Message: "There is currently another in-progress request using this Stripe Idempotency Key: " + key,
	}
}

func requestFingerprint(method, path string, p params) string {
	sum := sha256.Sum256([]byte(method + " " + path + "\n" + p.canonical()))
	return hex.EncodeToString(sum[:])
}

func equalSecret(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
