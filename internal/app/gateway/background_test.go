package gateway

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWorkThatPanicsIsCountedAndBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBackground(&program{logger: slog.New(slog.DiscardHandler), registry: prometheus.NewRegistry()})
		ctx, stop := context.WithCancel(t.Context())
		runs := 0
		b.keep(ctx, work{"shipping", func(ctx context.Context) {
			if runs++; runs < 3 {
				panic("a fault")
			}
			stop()
			<-ctx.Done()
		}})
		if n := testutil.ToFloat64(b.panics.WithLabelValues("shipping")); runs != 3 || n != 2 {
			t.Errorf("it ran %d times, and %v faults were counted", runs, n)
		}
	})
}
