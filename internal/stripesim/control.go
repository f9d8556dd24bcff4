package stripesim

import (
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// onlyLoopback hides a handler from everybody but this machine's own programs
// that address it by a loopback name: a page in a browser cannot reach it
// through a name that it controls.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		remote, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !isLoopback(remote) || (host != "localhost" && !isLoopback(host)) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// control is the API under /_sim/ by which tests arrange failures, look at
// what was asked, and deliver events when and as often as they like.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/requests", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.recorder.all()) })
	mux.HandleFunc("DELETE /_sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.recorder.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_sim/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.faults.pending()) })
	mux.HandleFunc("POST /_sim/faults", s.postFault)
	mux.HandleFunc("DELETE /_sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.faults.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_sim/deliveries", s.getDeliveries)
	mux.HandleFunc("POST /_sim/webhooks", s.postWebhooks)
	mux.HandleFunc("POST /_sim/deliver", s.postDeliver)
	return onlyLoopback(http.NewCrossOriginProtection().Handler(mux))
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) {
	var f fault
	if !readJSON(w, r, &f) {
		return
	}
	if err := f.validate(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.faults.add(f)
	w.WriteHeader(http.StatusNoContent)
}

// deliveryView is what the control API shows of a delivery.
type deliveryView struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	Attempts   int    `json:"attempts"`
	LastStatus int    `json:"last_status"`
	LastError  string `json:"last_error,omitempty"`
}

func (s *Server) getDeliveries(w http.ResponseWriter, _ *http.Request) {
	out := []deliveryView{}
	s.store.view(func(t *tx) {
		each(t, func(d delivery) bool {
			out = append(out, deliveryView(d))
			return true
		})
	})
	writeJSON(w, out)
}

// postWebhooks holds deliveries back, releases them, or changes the endpoint.
func (s *Server) postWebhooks(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Hold   *bool   `json:"hold"`
		URL    *string `json:"url"`
		Secret string  `json:"secret"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if in.URL != nil {
		if err := s.SetWebhook(*in.URL, in.Secret); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if in.Hold != nil {
		s.webhooks.hold(*in.Hold)
	}
	w.WriteHeader(http.StatusNoContent)
}

// postDeliver sends the named events now, one after another in the given
// order, each as often as it is named, and answers with the statuses.
func (s *Server) postDeliver(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Events  []string `json:"events"`
		DelayMS int      `json:"delay_ms"` // before each
	}
	if !readJSON(w, r, &in) {
		return
	}
	if in.DelayMS < 0 || in.DelayMS > maxFaultDelay {
		http.Error(w, "delay_ms is out of range", http.StatusBadRequest)
		return
	}
	type result struct {
		Event  string `json:"event"`
		Status int    `json:"status"`
		Error  string `json:"error,omitempty"`
	}
	out := []result{}
	pause := fault{Kind: "delay", DelayMS: in.DelayMS}
	for _, id := range in.Events {
		pause.wait(r.Context())
		status, err := s.post(r.Context(), id)
		res := result{Event: id, Status: status}
		if err != nil {
			res.Error = err.Error()
		}
		out = append(out, res)
	}
	writeJSON(w, out)
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}

// clock is the account's time.
func (s *Server) clock() time.Time { return s.cfg.Now() }
