package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"tollgate/internal/snapshot"
	"tollgate/internal/telemetry"
	"tollgate/internal/upstream"
)

// parts are what an operator can ask about.
func (p *program) parts() []telemetry.Part {
	state := func(ok bool, otherwise telemetry.State, detail string) (telemetry.State, string) {
		if ok {
			return telemetry.Healthy, ""
		}
		return otherwise, detail
	}
	return []telemetry.Part{
		{Name: "authentication", Check: func(context.Context) (telemetry.State, string) {
			return state(p.views.View() != nil, telemetry.Down, p.viewless())
		}},
		{Name: "routing", Check: func(context.Context) (telemetry.State, string) {
			if p.views.View() == nil {
				return telemetry.Down, p.viewless()
			}
			return state(p.views.Err() == nil, telemetry.Degraded, "the last good view is served: the newest could not be loaded")
		}},
		{Name: "metering", Check: func(context.Context) (telemetry.State, string) {
			if err := p.spool.Reserve(); err != nil {
				return telemetry.Down, err.Error()
			}
			p.spool.Release()
			alarm := p.spool.Alarm()
			return state(alarm == "", telemetry.Degraded, alarm)
		}},
		{Name: "database", Check: func(ctx context.Context) (telemetry.State, string) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return state(p.pool.Ping(ctx) == nil, telemetry.Degraded, "out of reach; calls go on from memory and usage stays on disk")
		}},
		{Name: "limits", Check: func(context.Context) (telemetry.State, string) {
			return state(p.shared == nil || p.shared.Shared(), telemetry.Degraded, "Redis is out of reach; this gateway keeps to its share of each limit")
		}},
		{Name: "upstreams", Check: func(context.Context) (telemetry.State, string) {
			unwell := p.unwell()
			return state(len(unwell) == 0, telemetry.Degraded, "not all targets are well: "+strings.Join(unwell, ", "))
		}},
	}
}

// viewless says why there is no view.
func (p *program) viewless() string {
	if errors.Is(p.views.Err(), snapshot.ErrOlder) {
		return snapshot.ErrOlder.Error()
	}
	return "no view has been loaded yet"
}

// unwell names the APIs of which a target is not healthy.
func (p *program) unwell() (apis []string) {
	for api, targets := range p.targets() {
		if slices.ContainsFunc(targets, func(s upstream.Status) bool { return s.State != upstream.Healthy }) {
			apis = append(apis, api)
		}
	}
	slices.Sort(apis)
	return apis
}

// targets are how the targets of each API stand.
func (p *program) targets() map[string][]upstream.Status {
	out := map[string][]upstream.Status{}
	v := p.views.View()
	if v == nil {
		return out
	}
	now := p.clock.Steady()
	for _, r := range v.Routes() {
		out[r.API] = append(out[r.API], r.LiveGroup.Status(now)...)
		if r.TestGroup != nil {
			out[r.API] = append(out[r.API], r.TestGroup.Status(now)...)
		}
	}
	return out
}

// reported is how a part stands, as the operator's page shows it.
type reported struct {
	Name    string            `json:"name"`
	State   telemetry.State   `json:"state"`
	Detail  string            `json:"detail,omitempty"`
	Targets []upstream.Status `json:"targets,omitempty"`
}

// mostReported bounds how many APIs' targets are reported; unwell ones come first.
const mostReported = 200

// report is how all parts and targets stand.
func (p *program) report(ctx context.Context) []reported {
	_, all := telemetry.Health(ctx, p.parts())
	var out []reported
	for _, s := range all {
		out = append(out, reported{Name: s.Name, State: s.State, Detail: s.Detail})
	}
	targets := p.targets()
	for _, api := range slices.Concat(p.unwell(), slices.Sorted(maps.Keys(targets))) {
		if len(out) >= mostReported {
			break
		}
		if t := targets[api]; t != nil {
			out = append(out, reportOf(api, t))
			delete(targets, api)
		}
	}
	return out
}

func reportOf(api string, targets []upstream.Status) reported {
	r := reported{Name: "upstream " + api, State: telemetry.Healthy, Targets: targets}
	for _, t := range targets {
		if t.State != upstream.Healthy {
			r.State = telemetry.Degraded
		}
	}
	return r
}
