// Package ops is what operators see: the state of every part, gateways, usage on
// its way, background work, and what Stripe reported. It also takes Stripe's
// webhooks, and moves the clock in demo mode.
package ops

import (
	"context"
	"strings"
	"time"

	"tollgate/internal/clock"
	"tollgate/internal/jobs"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/telemetry"
	"tollgate/internal/writeoff"
	"tollgate/web/component"
	"tollgate/web/page"
)

// Ops holds the handlers of /ops.
type Ops struct {
	DB    *postgres.DB
	Clock *clock.Clock
	Parts []telemetry.Part

	WriteOffs *writeoff.Service
}

// silent is after how long without a heartbeat a gateway counts as gone.
const silent = 20 * time.Second

// gateway is a row of the heartbeat table, with its last shipment.
type gateway struct {
	id      string
	version int64
	pending int64
	seen    time.Time
	shipped *time.Time
	parts   []byte // JSON, as last reported
}

// shipments sum up what has arrived from all gateways.
type shipments struct {
	last           *time.Time
	batches, calls int64
}

// event is a delivery of Stripe's.
type event struct {
	kind, object, outcome string
	received              time.Time
	applied               *time.Time
}

// state is everything that the page shows from the database.
type state struct {
	gateways  []gateway
	newest    int64 // version that gateways should know
	shipments shipments
	jobs      []jobs.Count
	events    []event
}

// System shows the state of the system.
func (o *Ops) System(r *request.Request) error {
	var s state
	err := o.DB.InTx(r.Ctx(), func(ctx context.Context, tx *postgres.Tx) error { return s.read(ctx, tx) })
	if err != nil {
		return err
	}
	leases, err := o.WriteOffs.Expired(r.Ctx())
	if err != nil {
		return err
	}
	off, err := o.WriteOffs.WrittenOff(r.Ctx(), offShown)
	if err != nil {
		return err
	}
	worst, parts := telemetry.Health(r.Ctx(), o.Parts)
	props := page.OpsProps{Summary: summary(worst, parts), Metering: metering(s.shipments, o.Clock.Now())}
	props.Leases, props.WrittenOff = o.leaseGroups(leases), o.offRows(off)
	for _, p := range parts {
		props.Parts = append(props.Parts, page.PartRow{Name: p.Name, State: health(p.State), Detail: p.Detail, Since: component.TimeProps{Text: "asked just now"}})
	}
	for _, g := range s.gateways {
		props.Gateways = append(props.Gateways, o.gatewayRow(g, s.newest))
	}
	var more int
	if props.GatewayParts, more = partRows(s.gateways); more > 0 {
		props.MoreParts = "and " + format.Count(int64(more)) + " more that are not shown"
	}
	o.work(&props, s)
	return r.Page(page.Ops(r.Layout("System"), props))
}

// work fills in background work and what Stripe reported.
func (o *Ops) work(props *page.OpsProps, s state) {
	for _, j := range s.jobs {
		row := page.JobRow{Kind: j.Kind, Waiting: format.Count(int64(j.Waiting)), Running: format.Count(int64(j.Running)), Failed: format.Count(int64(j.Failed)), Error: j.LastError}
		if j.LastAt != nil {
			row.Last = format.Moment(j.LastAt.UTC(), o.Clock.Real())
		}
		props.Jobs = append(props.Jobs, row)
	}
	for _, e := range s.events {
		row := page.WebhookRow{Event: e.kind, Source: "from Stripe, " + e.object, State: component.BadgeProps{Label: "Waiting", Tone: component.Warn}, Time: format.Moment(e.received.UTC(), o.Clock.Real()), Detail: e.outcome}
		if e.applied != nil {
			row.State = component.BadgeProps{Label: "Applied", Tone: component.OK}
		}
		props.Webhooks = append(props.Webhooks, row)
	}
}

func summary(worst telemetry.State, parts []telemetry.PartStatus) component.FlashProps {
	var bad []string
	for _, p := range parts {
		if p.State != telemetry.Healthy {
			bad = append(bad, p.Name+": "+p.Detail)
		}
	}
	switch worst {
	case telemetry.Down:
		return component.FlashProps{Message: "Something is down.", Detail: strings.Join(bad, "; "), Tone: component.Bad}
	case telemetry.Degraded:
		return component.FlashProps{Message: "Something needs attention.", Detail: strings.Join(bad, "; "), Tone: component.Warn}
	}
	return component.FlashProps{Message: "All parts of this portal are working.", Tone: component.OK}
}

func health(s telemetry.State) component.BadgeProps {
	switch s {
	case telemetry.Down:
		return component.BadgeProps{Label: "Down", Tone: component.Bad}
	case telemetry.Degraded:
		return component.BadgeProps{Label: "Degraded", Tone: component.Warn}
	}
	return component.BadgeProps{Label: "Working", Tone: component.OK}
}

func metering(s shipments, now time.Time) []component.Fact {
	if s.last == nil {
		return nil
	}
	return []component.Fact{
		{Name: "Last shipment", Value: format.Ago(s.last.UTC(), now)}, {Name: "At", Value: format.DateTime(s.last.UTC())},
		{Name: "Batches", Value: format.Count(s.batches)}, {Name: "Calls in the 24 hours before it", Value: format.Count(s.calls)},
	}
}

func (o *Ops) gatewayRow(g gateway, newest int64) page.GatewayRow {
	row := page.GatewayRow{
		Name: g.id, View: format.Count(g.version), Spool: format.Counted(g.pending, "segment", "segments"), Behind: "up to date",
		State: component.BadgeProps{Label: "Serving", Tone: component.OK},
	}
	if newest > g.version { // a heartbeat is a few seconds old
		row.Behind = format.Counted(newest-g.version, "change", "changes") + " since its heartbeat"
	}
	if o.Clock.Real().Sub(g.seen) > silent {
		row.State = component.BadgeProps{Label: "Silent for " + strings.TrimSuffix(format.Ago(g.seen, o.Clock.Real()), " ago"), Tone: component.Bad}
	}
	if g.shipped != nil {
		row.Shipment = format.Moment(g.shipped.UTC(), o.Clock.Now())
	}
	return row
}
