package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// load is what wrk saw.
type load struct {
	calls    int64
	failed   int64 // answers that were not what the run expects
	rate     float64
	p50, p99 time.Duration
	p999     time.Duration
}

var (
	callsLine  = regexp.MustCompile(`(\d+) requests in`)
	rateLine   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	failedLine = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	p50Line    = regexp.MustCompile(`\s50%\s+([\d.]+)(us|ms|s)`)
	p999Line   = regexp.MustCompile(`p99\.9 ([\d.]+)(us)`)
	p99Line    = regexp.MustCompile(`\s99%\s+([\d.]+)(us|ms|s)`)
)

// wrk loads url for d with script, which says which keys to use.
func wrk(ctx context.Context, url, script string, conns int, d time.Duration) (load, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t2", "-c", strconv.Itoa(conns), "-d", strconv.Itoa(int(d.Seconds()))+"s", "--latency", "-s", script, url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	var l load
	l.calls, _ = strconv.ParseInt(first(callsLine, out), 10, 64)
	l.rate, _ = strconv.ParseFloat(first(rateLine, out), 64)
	l.failed, _ = strconv.ParseInt(first(failedLine, out), 10, 64)
	l.p50, l.p99, l.p999 = latency(p50Line, out), latency(p99Line, out), latency(p999Line, out)
	if l.calls == 0 {
		return l, fmt.Errorf("wrk made no calls:\n%s", out)
	}
	return l, nil
}

func first(re *regexp.Regexp, out []byte) string {
	if m := re.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return ""
}

func latency(re *regexp.Regexp, out []byte) time.Duration {
	m := re.FindSubmatch(out)
	if m == nil {
		return 0
	}
	d, _ := time.ParseDuration(string(m[1]) + string(m[2]))
	return d
}

// script writes wrk's script: it uses the keys in turn.
func script(file string, keys []string) error {
	var b bytes.Buffer
	b.WriteString("local keys = {\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  %q,\n", k)
	}
	b.WriteString(`}
local requests, i = {}, 0
init = function()
  math.randomseed(os.time())
  i = math.random(#keys)
  for n, key in ipairs(keys) do
    requests[n] = wrk.format("GET", "/shop/things", { ["Authorization"] = "Bearer " .. key, ["Accept"] = "application/json", ["User-Agent"] = "bench" })
  end
end
request = function()
  i = i % #keys + 1
  return requests[i]
end
done = function(summary, latency)
  io.write(string.format("p99.9 %dus\\n", latency:percentile(99.9)))
end
`)
	return os.WriteFile(file, b.Bytes(), 0o600)
}
