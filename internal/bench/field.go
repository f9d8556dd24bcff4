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

	"tollgate/internal/postgres/private"
)

// contender is a program that stands between load and upstream.
type contender struct {
	name string
	url  string
	proc *os.Process // nil: no program stands between
}

// field is everything that runs during a measurement.
type field struct {
	settings
	dir        string
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
	if err := os.Chmod(f.dir, 0o755); err != nil { // PostgreSQL's user passes through
		return nil, err
	}
	if f.database, err = private.Start(ctx, private.Config{Dir: filepath.Join(f.dir, "db"), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	undo = append(undo, func() { _ = f.database.Stop() })
	target := freeAddr()
	keys, err := fixtures(ctx, f.database.URL, "http://"+target, s.keys)
	if err != nil {
		return nil, err
	}
	f.script = filepath.Join(f.dir, "load.lua")
	if err := script(f.script, s.presented(keys)); err != nil {
		return nil, err
	}
	if f.upstream, err = nginx(f.dir, "upstream", upstreamConf(target)); err != nil {
		return nil, err
	}
	undo = append(undo, func() { end(f.upstream) })
	return f, f.enter(ctx, target, keys, func(p *os.Process) { undo = append(undo, func() { end(p) }) })
}

// enter starts the contenders that were asked for.
func (f *field) enter(ctx context.Context, target string, keys []string, started func(*os.Process)) error {
	for _, c := range f.all(target, keys) {
		if !f.wants(c.name) {
			continue
		}
		entry := contender{name: c.name, url: "http://" + c.addr}
		if c.start != nil {
			p, err := c.start()
			if err != nil {
				return fmt.Errorf("start %s: %w", c.name, err)
			}
			started(p)
			entry.proc = p
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

func (f *field) warmUp(ctx context.Context) error {
	for _, c := range f.contenders {
		if _, err := wrk(ctx, c.url, f.script, f.conns, 2*time.Second); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
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
	self, all, began := children(), busy(), time.Now()
	if m.load, err = wrk(ctx, c.url, f.script, f.conns, f.duration); err != nil {
		return m, err
	}
	took := time.Since(began)
	known := children() - self + cpuOf(f.upstream.Pid) - upstream
	if c.proc != nil {
		cpu := cpuOf(c.proc.Pid) - before
		known += cpu
		m.cpu = cpu * 1000 / time.Duration(m.calls)
	}
	m.other = max(float64(busy()-all-known), 0) / (float64(took) * float64(processors()))
	return m, nil
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
