package proxy

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	lost     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tollgate_calls_total", Help: "Forwarded calls by API and class of status."}, []string{"api", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tollgate_call_duration_seconds", Help: "From a call's arrival to the end of its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}, []string{"api"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tollgate_refused_calls_total", Help: "Calls that were not forwarded, by problem type."}, []string{"code"}),
		lost:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tollgate_unrecorded_calls_total", Help: "Forwarded calls whose usage could not be written. Must stay 0."}),
	}
	reg.MustRegister(m.calls, m.duration, m.refused, m.lost)
	return m
}

func (m metrics) observe(c *call, d time.Duration) {
	m.calls.WithLabelValues(c.route.API, strconv.Itoa(c.out.status/100)+"xx").Inc()
	m.duration.WithLabelValues(c.route.API).Observe(d.Seconds())
}
