package stripe

import (
	"context"
	"slices"
	"strings"

	stripego "github.com/stripe/stripe-go/v76"
)

const (
	maxKeyLength   = 255
	maxDescription = 5000
	maxMetaKey     = 40
	maxMetaValue   = 500
)

// write makes the common parameters of a call that changes something. The key
// must be explicit: the SDK would send a random one, or none.
func write(ctx context.Context, key string) (stripego.Params, error) {
	switch {
	case key == "":
		return stripego.Params{}, invalid("idempotency_key", "an idempotency key is required")
	case len(key) > maxKeyLength:
		return stripego.Params{}, invalid("idempotency_key", "an idempotency key has at most 255 characters")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return stripego.Params{}, invalid("idempotency_key", "an idempotency key is made of visible ASCII characters")
	}
	return stripego.Params{Context: ctx, IdempotencyKey: stripego.String(key)}, nil
}

// checkID refuses ids of another kind. An empty one would turn a call for one
// object into a call for all.
func checkID(param, prefix, id string) error {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || rest == "" || strings.ContainsFunc(rest, notIDRune) {
		return invalid(param, "expected an id that starts with "+prefix)
	}
	return nil
}

func notIDRune(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_'
}

// currencyCode returns the code in Stripe's spelling.
func currencyCode(code string) (string, error) {
	code = strings.ToLower(code)
	if len(code) != 3 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", invalid("currency", "expected a three-letter currency code")
	}
	return code, nil
}

var threeDecimal = []string{"bhd", "jod", "kwd", "omr", "tnd"}

func checkAmount(amount int64, currency string) error {
	if slices.Contains(threeDecimal, currency) && amount%10 != 0 {
		return invalid("amount", "amounts in "+currency+" must end in 0")
	}
	return nil
}

func checkText(param, text string) error {
	if len(text) > maxDescription {
		return invalid(param, "at most 5000 characters are possible")
	}
	return nil
}

func checkMetadata(meta map[string]string) error {
	for k, v := range meta {
		if k == "" || len(k) > maxMetaKey || strings.ContainsAny(k, "[]") || len(v) > maxMetaValue {
			return invalid("metadata", "a key has 1 to 40 characters without brackets, a value at most 500")
		}
	}
	return nil
}

// firstError returns the first of several checks that failed.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// optional is nil for an empty text, so that it is not sent at all.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return stripego.String(s)
}
