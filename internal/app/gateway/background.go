package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// work is something that goes on beside calls until its context ends.
type work struct {
	name string
	run  func(context.Context)
}

// background keeps work going: a fault in one kind of it ends neither the
// gateway nor, unnoticed, that work.
type background struct {
	program *program
	panics  *prometheus.CounterVec
}

func newBackground(p *program) *background {
	b := &background{p, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tollgate_background_panics_total", Help: "Times that work beside calls was begun anew after a fault of the gateway. Must stay 0.",
	}, []string{"work"})}
	p.registry.MustRegister(b.panics)
	return b
}

// keep runs w until ctx ends, and anew a moment after each fault.
func (b *background) keep(ctx context.Context, w work) {
	for ctx.Err() == nil {
		b.once(ctx, w)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (b *background) once(ctx context.Context, w work) {
	defer func() {
		if fault := recover(); fault != nil {
			b.panics.WithLabelValues(w.name).Inc()
			b.program.logger.Error("work beside calls ended in a panic and begins anew", "work", w.name, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
		}
	}()
	w.run(ctx)
}
