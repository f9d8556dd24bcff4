package stripe

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"
)

const (
	// MaxWebhookBytes is the largest accepted payload.
	MaxWebhookBytes = 64 << 10
	// WebhookTolerance is how far a signature's time may be off, both ways.
	WebhookTolerance = 5 * time.Minute

	maxSignatureHeader = 4 << 10
	maxSignatures      = 16
)

// What can be wrong with a webhook. None of them has an effect; answer 400.
var (
	ErrWebhookTooLarge  = errors.New("stripe: webhook is larger than 64 KB")
	ErrWebhookSignature = errors.New("stripe: webhook has no valid signature")
	ErrWebhookTime      = errors.New("stripe: webhook was not signed within the last or next five minutes")
	ErrWebhookPayload   = errors.New("stripe: webhook is not an event")
)

// Event says that something happened to an object. It is a hint: fetch the
// object before acting on it. Store ID first, deliveries repeat in any order.
type Event struct {
	ID         string
	Type       string
	ObjectType string
	ObjectID   string // empty for the few objects without one
	Created    time.Time
}

// VerifyWebhook checks a delivery's signature and returns its event. header is
// Stripe-Signature. Events of any API version are accepted: only members are
// read that all have.
func (c *Client) VerifyWebhook(payload []byte, header string, now time.Time) (Event, error) {
	if len(payload) > MaxWebhookBytes {
		return Event{}, ErrWebhookTooLarge
	}
	signed, signatures, ok := parseSignature(header)
	if !ok {
		return Event{}, ErrWebhookSignature
	}
	// Signature first: the time is only worth something once it is authentic.
	want := webhook.ComputeSignature(signed, payload, c.webhookSecret)
	valid := false
	for _, got := range signatures {
		valid = hmac.Equal(want, got) || valid
	}
	if !valid || c.webhookSecret == "" {
		return Event{}, ErrWebhookSignature
	}
	if age := now.Sub(signed); age > WebhookTolerance || age < -WebhookTolerance {
		return Event{}, ErrWebhookTime
	}
	return parseEvent(payload)
}

// parseSignature reads t=…,v1=…,v1=…. There are several v1 while a secret is
// being replaced; other schemes are passed over.
func parseSignature(header string) (at time.Time, signatures [][]byte, ok bool) {
	if len(header) > maxSignatureHeader {
		return time.Time{}, nil, false
	}
	times := 0
	for part := range strings.SplitSeq(header, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found {
			return time.Time{}, nil, false
		}
		switch name {
		case "t":
			sec, err := strconv.ParseInt(value, 10, 64)
			if err != nil || sec < 0 || strconv.FormatInt(sec, 10) != value {
				return time.Time{}, nil, false
			}
			at = time.Unix(sec, 0)
			times++
		case "v1":
			if sig, err := hex.DecodeString(value); err == nil && len(signatures) < maxSignatures {
				signatures = append(signatures, sig)
			}
		}
	}
	return at, signatures, times == 1 && len(signatures) > 0
}

func parseEvent(payload []byte) (Event, error) {
	var raw struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Type    string `json:"type"`
		Created int64  `json:"created"`
		Data    struct {
			Object struct {
				ID     string `json:"id"`
				Object string `json:"object"`
			} `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(payload, &raw); err != nil {
		return Event{}, errors.Join(ErrWebhookPayload, err)
	}
	if raw.Object != "event" || checkID("event", "evt_", raw.ID) != nil || raw.Type == "" || raw.Data.Object.Object == "" {
		return Event{}, ErrWebhookPayload
	}
	return Event{
		ID: raw.ID, Type: raw.Type, ObjectType: raw.Data.Object.Object,
		ObjectID: raw.Data.Object.ID, Created: time.Unix(raw.Created, 0).UTC(),
	}, nil
}
