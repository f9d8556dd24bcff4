package check_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"tollgate/internal/upstream"
	"tollgate/internal/upstream/check"
)

func TestTargetsAreAskedAndFollowTheirAnswers(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	status.Store(http.StatusOK)
	asked := make(chan string, 100)
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		if status.Load() == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer sick.Close()
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer well.Close()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	groups := upstream.NewGroups(now)
	g, err := groups.Set(upstream.Name{}, []upstream.Target{{URL: sick.URL + "/base/", Weight: 1}, {URL: well.URL, Weight: 1}},
		upstream.Policy{Active: upstream.Active{Path: "/healthz", Every: time.Second, Timeout: time.Minute, Healthy: 1, Unhealthy: 1}})
	if err != nil {
		t.Fatal(err)
	}
	c := check.New(groups, http.DefaultTransport, func() time.Time { return now })
	for _, step := range []struct {
		status int
		want   upstream.State
	}{{200, upstream.Healthy}, {500, upstream.Down}, {204, upstream.Healthy}, {404, upstream.Down}, {302, upstream.Healthy}} {
		status.Store(int32(step.status))
		c.Round(t.Context())
		if path := <-asked; path != "/base/healthz" {
			t.Errorf("asked for %s", path)
		}
		if s := g.Status(now); s[0].State != step.want || s[1].State != upstream.Healthy {
			t.Errorf("after %d: %+v", step.status, s)
		}
		c.Round(t.Context()) // nothing is due
		now = now.Add(time.Second)
	}
	sick.Close()
	c.Round(t.Context())
	if s := g.Status(now); s[0].State != upstream.Down {
		t.Errorf("out of reach: %+v", s[0])
	}
}

func TestRunDrainsAndJudgesNothingThatItBrokeOffItself(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 10)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	defer slow.Close()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	groups := upstream.NewGroups(now)
	g, err := groups.Set(upstream.Name{}, []upstream.Target{{URL: slow.URL}, {URL: slow.URL + "/two"}}, upstream.Policy{Active: upstream.Active{Path: "/", Timeout: time.Minute, Unhealthy: 1}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		check.New(groups, http.DefaultTransport, func() time.Time { return now }).Run(ctx)
		close(done)
	}()
	<-reached
	<-reached
	stop()
	<-done
	for _, s := range g.Status(now) {
		if s.State != upstream.Healthy {
			t.Errorf("%+v", s)
		}
	}
}
