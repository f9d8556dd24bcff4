package component

import (
	"math"
	"testing"
)

func TestBarsStayInsideTheDrawing(t *testing.T) {
	t.Parallel()
	tests := map[string]ChartProps{
		"nothing":        {Bars: []Bar{{}}},
		"one":            {Bars: []Bar{{Value: 7, Bad: 7}}, Max: 10},
		"above the axis": {Bars: []Bar{{Value: 20}, {Value: 3, Bad: 1}}, Max: 10},
		"largest int":    {Bars: []Bar{{Value: math.MaxInt64, Bad: 1}, {Value: 1}}},
		"a year of days": {Bars: make([]Bar, 366), Max: 1, Limit: 5},
		"below zero":     {Bars: []Bar{{Value: -4, Bad: -1}}, Max: 10},
	}
	for name, chart := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range chart.Bars {
				box := chart.box(i)
				if box.y < chartTop || box.y+box.height > chartBottom || box.x < chartLeft || box.x+box.width > chartWidth || box.width < 1 {
					t.Errorf("bar %d: %+v", i, box)
				}
				if box.badHeight > max(box.height, 2) {
					t.Errorf("bar %d: the failed part is taller than the whole: %+v", i, box)
				}
			}
		})
	}
}

func TestSmallValuesAreVisible(t *testing.T) {
	t.Parallel()
	chart := ChartProps{Bars: []Bar{{Value: 1}, {Value: 1_000_000}}}
	if got := chart.box(0).height; got < 2 {
		t.Errorf("height %d", got)
	}
}
