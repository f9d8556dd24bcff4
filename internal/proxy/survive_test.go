package proxy

import (
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tollgate/internal/clock"
	"tollgate/internal/metering/spool"
	"tollgate/internal/outbound"
	"tollgate/internal/snapshot"
	"tollgate/internal/wire"
)

// A fault of ours ends its call alone. What had been forwarded is metered.
func TestACallThatEndsInAPanicIsCountedAndMetered(t *testing.T) {
	t.Parallel()
	usage, err := spool.New(spool.Config{Dir: t.TempDir(), SegmentSlots: 64, MaxSegments: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = usage.Close() })
	watch := wire.NewWatch(clock.New().Steady)
	t.Cleanup(watch.Close)
	g := New(Config{Upstreams: outbound.Networks(nil, nil)}, Parts{
		Clock: clock.New(), Spool: usage, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Watch: watch,
	})
	recorded := func() (n int64) {
		for _, p := range usage.Pending() {
			n += p.To
		}
		return n
	}
	x := &wire.Exchange{Keep: true}
	x.Request.Path = "/things"
	if !g.ServeWire(x) || x.Keep { // there is no view to decide by
		t.Errorf("the connection goes on: %t", x.Keep)
	}
	if n := testutil.ToFloat64(g.metrics.faults); n != 1 || recorded() != 0 {
		t.Errorf("%g faults counted, %d calls metered", n, recorded())
	}
	if err := usage.Reserve(); err != nil {
		t.Fatal(err)
	}
	c := &call{ctx: context.Background(), reserved: true, fast: x, hold: &snapshot.Hold{Plan: &snapshot.Plan{}}, route: &snapshot.Route{}, op: &snapshot.Operation{}}
	c.out.status = 200
	func() {
		defer g.survive(c)
		panic("after the upstream answered")
	}()
	if n := testutil.ToFloat64(g.metrics.faults); n != 2 || recorded() != 1 {
		t.Errorf("%g faults counted, %d calls metered", n, recorded())
	}
}
