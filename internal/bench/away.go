package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// away holds PostgreSQL still until ctx ends: the gateway goes on without it,
// and its work takes no time from the load's.
func (f *field) away(ctx context.Context) {
	f.signal(syscall.SIGSTOP)
	<-ctx.Done()
	f.signal(syscall.SIGCONT)
}

// signal reaches all of PostgreSQL's processes.
func (f *field) signal(s syscall.Signal) {
	text, _ := os.ReadFile(filepath.Join(f.database.Dir, "postmaster.pid"))
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 1 {
		return // it has ended, which shows in the load
	}
	for p := range family(pid) {
		_ = syscall.Kill(p, s) // one that has ended meanwhile needs none
	}
}
