package stripesim

import (
	"net/http"
	"sync"
)

const maxRecorded = 5000

// recordedRequest is one API request and its answer, without the API key.
type recordedRequest struct {
	Method         string `json:"method"`
	Path           string `json:"path"`
	Query          string `json:"query,omitempty"`
	Body           string `json:"body,omitempty"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	Version        string `json:"version,omitempty"`
	Status         int    `json:"status"` // 0: the connection was dropped
	Answer         string `json:"answer,omitempty"`
}

// recorder keeps the newest maxRecorded requests, oldest first.
type recorder struct {
	mu   sync.Mutex
	list []recordedRequest
}

func (rec *recorder) add(r *http.Request, body string, a *answer) {
	q := recordedRequest{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: body,
		IdempotencyKey: r.Header.Get("Idempotency-Key"), Version: r.Header.Get("Stripe-Version"),
	}
	if a != nil {
		q.Status, q.Answer = a.status, string(a.body)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.list) >= maxRecorded {
		rec.list = append(rec.list[:0:0], rec.list[len(rec.list)-maxRecorded/2:]...)
	}
	rec.list = append(rec.list, q)
}

func (rec *recorder) all() []recordedRequest {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]recordedRequest{}, rec.list...)
}

func (rec *recorder) clear() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.list = nil
}
