package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings of a run.
type settings struct {
	rounds   int
	duration time.Duration
	conns    int
	keys     int
	only     string // names of contenders, comma-separated; empty: all
	refuse   bool   // unknown keys: what a refusal costs
	scale    bool   // the gateway with many keys and with many routes, beside few
	tools    string // folder of the built programs
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 5, "interleaved rounds")
	flag.DurationVar(&s.duration, "duration", 8*time.Second, "load per contender and round")
	flag.IntVar(&s.conns, "connections", 64, "connections of the load")
	flag.IntVar(&s.keys, "keys", 1000, "API keys, used in turn")
	flag.StringVar(&s.only, "only", "", "contenders to run, comma-separated; empty: all")
	flag.BoolVar(&s.refuse, "refuse", false, "call with keys that are well-formed and unknown")
	flag.BoolVar(&s.scale, "scale", false, "only the gateway: with 1,000 keys, with a million, while they change, with 10,000 routes, and under a flood of wrong keys")
	flag.StringVar(&s.tools, "bin", "bin/bench", "folder of the built programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (s settings) wants(name string) bool {
	if s.only == "" {
		return true
	}
	for n := range strings.SplitSeq(s.only, ",") {
		if n == name {
			return true
		}
	}
	return false
}

func run(ctx context.Context, s settings) error {
	f, err := newField(ctx, s)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.warmUp(ctx); err != nil {
		return err
	}
	var results []round
	for n := range s.rounds {
		r, err := f.round(ctx)
		if err != nil {
			return err
		}
		results = append(results, r)
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", n+1, s.rounds)
	}
	report(os.Stdout, s, f.names(), results)
	return nil
}
