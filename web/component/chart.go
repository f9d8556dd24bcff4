package component

import "strconv"

// Bar is one column of a chart.
type Bar struct {
	Label   string // under the axis, such as 14:00
	Value   int64  // full height
	Bad     int64  // the part of Value that failed
	Text    string // the value in words, such as 1,204 calls, 12 errors
	URL     string // what the bar is made of
	Ticked  bool   // its label stands under the axis
	Columns []string
}

// ChartProps is a bar chart with a table of the same numbers. All geometry is in
// whole units of the drawing.
type ChartProps struct {
	ID          string // unique on the page
	Title       string
	Description string
	Bars        []Bar
	Max         int64  // top of the axis; at least the largest value
	TopLabel    string // label at Max
	MidLabel    string // label at half of Max
	Limit       int64  // a line across, none when 0
	LimitLabel  string
	Label       string   // legend of the bars, Calls when empty
	BadLabel    string   // legend of the failed part, none when empty
	Head        []string // columns of the table: the label's, then those of Bar.Columns
}

const (
	chartWidth  = 960
	chartHeight = 240
	chartLeft   = 72
	chartTop    = 14
	chartBottom = 212
)

type barBox struct{ x, width, y, height, badHeight, badY, hitX, hitWidth, middle int }

func (p ChartProps) top() int64 {
	highest := max(p.Max, p.Limit, 1)
	for _, bar := range p.Bars {
		highest = max(highest, bar.Value)
	}
	return highest
}

// y is the height in the drawing of a value.
func (p ChartProps) y(value int64) int {
	room := int64(chartBottom - chartTop)
	return chartBottom - int(share(value, p.top(), room))
}

// share is value/whole of room, without overflow for any int64.
func share(value, whole, room int64) int64 {
	if value <= 0 || whole <= 0 {
		return 0
	}
	if whole > 1<<40 {
		value, whole = value>>20, whole>>20
	}
	return value * room / whole
}

func (p ChartProps) box(i int) barBox {
	room := chartWidth - chartLeft - 8
	count := max(len(p.Bars), 1)
	left := chartLeft + room*i/count
	right := chartLeft + room*(i+1)/count
	gap := max((right-left)/5, 1)
	bar := p.Bars[i]
	box := barBox{x: left + gap/2, width: max(right-left-gap, 1), hitX: left, hitWidth: right - left, middle: (left + right) / 2}
	box.y = p.y(bar.Value)
	box.height = chartBottom - box.y
	if bar.Value > 0 && box.height < 2 {
		box.y, box.height = chartBottom-2, 2
	}
	if bar.Bad > 0 {
		box.badHeight = max(chartBottom-p.y(bar.Bad), 2)
		box.badY = chartBottom - box.badHeight
	}
	return box
}

func (p ChartProps) label() string {
	if p.Label == "" {
		return "Calls"
	}
	return p.Label
}

func px(n int) string { return strconv.Itoa(n) }
