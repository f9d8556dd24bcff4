package ops

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"tollgate/internal/portal/format"
	"tollgate/internal/telemetry"
	"tollgate/internal/upstream"
	"tollgate/web/component"
	"tollgate/web/page"
)

// mostParts is how many parts and targets of gateways the page shows; those
// that are not well come first.
const mostParts = 200

// reported is one part as a gateway reports it.
type reported struct {
	Name    string            `json:"name"`
	State   telemetry.State   `json:"state"`
	Detail  string            `json:"detail"`
	Targets []upstream.Status `json:"targets"`
}

// partRows are what gateways last reported of their parts and targets. What
// cannot be read, a newer gateway's perhaps, is left out.
func partRows(gateways []gateway) (rows []page.GatewayPart, more int) {
	var well []page.GatewayPart
	add := func(r page.GatewayPart) {
		if r.State.Tone == component.OK {
			well = append(well, r)
		} else {
			rows = append(rows, r)
		}
	}
	for _, g := range gateways {
		var parts []reported
		if json.Unmarshal(g.parts, &parts) != nil {
			continue
		}
		for _, p := range parts {
			for _, t := range p.Targets {
				add(page.GatewayPart{Gateway: g.id, Name: p.Name, Target: t.URL, State: targetBadge(t.State), Detail: targetDetail(t)})
			}
			if len(p.Targets) == 0 {
				add(page.GatewayPart{Gateway: g.id, Name: p.Name, State: health(p.State), Detail: p.Detail})
			}
		}
	}
	rows = slices.Concat(rows, well)
	if len(rows) > mostParts {
		return rows[:mostParts], len(rows) - mostParts
	}
	return rows, 0
}

func targetBadge(s upstream.State) component.BadgeProps {
	switch s {
	case upstream.Healthy:
		return component.BadgeProps{Label: "Working", Tone: component.OK}
	case upstream.HalfOpen:
		return component.BadgeProps{Label: "Being probed", Tone: component.Warn}
	case upstream.Open:
		return component.BadgeProps{Label: "Breaker open", Tone: component.Bad}
	case upstream.Ejected:
		return component.BadgeProps{Label: "Taken out", Tone: component.Bad}
	case upstream.Down:
		return component.BadgeProps{Label: "Down", Tone: component.Bad}
	}
	return component.BadgeProps{Label: cmp.Or(string(s), "Unknown"), Tone: component.Warn}
}

func targetDetail(t upstream.Status) string {
	text := "weight " + format.Count(int64(t.Weight)) + ", " + format.Count(int64(t.Underway)) + " under way, " + format.Count(int64(t.Failures)) + " of " + format.Counted(int64(t.Calls), "call", "calls") + " failed"
	if t.FirstByte > 0 {
		text += ", first byte after " + format.Latency(t.FirstByte.Microseconds())
	}
	if t.For > 0 {
		text += ", for " + format.Counted(int64((t.For+time.Second-1)/time.Second), "second", "seconds") + " more"
	}
	return text
}
