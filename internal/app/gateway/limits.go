package gateway

import (
	"context"
	"fmt"
	"time"

	"tollgate/internal/proxy"
	"tollgate/internal/quota"
	"tollgate/internal/quota/memory"
	"tollgate/internal/quota/shared"
)

// mostAddresses is how many client addresses are counted apart.
const mostAddresses = 1_000_000

// redisTimeout bounds a round trip to Redis; a slower one is as good as none.
const redisTimeout = 50 * time.Millisecond

// alone decides by what this gateway has counted.
type alone struct{ *memory.Counters }

// Decide implements [proxy.Limiter].
func (a alone) Decide(_ context.Context, set *quota.Set, who *quota.Subject, cost int64, now time.Time) quota.Decision {
	return a.Counters.Decide(set, who, cost, now)
}

// newLimiter makes the limiter, and the work that keeps it going.
func (p *program) newLimiter() (proxy.Limiter, func(context.Context), error) {
	counters := memory.NewCounters(mostAddresses)
	if p.cfg.RedisURL == "" {
		return alone{counters}, func(ctx context.Context) { p.sweep(ctx, counters) }, nil
	}
	client, err := shared.Connect(p.cfg.RedisURL, redisTimeout)
	if err != nil {
		return nil, nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	l := shared.New(shared.Options{Client: client, Local: counters, Mode: p.cfg.RedisMode, Gateway: p.cfg.ID, Gateways: p.cfg.RedisGateways})
	p.registry.MustRegister(l.Collectors()...)
	p.shared = l
	return l, func(ctx context.Context) {
		defer func() { _ = client.Close() }()
		go p.sweep(ctx, counters)
		if err := l.Run(ctx, p.clock.Now); err != nil {
			p.logger.Error("limits are not shared any more", "error", err)
		}
	}, nil
}

// sweep forgets callers whose windows have passed, a few at a time.
func (p *program) sweep(ctx context.Context, counters *memory.Counters) {
	everyHalfSecond(ctx, func(int) { counters.Sweep(p.clock.Now(), 32) })
}
