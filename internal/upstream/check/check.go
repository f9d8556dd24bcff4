// Package check asks the targets of upstreams whether they are well.
package check

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"tollgate/internal/upstream"
)

// atOnce bounds how many checks are under way.
const atOnce = 64

// Checker runs the active health checks of a registry.
type Checker struct {
	groups    *upstream.Groups
	transport http.RoundTripper // the gateway's, with its guard; redirects are not followed
	now       func() time.Time  // real time
}

// New makes a checker.
func New(groups *upstream.Groups, transport http.RoundTripper, now func() time.Time) *Checker {
	return &Checker{groups: groups, transport: transport, now: now}
}

// Run checks what is due, until ctx ends; it returns once no check is under way.
func (c *Checker) Run(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	slots := make(chan struct{}, atOnce)
	var underway sync.WaitGroup
	defer underway.Wait()
	for {
		c.start(ctx, slots, &underway)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round checks what is due now and waits for the answers.
func (c *Checker) Round(ctx context.Context) {
	var underway sync.WaitGroup
	c.start(ctx, make(chan struct{}, atOnce), &underway)
	underway.Wait()
}

func (c *Checker) start(ctx context.Context, slots chan struct{}, underway *sync.WaitGroup) {
	for _, g := range c.groups.All() {
		for _, due := range g.Due(c.now()) {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			underway.Go(func() {
				defer func() { <-slots }()
				ok := c.ask(ctx, due)
				if ctx.Err() == nil { // else we broke it off ourselves
					due.Group.Checked(due.Member, ok, c.now())
				}
			})
		}
	}
}

// ask reports whether a target answers as expected.
func (c *Checker) ask(ctx context.Context, due upstream.Check) bool {
	ctx, cancel := context.WithTimeout(ctx, due.Active.Timeout)
	defer cancel()
	u := *due.Member.URL
	address := u.Scheme + "://" + u.Host + strings.TrimSuffix(u.EscapedPath(), "/") + due.Active.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	req.Header.Set("User-Agent", "Tollgate-Health-Check")
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	if due.Active.Status != 0 {
		return resp.StatusCode == due.Active.Status
	}
	return resp.StatusCode >= 200 && resp.StatusCode <= 399
}
