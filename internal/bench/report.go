package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tollgate/internal/clock"
)

// peer is the contender whose p99 is compared with.
const peer = "fasthttp"

// known are the peers' processor time per call relative to the baseline, as
// measured earlier on this kind of machine. A run in which they stray by more
// than a fifth, relative to each other, says nothing.
var known = map[string]float64{"fasthttp": 0.37, "nginx": 0.33, "nginx+Lua": 0.46}

// report prints medians over the rounds as a Markdown table, then each round.
func report(out io.Writer, s settings, names []string, rounds []round) {
	var w bytes.Buffer
	fmt.Fprintf(&w, "%d connections, %d keys, medians of %d interleaved rounds of %s, %s\n\n", s.conns, s.keys, len(rounds), s.duration, clock.New().Real().Format("2 January 2006 15:04 UTC"))
	baseline := names[0]
	fmt.Fprintf(&w, "| | calls/s | CPU ms per 1,000 calls | CPU × %[1]s | calls/s × %[1]s | p50 ms | p99 ms | p99 × fasthttp | p99.9 ms | refused or failed | CPU of others |\n", baseline)
	fmt.Fprintln(&w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, name := range names {
		over := func(f func(m, base measured) float64, base string) float64 {
			return median(rounds, func(r round) float64 { return f(r[name], r[base]) })
		}
		of := func(f func(m measured) float64) float64 {
			return median(rounds, func(r round) float64 { return f(r[name]) })
		}
		fmt.Fprintf(&w, "| %s | %.0f | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %.0f | %.0f %% |\n", name,
			of(func(m measured) float64 { return m.rate }), of(func(m measured) float64 { return ms(m.cpu) }),
			over(func(m, b measured) float64 { return ratio(float64(m.cpu), float64(b.cpu)) }, baseline),
			over(func(m, b measured) float64 { return ratio(m.rate, b.rate) }, baseline),
			of(func(m measured) float64 { return ms(m.p50) }), of(func(m measured) float64 { return ms(m.p99) }),
			over(func(m, b measured) float64 { return ratio(float64(m.p99), float64(b.p99)) }, peer),
			of(func(m measured) float64 { return ms(m.p999) }),
			of(func(m measured) float64 { return float64(m.failed) }), 100*of(func(m measured) float64 { return m.other }))
	}
	fmt.Fprintln(&w, "\nCPU ms per 1,000 calls, round by round:")
	fmt.Fprintln(&w)
	for _, name := range names {
		var cells []string
		for _, r := range rounds {
			cells = append(cells, fmt.Sprintf("%.1f", ms(r[name].cpu)))
		}
		fmt.Fprintf(&w, "- %s: %s\n", name, strings.Join(cells, ", "))
	}
	if !s.refuse { // there some peers refuse and some forward
		judge(&w, names, rounds)
	}
	_, _ = w.WriteTo(out) // the terminal is gone: nobody reads it
}

// judge says whether the run can be believed.
func judge(w *bytes.Buffer, names []string, rounds []round) {
	var factors []float64
	for _, name := range names {
		if k := known[name]; k > 0 {
			m := median(rounds, func(r round) float64 { return ratio(float64(r[name].cpu), float64(r[names[0]].cpu)) })
			factors = append(factors, m/k)
		}
	}
	if len(factors) < 2 {
		return
	}
	spread := slices.Max(factors)/slices.Min(factors) - 1
	verdict := "the run stands"
	if spread > 0.2 {
		verdict = "the run is void"
	}
	fmt.Fprintf(w, "\nKnown peers stray from their known ratios to each other by %.0f %%: %s.\n", 100*spread, verdict)
}

func median(rounds []round, f func(round) float64) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, f(r))
	}
	slices.Sort(all)
	n := len(all)
	return (all[n/2] + all[(n-1)/2]) / 2
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
