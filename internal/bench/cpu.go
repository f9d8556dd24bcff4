package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const clockTick = 10 * time.Millisecond // USER_HZ, which Linux fixes at 100 for user space

// cpuOf is the user and system time of a process and its descendants so far.
func cpuOf(pid int) (total time.Duration) {
	for _, used := range family(pid) {
		total += used
	}
	return total
}

// family is a process and its descendants, with the time that each has used.
func family(pid int) map[int]time.Duration {
	children := map[int][]int{}
	used := map[int]time.Duration{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if p, parent, cpu, ok := readStat(name); ok {
			children[parent] = append(children[parent], p)
			used[p] = cpu
		}
	}
	out := map[int]time.Duration{}
	for todo := []int{pid}; len(todo) > 0; {
		p := todo[0]
		todo = append(todo[1:], children[p]...)
		out[p] = used[p]
	}
	return out
}

// readStat reads /proc/<pid>/stat (proc_pid_stat(5)).
func readStat(name string) (pid, parent int, cpu time.Duration, ok bool) {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, 0, 0, false
	}
	end := bytes.LastIndexByte(data, ')') // the name before it may hold anything
	fields := strings.Fields(string(data[end+1:]))
	if end < 0 || len(fields) < 15 {
		return 0, 0, 0, false
	}
	pid, _ = strconv.Atoi(strings.Fields(string(data))[0])
	parent, _ = strconv.Atoi(fields[1])
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return pid, parent, time.Duration(user+system) * clockTick, true
}

// busy is the time that all processors have spent working so far.
func busy() time.Duration {
	data, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(data), "\n")
	var total int64
	for i, f := range strings.Fields(line) {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i != 4 && i != 5 { // idle and iowait
			total += n
		}
	}
	return time.Duration(total) * clockTick
}
