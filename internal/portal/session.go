package portal

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"tollgate/internal/portal/request"
	"tollgate/web/static"
)

// sessions gives each request its session. Scripts and styles have none: an
// apology needs its look while no session can be read.
func (s *Server) sessions(next http.Handler) http.Handler {
	with := s.session.LoadAndSave(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, static.Prefix) {
			next.ServeHTTP(w, r)
			return
		}
		with.ServeHTTP(w, r)
	})
}

// sessionFailed answers like any other failure when a session cannot be read or
// written. A session is written when the answer's first byte is: what the
// handler then goes on to send must not follow the apology, unless that is what
// it sends.
func (s *Server) sessionFailed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client left
	}
	if failed, ok := r.Context().Value(keyFailed).(*bool); ok && *failed {
		return
	}
	ctx, loadErr := s.session.Load(r.Context(), "") // an empty one, unless there is one: pages look into it
	if loadErr != nil {
		err = loadErr
	}
	w.Header().Del("Location")
	w.Header().Del("Content-Disposition")
	s.apology.ServeHTTP(w, r.WithContext(context.WithValue(ctx, keyFailure, err)))
	if rec, ok := w.(*statusRecorder); ok {
		rec.answered = true
	}
}

// apologies answers every request with the failure in its context.
func (s *Server) apologies() http.Handler {
	engine := gin.New()
	engine.NoRoute(func(c *gin.Context) {
		ctx := c.Request.Context()
		failure, _ := ctx.Value(keyFailure).(error)
		s.answerError(s.request(c), failure)
	})
	return engine
}

// request wraps c with what the middleware has noted in its context.
func (s *Server) request(c *gin.Context) *request.Request {
	ctx := c.Request.Context()
	r := request.New(c, ctx, s.session)
	r.ID, _ = ctx.Value(keyRequestID).(string)
	r.Nonce, _ = ctx.Value(keyNonce).(string)
	r.Frame = s.frame
	return r
}
