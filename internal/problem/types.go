package problem

import (
	"slices"
	"strings"
)

// Type is one kind of problem. Its page in the portal explains it.
type Type struct {
	Code    string
	Status  int
	Title   string
	Meaning string // what happened
	Cause   string // the usual reason
	Fix     string // what to do
}

// URL is the address of the type's page, which is also its RFC 9457 identifier.
func (t Type) URL(portalURL string) string {
	return strings.TrimSuffix(portalURL, "/") + "/problems/" + t.Code
}

// ofCalls are the problems that the gateway answers calls with.
var ofCalls = []Type{
	{"missing-key", 401, "No API key", "The call carried no API key.", "The Authorization or X-API-Key header is missing.", "Send your key as “Authorization: Bearer <key>” or “X-API-Key: <key>”."},
	{"ambiguous-key", 400, "More than one API key", "The call carried two different keys, so it is not clear who is calling.", "Both Authorization and X-API-Key are set, with different values.", "Send one key in one header."},
	{"malformed-key", 401, "Malformed API key", "What was sent cannot be one of our keys: its checksum does not match.", "A character was lost or changed while copying, or the value is another service's key.", "Copy the whole key again; it starts with tg_live_ or tg_test_."},
	{"invalid-key", 401, "Invalid API key", "The key is well formed but does not open anything: it is unknown, revoked or expired.", "The key was revoked or replaced, or its expiry has passed.", "Create a key in the console and use that one."},
	{"not-subscribed", 403, "No subscription", "The key is good, but its application has no plan for this API.", "The application never subscribed, or its subscription has ended.", "Choose a plan on the API's page; the same key works at once."},
	{"no-test-mode", 403, "No test mode", "The API takes live keys only.", "The key is a test key, and the API has no upstream for test calls.", "Use a live key."},
	{"operation-not-allowed", 403, "Operation not allowed", "The key is good, but restricted to other operations.", "The key was given scopes, and this operation is not among them.", "Use a key without restrictions, or change the key's scopes in the console."},
	{"address-not-allowed", 403, "Address not allowed", "The key is good, but may not be used from this address.", "The key is restricted to networks, and the call came from another one.", "Call from an allowed network, or change the key's networks in the console."},
	{"payment-required", 402, "Payment required", "The subscription is suspended because an invoice could not be paid.", "The card was declined or has expired.", "Update the card in the console under Billing; calls work again as soon as the invoice is paid."},
	{"unknown-route", 404, "Unknown route", "No published API or operation answers to this method and path.", "A typing error in the path, or a method that the operation does not have.", "Compare method and path with the API's reference."},
	{"bad-path", 400, "Ambiguous path", "The path could mean different things to different programs, so it was refused.", "It contains dot segments, encoded slashes, backslashes, doubled slashes, or a malformed escape or query.", "Send the path in its plain form."},
	{"bad-request", 400, "Malformed request", "The request could not be read.", "A body that does not match its length, or a header that is not allowed.", "Check how the client builds the request."},
	{"body-too-large", 413, "Request body too large", "The body of the request is larger than the API takes.", "It exceeds the size that the message names, counted in bytes as they are sent.", "Send less at once, or compress the body if the API takes that."},
	{"method-not-allowed", 405, "Method not allowed", "The gateway does not forward this method.", "CONNECT, TRACE and unknown methods are refused.", "Use a method that the reference lists."},
	{"rate-limit-exceeded", 429, "Rate limit exceeded", "The application has used all calls that its plan allows in the present window.", "More calls per window than the plan includes.", "Wait for the seconds in Retry-After, or move to a larger plan."},
	{"concurrency-limit-exceeded", 429, "Too many calls at once", "As many calls as the plan allows at once are under way.", "The client starts more calls in parallel than the plan allows.", "Wait for calls to end before starting more, or move to a larger plan."},
	{"too-many-failed-keys", 429, "Too many failed keys", "Too many calls with wrong keys came from this address.", "A client keeps calling with a key that was revoked or mistyped.", "Correct the key, then wait for the seconds in Retry-After."},
	{"quota-exceeded", 429, "Quota exceeded", "The plan's calls for this billing period are used up.", "The plan has a hard quota, and it is spent.", "Move to a larger plan, or wait for the next period; X-Quota-Reset says when it begins."},
	{"balance-exhausted", 429, "Balance used up", "The plan is prepaid, and all calls that were credited are used up.", "More calls than the balance had left.", "Ask for more calls, or move to another plan. Calls work again within seconds of a credit; the console shows the balance under Usage."},
	{"quota-unavailable", 429, "Quota cannot be confirmed", "The gateway could not confirm in time that quota is left.", "The usage database is out of reach or busy.", "Try again after the seconds in Retry-After; the call was not counted."},
	{"metering-unavailable", 503, "Metering unavailable", "The gateway cannot record usage at present, so it forwards nothing that would have to be billed.", "Its disk is full or failing.", "Try again shortly; the operator has been alerted."},
	{"upstream-unreachable", 502, "API unreachable", "The API behind the gateway did not answer.", "It is down, or refused the connection.", "Try again shortly. Calls without an answer are not billed."},
	{"upstream-unavailable", 503, "API unavailable", "The API behind the gateway has failed most calls lately, so the gateway gives it a rest.", "It is down or overloaded.", "Try again after the seconds in Retry-After. The call was not counted."},
	{"upstream-timeout", 504, "API timed out", "The API behind the gateway took too long.", "It is overloaded, or the request is very heavy.", "Try again later, or ask for less at once. Calls without an answer are not billed."},
	{"starting", 503, "Gateway starting", "The gateway has not yet loaded what it needs to decide on calls.", "It was started a moment ago and its database is out of reach.", "Try again in a second."},
}

// Types lists every problem in the order that the portal shows them.
var Types = append(slices.Clip(ofCalls), []Type{
	{"invalid", 422, "Invalid input", "Something in the request is not as it must be.", "The errors member names each field and what is wrong with it.", "Correct the fields and send it again."},
	{"unauthenticated", 401, "Not signed in", "This needs a signed-in person or a verified caller.", "The session has ended, or the call did not come through the gateway.", "Sign in and try again."},
	{"forbidden", 403, "Not allowed", "Your role does not allow this.", "The page or action belongs to another role.", "Ask an owner of your organization."},
	{"not-found", 404, "Not found", "There is nothing at this address, or it is not yours to see.", "A stale link or a typing error.", "Go back and follow a link from there."},
	{"conflict", 409, "Conflict", "The state of things does not allow this.", "Somebody else changed it meanwhile, or it was done already.", "Reload and look again."},
	{"too-large", 413, "Too large", "The request is larger than what is accepted.", "The file or body exceeds the limit named in the message.", "Send less at once."},
	{"too-many-attempts", 429, "Too many attempts", "There were too many failed attempts in a short time.", "Several wrong passwords in a row.", "Wait a little and try again."},
	{"payment-declined", 402, "Payment declined", "The card could not be charged.", "The bank declined the payment.", "Use another card."},
	{"internal", 500, "Something went wrong", "The fault is ours.", "An error that we did not foresee; it has been logged.", "Try again. If it stays, tell us the request id."},
}...)

// OfCalls reports whether the gateway answers calls with t: its body is then a
// CallBody.
func (t Type) OfCalls() bool { return slices.Contains(ofCalls, t) }

// TypeOf finds the type named by code; an unknown code is internal.
func TypeOf(code string) Type {
	for _, t := range Types {
		if t.Code == code {
			return t
		}
	}
	return Types[len(Types)-1]
}
