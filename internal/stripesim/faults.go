package stripesim

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// fault is a failure ordered for a coming request.
//
// Kind is "<status>_before_apply" (nothing happens), "<status>_after_apply"
// (the change is made, the status is answered and remembered under the
// idempotency key, as Stripe does), "drop_before_apply", "drop_after_apply"
// (the connection closes; a repeat with the same key gets the real answer), or
// "delay" (the answer waits for DelayMS with the key in flight).
type fault struct {
	Method  string `json:"method,omitempty"` // empty: any
	Path    string `json:"path"`             // * stands for one path segment
	Times   int    `json:"times"`            // 0 counts as 1
	Kind    string `json:"kind"`
	DelayMS int    `json:"delay_ms,omitempty"`
}

var faultKind = regexp.MustCompile(`^(?:([45]\d\d)_(before|after)_apply|drop_(?:before|after)_apply|delay)$`)

const maxFaultDelay = 30_000

func (f fault) validate() error {
	if !faultKind.MatchString(f.Kind) {
		return fmt.Errorf("unknown kind %q", f.Kind)
	}
	if _, err := path.Match(f.Path, "/"); err != nil || f.Path == "" {
		return fmt.Errorf("bad path %q", f.Path)
	}
	if f.Times < 0 || f.DelayMS < 0 || f.DelayMS > maxFaultDelay {
		return fmt.Errorf("times must not be negative, delay_ms must be 0 to %d", maxFaultDelay)
	}
	return nil
}

// status returns the forced status for the given moment, or 0.
func (f fault) status(moment string) int {
	m := faultKind.FindStringSubmatch(f.Kind)
	if m == nil || m[2] != moment {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}

// before reports whether the request ends here, and with which answer (nil:
// by a dropped connection).
func (f fault) before() (*answer, bool) {
	if f.Kind == "drop_before_apply" {
		return nil, true
	}
	if n := f.status("before"); n != 0 {
		return errorAnswer(forced(n)), true
	}
	return nil, false
}

func (f fault) after() *answer {
	if n := f.status("after"); n != 0 {
		return errorAnswer(forced(n))
	}
	return nil
}

func (f fault) dropsAfter() bool { return f.Kind == "drop_after_apply" }

func (f fault) wait(ctx context.Context) {
	if f.Kind != "delay" {
		return
	}
	t := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func forced(status int) *apiError {
	e := &apiError{Status: status, Type: "api_error", Message: "Simulated failure."}
	switch {
	case status == http.StatusTooManyRequests:
		e.Type, e.Code, e.Message = "invalid_request_error", "rate_limit", "Request rate limit exceeded."
	case status < http.StatusInternalServerError:
		e.Type = "invalid_request_error"
	}
	return e
}

// faults are the failures still to come, oldest first.
type faults struct {
	mu   sync.Mutex
	list []fault
}

func (fs *faults) add(f fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.Times = max(f.Times, 1)
	fs.list = append(fs.list, f)
}

// take returns the fault meant for this request and counts it down.
func (fs *faults) take(method, urlPath string) fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.list {
		if ok, err := path.Match(f.Path, urlPath); err != nil || !ok || (f.Method != "" && f.Method != method) {
			continue
		}
		fs.list[i].Times--
		if fs.list[i].Times == 0 {
			fs.list = append(fs.list[:i:i], fs.list[i+1:]...)
		}
		return f
	}
	return fault{}
}

func (fs *faults) pending() []fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return append([]fault{}, fs.list...)
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}
