package shared

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// How often a gateway shows that it is alive, and after how long without that it
// is no longer counted.
const (
	beat = 2 * time.Second
	gone = 20 * time.Second
)

// Run shows the other gateways that this one is alive, and counts them, until
// ctx ends; then it takes its leave. clock tells business time.
func (l *Limiter) Run(ctx context.Context, clock func() time.Time) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		l.Beat(ctx, clock())
		l.Sweep(clock(), 8)
		select {
		case <-ctx.Done():
			leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.o.Timeout)
			defer cancel()
			l.o.Client.ZRem(leave, l.o.Prefix+"gateways", l.o.Gateway)
			return nil
		case <-ticker.C:
		}
	}
}

// Beat shows once that this gateway is alive and counts those that are. When
// Redis does not answer, the last number stands.
func (l *Limiter) Beat(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	key, at := l.o.Prefix+"gateways", now.UnixMicro()
	var alive *redis.IntCmd
	_, err := l.o.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, key, redis.Z{Score: float64(at), Member: l.o.Gateway})
		p.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(at-gone.Microseconds(), 10))
		alive = p.ZCard(ctx, key)
		return nil
	})
	if err == nil {
		l.nodes.Store(max(alive.Val(), 1))
	}
}

// Gateways is how many gateways share the limits, as far as is known.
func (l *Limiter) Gateways() int64 { return l.nodes.Load() }

// Shared reports whether Redis answered when it was last asked.
func (l *Limiter) Shared() bool { return l.retry.Load() == 0 }

type metrics struct {
	trips, failures, memory, alone prometheus.Counter
}

func newMetrics() metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return metrics{
		trips:    counter("tollgate_limits_redis_round_trips_total", "Round trips to Redis for rate limits."),
		failures: counter("tollgate_limits_redis_failures_total", "Round trips to Redis for rate limits that failed or took too long."),
		memory:   counter("tollgate_limits_from_memory_total", "Calls decided without a round trip, from a slice in hand or a refusal still standing."),
		alone:    counter("tollgate_limits_alone_total", "Calls decided without Redis, by this gateway's share of each limit."),
	}
}

// Collectors are the limiter's metrics, to be registered once.
func (l *Limiter) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		l.meter.trips, l.meter.failures, l.meter.memory, l.meter.alone,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tollgate_limits_shared", Help: "1 while rate limits are shared through Redis, 0 while this gateway keeps to its share of each."}, func() float64 {
			if l.Shared() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tollgate_limits_gateways", Help: "Gateways that share rate limits, as last known."}, func() float64 { return float64(l.Gateways()) }),
	}
}
