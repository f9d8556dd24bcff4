package stripe

import (
	"errors"
	"fmt"
	"net/http"

	stripego "github.com/stripe/stripe-go/v76"
)

// Kind is what a failed call means to its caller.
type Kind string

const (
	// Declined means that the bank refused the payment. Nothing was charged. The answer
	// is final for its key: another attempt needs a new key.
	Declined Kind = "declined"
	// Invalid means that the request is wrong, or the object is not in a state for it.
	// Nothing happened. Repeating cannot help.
	Invalid Kind = "invalid"
	// RateLimited means that nothing happened: repeat later with the same key.
	RateLimited Kind = "rate_limited"
	// Unknown means that it may or may not have happened. Repeat with the same key;
	// when Error.Replayed is set, look the object up first and use a new key.
	Unknown Kind = "unknown"
	// NotFound means that what the call names does not exist.
	NotFound Kind = "not_found"
	// Auth means that the key is wrong or may not do this. Nothing happened.
	Auth Kind = "auth"
)

// Error is a failed call. Message comes from Stripe and is for staff; it may
// be shown to the customer when Kind is Declined.
type Error struct {
	Kind        Kind
	Code        string // Stripe's code, for example card_declined
	DeclineCode string // the bank's reason, when there is one
	Message     string
	Param       string // the parameter that is wrong
	RequestID   string // Stripe's id of the request
	Status      int    // HTTP status, 0 without an answer
	// Replayed: Stripe repeated the answer that it gave to this key before.
	// The key is used up.
	Replayed bool

	cause error
}

// Error describes the failure without parameters or secrets.
func (e *Error) Error() string {
	s := fmt.Sprintf("stripe: %s", e.Kind)
	for _, part := range []string{e.Code, e.DeclineCode, e.Message} {
		if part != "" {
			s += ": " + part
		}
	}
	if e.RequestID != "" {
		s += " (" + e.RequestID + ")"
	}
	return s
}

// Unwrap returns the network or context error behind an Unknown outcome.
func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of a failed call, or "" for other errors and nil.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

func invalid(param, message string) error {
	return &Error{Kind: Invalid, Code: "local_check", Param: param, Message: message}
}

// wrap turns the SDK's errors into ours. Whatever is no clear refusal by
// Stripe counts as an unknown outcome.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	se, ok := errors.AsType[*stripego.Error](err)
	if !ok {
		return &Error{Kind: Unknown, Code: "no_answer", Message: "Stripe gave no usable answer", cause: err}
	}
	out := &Error{
		Kind: kindOf(se), Code: string(se.Code), DeclineCode: string(se.DeclineCode),
		Message: se.Msg, Param: se.Param, RequestID: se.RequestID, Status: se.HTTPStatusCode,
	}
	if out.Code == "" {
		out.Code = string(se.Type)
	}
	if se.LastResponse != nil {
		out.Replayed = se.LastResponse.Header.Get("Idempotent-Replayed") == "true"
	}
	return out
}

func kindOf(e *stripego.Error) Kind {
	switch e.HTTPStatusCode {
	case http.StatusPaymentRequired:
		return Declined
	case http.StatusUnauthorized, http.StatusForbidden:
		return Auth
	case http.StatusNotFound:
		return NotFound
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusConflict, http.StatusRequestTimeout:
		return Unknown // the first request with this key is still at work
	}
	if e.HTTPStatusCode >= 400 && e.HTTPStatusCode < 500 {
		return Invalid
	}
	return Unknown
}
