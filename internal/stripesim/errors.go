package stripesim

import "net/http"

// obj is a JSON object of an answer.
type obj = map[string]any

// apiError is a failure in Stripe's shape.
type apiError struct {
	Status      int
	Type        string
	Code        string
	DeclineCode string
	Message     string
	Param       string
	Charge      string
	Extra       obj // further members of "error", such as payment_intent

	// keepEffects commits what the handler did before it failed: a declined
	// payment leaves a failed charge behind.
	keepEffects bool
	// unsaved marks failures that Stripe does not remember under the
	// idempotency key, because the endpoint never began to execute.
	unsaved bool
}

func (e *apiError) body() obj {
	inner := obj{"type": e.Type, "message": e.Message}
	for name, v := range map[string]string{
		"code": e.Code, "param": e.Param, "decline_code": e.DeclineCode, "charge": e.Charge,
	} {
		if v != "" {
			inner[name] = v
		}
	}
	for name, v := range e.Extra {
		inner[name] = v
	}
	return obj{"error": inner}
}

func invalid(code, message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: code, Message: message}
}

func invalidParam(param, message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: message, Param: param, unsaved: true}
}

// missing is the answer for an id in the path that does not exist.
func missing(kind, id string) *apiError {
	return &apiError{
		Status: http.StatusNotFound, Type: "invalid_request_error", Code: "resource_missing",
		Message: "No such " + kind + ": '" + id + "'", Param: "id",
	}
}

// missingParam is the answer for an id in a parameter that does not exist.
func missingParam(kind, param, id string) *apiError {
	e := missing(kind, id)
	e.Status, e.Param = http.StatusBadRequest, param
	return e
}

func unauthorized(message string) *apiError {
	return &apiError{Status: http.StatusUnauthorized, Type: "invalid_request_error", Message: message, unsaved: true}
}

func internalError() *apiError {
	return &apiError{Status: http.StatusInternalServerError, Type: "api_error", Message: "An unknown error occurred."}
}
