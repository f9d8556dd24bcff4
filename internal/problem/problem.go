// Package problem is how Tollgate says that something went wrong: an error with
// a code and a sentence that a customer may read, written as RFC 9457 problem
// JSON by APIs and as a page by the portal. Any other error is internal: it is
// logged once at the edge and shown as a plain apology with the request id.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error that a customer may read.
type Error struct {
	Code    string            // names a Type
	Message string            // one sentence: what was wrong and what to do
	Fields  map[string]string // form field → what is wrong with it
	cause   error
}

// Error implements error.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

// Unwrap gives the cause, which is logged and never shown.
func (e *Error) Unwrap() error { return e.cause }

// Status is the HTTP status of the error's type.
func (e *Error) Status() int { return TypeOf(e.Code).Status }

// Because returns a copy of e that carries the internal cause.
func (e *Error) Because(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// New makes an error of the type named by code.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFound says that a thing is not there, or not for this caller to see.
func NotFound(what string) *Error { return New("not-found", "There is no such %s.", what) }

// Conflict says that the state of things forbids the request.
func Conflict(format string, args ...any) *Error { return New("conflict", format, args...) }

// Forbidden says that the caller is known and may not do this.
func Forbidden(format string, args ...any) *Error { return New("forbidden", format, args...) }

// As finds the customer-readable error in err; anything else is internal.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "internal", Message: "Something went wrong on our side. Please try again.", cause: err}
}

// Is reports whether err is of the type named by code.
func Is(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// Invalid collects what is wrong with an input, field by field.
type Invalid map[string]string

// Check notes message against field unless ok; the first message of a field stays.
func (v Invalid) Check(ok bool, field, format string, args ...any) {
	if _, known := v[field]; !ok && !known {
		v[field] = fmt.Sprintf(format, args...)
	}
}

// Err is nil when nothing is wrong.
func (v Invalid) Err() error {
	if len(v) == 0 {
		return nil
	}
	return &Error{Code: "invalid", Message: "Please correct the marked fields.", Fields: v}
}

// Body is the problem JSON of RFC 9457, section 3.1, with Tollgate's members.
type Body struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail"`
	Code      string            `json:"code"`
	RequestID string            `json:"request_id,omitempty"`
	Errors    map[string]string `json:"errors,omitempty"`
}

// CallBody is the problem JSON of a call that the gateway did not forward or got
// no answer to. The members error and retry_after are there for clients that
// know no problem JSON; the last three stand only where a limit refused.
type CallBody struct {
	Body
	Error      string `json:"error"`
	RetryAfter int64  `json:"retry_after,omitempty"` // seconds
	Policy     string `json:"policy,omitempty"`      // such as 10 calls per second
	PlanURL    string `json:"plan_url,omitempty"`    // where larger plans are
}

// Body renders e; portalURL is where the type's page lives.
func (e *Error) Body(portalURL, requestID string) Body {
	t := TypeOf(e.Code)
	return Body{Type: t.URL(portalURL), Title: t.Title, Status: t.Status, Detail: e.Message, Code: t.Code, RequestID: requestID, Errors: e.Fields}
}

// Write answers w with body, which is a Body or embeds one.
func Write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // no browser reads this as HTML: the type says what it is
	_ = enc.Encode(body)     // the client went away: nothing to tell it
}

// TypeTitle is the title of e's type.
func (e *Error) TypeTitle() string { return TypeOf(e.Code).Title }
