package portal

import (
	"context"

	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/problem"
)

type ctxKey int

const (
	keyRequestID ctxKey = iota
	keyNonce
	keyRoute
	keyFailed  // *bool: whether the request's one failure has been logged
	keyFailure // error: to apologize for
)

// observe gives each request an id, logs it, and turns a panic into a plain 500.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, started, route := uuid.Must(uuid.NewV7()).String(), s.clock.Real(), new(string)
		w.Header().Set("X-Request-Id", id)
		ctx := context.WithValue(r.Context(), keyRequestID, id)
		ctx = context.WithValue(ctx, keyRoute, route)
		ctx = context.WithValue(ctx, keyFailed, new(bool))
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			p := recover()
			if err, cut := p.(error); cut && errors.Is(err, http.ErrAbortHandler) {
				s.logger.Warn("an answer was cut short", "request_id", id, "error", err)
				panic(http.ErrAbortHandler) // the server closes the connection
			}
			if p != nil {
				s.logger.Error("panic", "request_id", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if !rec.wrote {
					http.Error(rec, "Something went wrong on our side. Request id: "+id, http.StatusInternalServerError)
				}
			}
			took := s.clock.Real().Sub(started)
			s.requests.WithLabelValues(*route, strconv.Itoa(rec.status)).Observe(took.Seconds())
			s.logger.Info("request", "request_id", id, "method", r.Method, "route", *route, "status", rec.status, "ms", took.Milliseconds())
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status   int
	wrote    bool
	answered bool // what comes now is dropped: another answer has been sent
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	if r.answered {
		return
	}
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *statusRecorder) Write(b []byte) (int, error) {
	if r.answered {
		return len(b), nil
	}
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// secure sets the content security policy with a fresh nonce, and its companions.
func (s *Server) secure(next http.Handler) http.Handler {
	forms := strings.Join(append([]string{"'self'"}, s.cfg.FormTargets...), " ")
	tls := strings.HasPrefix(s.cfg.PublicURL, "https://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw := make([]byte, 16)
		_, _ = rand.Read(raw) // never fails, see crypto/rand
		nonce := base64.RawStdEncoding.EncodeToString(raw)
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'nonce-"+nonce+"'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "+
			"form-action "+forms+"; base-uri 'none'; object-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if tls {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyNonce, nonce)))
	})
}

// webhookPath is the one address that other sites post to; it checks a signature.
const webhookPath = "/webhooks/stripe"

// sameOrigin refuses state-changing requests that another site's page made.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.renderError(w, r, problem.Forbidden("This form was sent from another site. Open the page here and send it again."))
	}))
	protected := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == webhookPath {
			next.ServeHTTP(w, r)
			return
		}
		if unsafe(r.Method) && r.Header.Get("Origin") == "null" {
			s.renderError(w, r, problem.Forbidden("This form was sent from a place that hides its origin. Open the page here and send it again."))
			return
		}
		protected.ServeHTTP(w, r)
	})
}

func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}
