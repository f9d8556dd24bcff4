package proxy

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	lost     prometheus.Counter
	repeated prometheus.Counter
	faults   prometheus.Counter
	limit    *prometheus.GaugeVec

	mu  *sync.Mutex
	api *atomic.Pointer[map[string]*apiMetrics] // looked up once per API, not once per call
}

// apiMetrics are the series of one API.
type apiMetrics struct {
	calls    [6]prometheus.Counter // by class of status; 0: none
	duration prometheus.Observer
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		mu: &sync.Mutex{}, api: &atomic.Pointer[map[string]*apiMetrics]{},
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tollgate_calls_total", Help: "Forwarded calls by API and class of status."}, []string{"api", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tollgate_call_duration_seconds", Help: "From a call's arrival to the end of its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"api"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tollgate_refused_calls_total", Help: "Calls that were not forwarded, by problem type."}, []string{"code"}),
		lost:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tollgate_unrecorded_calls_total", Help: "Forwarded calls whose usage could not be written. Must stay 0."}),
	}
	m.repeated = prometheus.NewCounter(prometheus.CounterOpts{Name: "tollgate_repeated_calls_total", Help: "Attempts to call an upstream again, after one that failed."})
	m.faults = prometheus.NewCounter(prometheus.CounterOpts{Name: "tollgate_panics_total", Help: "Calls that ended in a fault of the gateway. Must stay 0."})
	m.limit = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tollgate_limit_in_force", Help: "Calls that a limit which adapts last let through in its window, by API and window."}, []string{"api", "window"})
	reg.MustRegister(m.calls, m.duration, m.refused, m.lost, m.repeated, m.faults, m.limit)
	return m
}

func (m metrics) refuse(code string) { m.refused.WithLabelValues(code).Inc() }

// inForce shows where a limit that moves has been moved to.
func (m metrics) inForce(c *call) {
	m.limit.WithLabelValues(c.route.API, windowName(c.rate.Status.Window)).Set(float64(c.rate.Status.Limit))
}

func (m metrics) observe(c *call, d time.Duration) {
	known := m.api.Load()
	var a *apiMetrics
	if known != nil {
		a = (*known)[c.route.API]
	}
	if a == nil {
		a = m.add(c.route.API)
	}
	a.calls[min(max(c.out.status/100, 0), 5)].Inc()
	if c.out.status != http.StatusSwitchingProtocols { // how long a socket was open tells nothing
		a.duration.Observe(d.Seconds())
	}
}

// add copies the map, so that reading it needs no lock.
func (m metrics) add(api string) *apiMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]*apiMetrics{}
	if known := m.api.Load(); known != nil {
		maps.Copy(next, *known)
	}
	a := &apiMetrics{duration: m.duration.WithLabelValues(api)}
	for i := range a.calls {
		a.calls[i] = m.calls.WithLabelValues(api, strconv.Itoa(i)+"xx")
	}
	next[api] = a
	m.api.Store(&next)
	return a
}
