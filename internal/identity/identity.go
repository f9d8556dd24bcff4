// Package identity is how an upstream learns, beyond doubt, who called through
// the gateway: a short statement signed by the gateway, good for at most a minute.
package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Header carries the signed caller. Clients cannot send it through the gateway.
const Header = "Tollgate-Identity"

// Lifetime is how long a statement is believed.
const Lifetime = time.Minute

// Caller is who made a call.
type Caller struct {
	Organization uuid.UUID `json:"org"`
	Application  uuid.UUID `json:"app"`
	Subscription uuid.UUID `json:"sub"`
	Key          uuid.UUID `json:"key"`
	Mode         string    `json:"mode"`
	Expires      int64     `json:"exp"` // seconds since the epoch, real time
}

// ErrInvalid says that a statement was not signed by our gateway, or is too old.
var ErrInvalid = errors.New("the caller's identity was not signed by the gateway, or is too old")

// Sign makes the header's value. The secret has at least 16 bytes.
func Sign(secret []byte, c Caller, now time.Time) string {
	c.Expires = now.Add(Lifetime).Unix()
	body, _ := json.Marshal(c) // strings and numbers always marshal
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac(secret, text))
}

// Verify reads a header's value.
func Verify(secret []byte, value string, now time.Time) (Caller, error) {
	text, sum, ok := strings.Cut(value, ".")
	given, err := base64.RawURLEncoding.DecodeString(sum)
	if !ok || err != nil || len(secret) == 0 || !hmac.Equal(given, mac(secret, text)) {
		return Caller{}, ErrInvalid
	}
	var c Caller
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(body, &c) != nil {
		return Caller{}, ErrInvalid
	}
	if left := time.Unix(c.Expires, 0).Sub(now); left <= 0 || left > Lifetime+time.Second {
		return Caller{}, ErrInvalid
	}
	return c, nil
}

func mac(secret []byte, text string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("tollgate identity\n" + text))
	return m.Sum(nil)
}
