package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/postgres/private"
)

// contender is a program that stands between load and upstream.
type contender struct {
	name   string
	url    string
	script string
	proc   *os.Process           // nil: no program stands between
	during func(context.Context) // runs beside the load
}

// field is everything that runs during a measurement.
type field struct {
	settings
	dir        string
	memory     string // a folder that no disk is under
	database   *private.Cluster
	upstream   *os.Process
	contenders []contender
	script     string
	close      func()
}

func newField(ctx context.Context, s settings) (f *field, err error) {
	f = &field{settings: s}
	var undo []func()
	f.close = func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = os.RemoveAll(f.dir) })
	if f.memory, err = os.MkdirTemp("/dev/shm", "bench"); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = os.RemoveAll(f.memory) })
	if err := os.Chmod(f.dir, 0o711); err != nil { //nolint:gosec // PostgreSQL's and nginx's users pass through
		return nil, err
	}
	if f.database, err = private.Start(ctx, private.Config{Dir: filepath.Join(f.dir, "db"), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = f.database.Stop() })
	target := freeAddr()
	keys, err := f.fill(ctx, f.database.URL, "load.lua", target, size{keys: s.keys, routes: 1})
	if err != nil {
		return nil, err
	}
	f.script = filepath.Join(f.dir, "load.lua")
	if f.upstream, err = nginx(f.dir, "upstream", upstreamConf(target)); err != nil {
		return nil, err
	}
	undo = append(undo, func() { end(f.upstream) })
	entries := f.all(target, keys)
	if s.scale {
		if entries, err = f.scaled(ctx, target); err != nil {
			return nil, err
		}
	}
	return f, f.enter(ctx, entries, func(p *os.Process) { undo = append(undo, func() { end(p) }) })
}

// fill makes the fixtures in a database and a script that uses their keys.
func (f *field) fill(ctx context.Context, url, name, target string, n size) ([]string, error) {
	keys, err := fixtures(ctx, url, "http://"+target, n)
	if err != nil {
		return nil, err
	}
	return keys, script(filepath.Join(f.dir, name), f.presented(keys))
}

// enter starts the contenders that were asked for.
func (f *field) enter(ctx context.Context, entries []entry, started func(*os.Process)) error {
	running := map[string]*os.Process{}
	for _, c := range entries {
		if !f.wants(c.name) {
			continue
		}
		entry := contender{name: c.name, url: "http://" + c.addr, script: c.script, during: c.during, proc: running[c.addr]}
		if entry.script == "" {
			entry.script = f.script
		}
		if c.start != nil {
			p, err := c.start()
			if err != nil {
				return fmt.Errorf("start %s: %w", c.name, err)
			}
			started(p)
			entry.proc, running[c.addr] = p, p
		}
		if err := answers(ctx, entry.url); err != nil {
			return fmt.Errorf("%s does not answer: %w", c.name, err)
		}
		f.contenders = append(f.contenders, entry)
	}
	if len(f.contenders) == 0 {
		return errors.New("none of the contenders that were asked for exist")
	}
	return nil
}

func (f *field) names() []string {
	var out []string
	for _, c := range f.contenders {
		out = append(out, c.name)
	}
	return out
}

// measured is one contender's part of a round.
type measured struct {
	load
	cpu   time.Duration // per 1,000 calls
	other float64       // share of all processor time that neither load, upstream nor contender took
}

type round map[string]measured

// warmUp calls each contender for a moment, and waits until all have come to rest.
func (f *field) warmUp(ctx context.Context) error {
	for _, c := range f.contenders {
		c.rest(ctx)
		if _, err := wrk(ctx, c.url, c.script, f.conns, 2*time.Second); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// rest waits until a contender that has much to load has done so.
func (c contender) rest(ctx context.Context) {
	if c.proc == nil {
		return
	}
	for before := time.Duration(-1); ctx.Err() == nil; {
		now := cpuOf(c.proc.Pid)
		if now-before <= 2*clockTick {
			return
		}
		before = now
		time.Sleep(time.Second)
	}
}

func (f *field) round(ctx context.Context) (round, error) {
	out := round{}
	for _, c := range f.contenders {
		m, err := f.measure(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		out[c.name] = m
	}
	return out, nil
}

func (f *field) measure(ctx context.Context, c contender) (m measured, err error) {
	var before, upstream time.Duration
	if c.proc != nil {
		before = cpuOf(c.proc.Pid)
	}
	upstream = cpuOf(f.upstream.Pid)
	self, all, began := children(), busy(), clock.New().Real()
	if c.during != nil {
		defer c.beside(ctx)()
	}
	if m.load, err = wrk(ctx, c.url, c.script, f.conns, f.duration); err != nil {
		return m, err
	}
	took := clock.New().Real().Sub(began)
	known := children() - self + cpuOf(f.upstream.Pid) - upstream
	if c.proc != nil {
		cpu := cpuOf(c.proc.Pid) - before
		known += cpu
		m.cpu = cpu * 1000 / time.Duration(m.calls)
	}
	m.other = max(float64(busy()-all-known), 0) / (float64(took) * float64(processors()))
	return m, nil
}

// beside begins what runs beside the load. What it returns ends that, and waits
// until the contender has caught up.
func (c contender) beside(ctx context.Context) (end func()) {
	during, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		c.during(during)
		close(ended)
	}()
	return func() {
		stop()
		<-ended
		c.rest(ctx)
	}
}

// children is the processor time of ended children: of wrk.
func children() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func answers(ctx context.Context, url string) error {
	var last error
	for range 200 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/shop/things", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			return nil
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

func start(env []string, dir, name string, args ...string) (*os.Process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), dir
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd.Process, nil
}

func end(p *os.Process) {
	_ = p.Signal(syscall.SIGTERM)
	_, _ = p.Wait()
}
