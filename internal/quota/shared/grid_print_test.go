package shared

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tollgate/internal/quota/shared/redistest"
)

func total(c prometheus.Counter) float64 { return testutil.ToFloat64(c) }

// TestPrintGrid prints the accuracy grid as a table: make limits-grid.
func TestPrintGrid(t *testing.T) {
	if !*fullGrid {
		t.Skip("make limits-grid prints it")
	}
	s, f := redistest.Start(t), startFleet(t, 3)
	overloads := []float64{0.8, 1, 2, 10}
	fmt.Println("| algorithm | limit | mode | gateways | 0.8 × | 1 × | 2 × | 10 × | round trips per 1,000 calls asked, at 1 × / 10 × |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	n := 0
	for _, a := range algorithms {
		for _, window := range []time.Duration{time.Second, time.Hour} {
			for _, calls := range []int64{10, 100, 1000} {
				for _, mode := range []Mode{Exact, Leased} {
					for _, nodes := range []int{1, 3} {
						fmt.Printf("| %s | %d per %s | %s | %d |", a, calls, map[time.Duration]string{time.Second: "second", time.Hour: "hour"}[window], mode, nodes)
						trips := map[float64]float64{}
						for _, overload := range overloads {
							n++
							got := f.measure(t, cell{Redis: s.URL, Prefix: fmt.Sprint(n, ":"), Mode: mode, Algorithm: a, Calls: calls, Window: window, Nodes: nodes, Overload: overload}, 3)
							trips[overload] = 1000 * got.Trips / float64(got.Asked)
							fmt.Printf(" %s |", got)
						}
						fmt.Printf(" %.0f / %.0f |\n", trips[1], trips[10])
					}
				}
			}
		}
	}
	printApart(t, s, f, &n)
}

// printApart prints what clocks do that are a hundredth of a window apart at its
// edges, and what real ones do.
func printApart(t *testing.T, s *redistest.Server, f *fleet, n *int) {
	for _, real := range []bool{false, true} {
		if fmt.Println(); real {
			fmt.Println("By the clock on the wall: three gateways, 500 per second, 2 ×, three seconds. Here a busy machine makes calls late, and late calls count as not let through when they should have been.")
		} else {
			fmt.Println("By clocks that are up to 10 ms apart at the edges of windows too: three gateways, 1,000 per second, 2 ×.")
		}
		fmt.Println("\n| algorithm | mode | passed of allowed (over, under) |\n|---|---|---|")
		for _, a := range algorithms {
			for _, mode := range []Mode{Exact, Leased} {
				*n++
				c := cell{Redis: s.URL, Prefix: fmt.Sprint(*n, ":"), Mode: mode, Algorithm: a, Calls: 1000, Window: time.Second, Nodes: 3, Overload: 2, Edges: true}
				if real {
					c.Calls, c.RealTime = 500, true
				}
				fmt.Printf("| %s | %s | %s |\n", a, mode, f.measure(t, c, 3))
			}
		}
	}
}

func (a accuracy) String() string {
	return fmt.Sprintf("%d of %d (+%.2f, −%.2f %%)", a.Passed, a.Allowed, a.over(), a.under())
}
