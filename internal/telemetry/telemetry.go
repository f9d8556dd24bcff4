// Package telemetry is how an operator sees inside a program: structured logs,
// metrics, and the health of each part on a private listener. Nothing here is
// global: each program makes its own.
package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewLogger writes JSON lines to w, each with the program's name.
func NewLogger(w io.Writer, level slog.Level, program string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})).With("program", program)
}

// NewRegistry makes a metrics registry with the Go runtime's figures.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// State of a part.
type State string

// The states, from good to bad. Degraded still serves.
const (
	Healthy  State = "healthy"
	Degraded State = "degraded"
	Down     State = "down"
)

// Part is something that can be asked how it is.
type Part struct {
	Name  string
	Check func(context.Context) (State, string) // and a sentence for the operator
}

// PartStatus is a part's answer.
type PartStatus struct {
	Name   string `json:"-"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// Health asks all parts and gives the worst state.
func Health(ctx context.Context, parts []Part) (State, []PartStatus) {
	worst := Healthy
	out := make([]PartStatus, len(parts))
	for i, p := range parts {
		state, detail := p.Check(ctx)
		out[i] = PartStatus{Name: p.Name, State: state, Detail: detail}
		if state == Down || (state == Degraded && worst == Healthy) {
			worst = state
		}
	}
	return worst, out
}

// Liveness answers that the process runs.
func Liveness(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n") // a client that left needs no answer
}

// Readiness answers 200 while the program can serve, else 503 and which parts are down.
func Readiness(parts []Part) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		worst, all := Health(r.Context(), parts)
		status, down := http.StatusOK, []string{}
		for _, p := range all {
			if p.State == Down {
				down = append(down, p.Name)
			}
		}
		if worst == Down {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, map[string]any{"ready": status == http.StatusOK, "down": down})
	}
}

// Private is what the private listener serves: health in detail, metrics, profiling.
func Private(parts []Part, reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", Liveness)
	mux.Handle("GET /readyz", Readiness(parts))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		_, all := Health(r.Context(), parts)
		states := map[string]State{}
		for _, p := range all {
			states[p.Name] = p.State
		}
		writeJSON(w, http.StatusOK, states)
	})
	mux.HandleFunc("GET /health/details", func(w http.ResponseWriter, r *http.Request) {
		_, all := Health(r.Context(), parts)
		details := map[string]PartStatus{}
		for _, p := range all {
			details[p.Name] = p
		}
		writeJSON(w, http.StatusOK, details)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
}
