package stripesim

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// accountVersion is the version in which the account answers when a request
// names none, and in which events are rendered.
const accountVersion = "2023-10-16"

// modernFrom is the version that took many invoice members away.
const modernFrom = "2025-03-31"

const maxRequestBody = 1 << 20

// call is one API request inside its transaction.
type call struct {
	*tx
	s    *Server
	p    params
	id   string // the path's {id}
	now  int64  // seconds since 1970
	view viewer
	req  eventRequest
}

// viewer renders stored objects in one API version.
type viewer struct {
	public string // where hosted pages are
	modern bool   // modernFrom or later
}

// endpoint is one API operation. params lists the top-level parameters that
// it understands: all others are refused.
type endpoint struct {
	handle func(*call) (obj, *apiError)
	params []string
}

// answer is what goes back to the client.
type answer struct {
	status   int
	body     []byte
	replayed bool
}

func (s *Server) serveAPI(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		requestID := newID("req_")
		w.Header().Set("Request-Id", requestID)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		if err != nil {
			writeAnswer(w, errorAnswer(invalidParam("", "The request's body could not be read.")))
			return
		}
		version := r.Header.Get("Stripe-Version")
		if version == "" {
			version = accountVersion
		}
		w.Header().Set("Stripe-Version", version)
		a := s.serve(r, string(body), e, requestID, version)
		s.recorder.add(r, string(body), a)
		if a == nil {
			panic(http.ErrAbortHandler) // closes the connection without an answer
		}
		writeAnswer(w, a)
	}
}

// serve answers one request, or returns nil to drop its connection.
func (s *Server) serve(r *http.Request, body string, e endpoint, requestID, version string) *answer {
	if e := s.authenticate(r); e != nil {
		return errorAnswer(e)
	}
	p, fail := requestParams(r, body)
	if fail != nil {
		return errorAnswer(fail)
	}
	fault := s.faults.take(r.Method, r.URL.Path)
	if a, stop := fault.before(); stop {
		return a
	}
	key := ""
	if r.Method == http.MethodPost {
		key = r.Header.Get("Idempotency-Key")
	}
	if len(key) > 255 {
		return errorAnswer(invalidParam("", "Idempotency keys have at most 255 characters."))
	}
	if key != "" {
		if !s.idem.claim(key) {
			return errorAnswer(keyInUse(key))
		}
		defer s.idem.release(key)
	}
	fault.wait(r.Context())
	c := &call{
		s: s, p: p, id: r.PathValue("id"), now: s.cfg.Now().Unix(),
		view: viewer{public: s.cfg.PublicURL, modern: version >= modernFrom},
		req:  eventRequest{ID: requestID, Key: key},
	}
	fingerprint := requestFingerprint(r.Method, r.URL.Path, p)
	a := s.execute(c, e, fingerprint, fault)
	if fault.dropsAfter() {
		return nil
	}
	return a
}

// execute runs the endpoint and stores its effects together with the answer
// that the idempotency key will replay.
func (s *Server) execute(c *call, e endpoint, fingerprint string, f fault) *answer {
	var a *answer
	err := s.store.update(func(t *tx) bool {
		c.tx = t
		if saved, fail := replay(t, c.req.Key, fingerprint, c.now); fail != nil {
			a = errorAnswer(fail)
			return false
		} else if saved != nil {
			a = saved
			return false
		}
		fail := c.p.refuseUnknown(e.params)
		var out obj
		if fail == nil {
			out, fail = e.handle(c)
		}
		if fail == nil {
			fail = c.expand(out)
		}
		if fail != nil {
			a = errorAnswer(fail)
			if !fail.keepEffects {
				c.rollback()
			}
		} else {
			a = jsonAnswer(http.StatusOK, out)
		}
		if forced := f.after(); forced != nil {
			a = forced
		}
		if c.req.Key != "" && (fail == nil || !fail.unsaved) {
			t.put(savedAnswer{Key: c.req.Key, Fingerprint: fingerprint, Status: a.status, Body: string(a.body), Created: c.now})
		}
		return true
	})
	if err != nil {
		s.cfg.Logger.Error("simulated Stripe could not store a change", slog.Any("error", err))
		return errorAnswer(internalError())
	}
	s.webhooks.nudge()
	return a
}

func (s *Server) authenticate(r *http.Request) *apiError {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if user, _, basic := r.BasicAuth(); basic {
		key, ok = user, true
	}
	if !ok || key == "" {
		return unauthorized("You did not provide an API key.")
	}
	if !equalSecret(key, s.cfg.SecretKey) {
		return unauthorized("Invalid API Key provided: " + key[:min(len(key), 8)] + "***")
	}
	return nil
}

func requestParams(r *http.Request, body string) (params, *apiError) {
	query, fail := parseParams(r.URL.RawQuery)
	if fail != nil {
		return params{}, fail
	}
	form, fail := parseParams(body)
	if fail != nil {
		return params{}, fail
	}
	return query.merge(form), nil
}

func unknownPath(*call) (obj, *apiError) {
	e := invalid("", "Unrecognized request URL. This simulation covers a part of Stripe's API only.")
	e.Status = http.StatusNotFound
	return nil, e
}

func jsonAnswer(status int, body obj) *answer {
	raw, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return errorAnswer(internalError())
	}
	return &answer{status: status, body: raw}
}

func errorAnswer(e *apiError) *answer { return jsonAnswer(e.Status, e.body()) }

func writeAnswer(w http.ResponseWriter, a *answer) {
	if a.replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that went away needs no answer
}

// unix renders a moment that may not have come.
func unix(sec int64) any {
	if sec == 0 {
		return nil
	}
	return sec
}

// orNull renders an id or text that may be absent.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

const day = int64(24 * time.Hour / time.Second)
